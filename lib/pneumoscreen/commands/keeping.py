"""``pneumoscreen backup`` and ``pneumoscreen restore``."""

from pathlib import Path

from .terminal import complain


def backup(target: Path, studies: Path, models: Path | None, images: bool) -> None:
    """Make a backup and say what went in.

    Raises:
        PneumoScreenError: if it cannot be made.
    """
    from ..models.store import ModelStore
    from ..server.store.backup import make_backup

    made = make_backup(studies, target, ModelStore(models).root, images)
    for name in made.left_out:
        complain(f"{name} is left out: a link, no plain file, or a name that no archive may hold")
    print(f"{target}: {made.files} files, {made.bytes / 1e6:.1f} MB before compression")


def restore(archive: Path, studies: Path, models: Path | None, overwrite: bool) -> None:
    """Put a backup back and say what was done.

    Raises:
        PneumoScreenError: if it cannot be.
    """
    from ..server.store.restore import restore_backup

    done = restore_backup(archive, studies, models, overwrite)
    for folder in done.set_aside:
        complain(f"what was there before lies in {folder}")
    print(f"{done.files} files of {done.at}, made by version {done.program}, are restored")
