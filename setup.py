"""Puts the MONAI Label app and the newest version of each network into the wheel, as ``pneumoscreen/app``.

All else stands in pyproject.toml, which cannot name files outside ``lib``.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

APP = Path("apps") / "pneumoscreen"


def files_of_app() -> list[Path]:
    """The app and, of each network, the card and weights of the newest version, relative to ``APP``."""
    found = [Path("main.py")]
    for network in sorted((APP / "model").iterdir()):
        versions = [path for path in network.iterdir() if path.name.isdigit()] if network.is_dir() else []
        if versions:
            newest = max(versions, key=lambda path: int(path.name)).relative_to(APP)
            found += [newest / "card.json", newest / "model.safetensors"]
    return found


class BuildWithApp(build_py):
    """Copies the app beside the modules; an editable installation uses the one in the source checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in files_of_app():
            target = Path(self.build_lib) / "pneumoscreen" / "app" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(APP / name, target)


setup(cmdclass={"build_py": BuildWithApp})
