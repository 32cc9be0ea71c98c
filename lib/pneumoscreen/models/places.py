"""Where the MONAI Label app and the published networks lie: in a source checkout, or in an installed copy."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def app_folder(package: Path = PACKAGE) -> Path:
    """The folder of the app: ``apps/pneumoscreen`` of a source checkout, else the one that the wheel brought along.

    Args:
        package: folder of the package ``pneumoscreen``.
    """
    checkout = package.parents[1] / "apps" / "pneumoscreen"
    return checkout if checkout.is_dir() else package / "app"
