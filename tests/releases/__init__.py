"""Earlier releases, whole: their program, their input, and what they rendered of it.

An archive is made by `git archive` of the release's tag (docs/releasing.md).
"""

import tarfile
from pathlib import Path

RELEASES = sorted(
    path.name.removesuffix(".tar.xz") for path in Path(__file__).parent.glob("*.tar.xz")
)
TREE = "rendered"


def unpack(release: str, folder: Path) -> None:
    """Puts all of a release into a folder."""
    with tarfile.open(Path(__file__).parent / f"{release}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
