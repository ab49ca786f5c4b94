"""The tests' own platform, so that a test says nothing of the one at the root of the repository.

The examples' stack files (`examples/*.yaml`) are any platform's that has a bundle `backend-api`
and a database: here they are this one's.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent
CATALOGUE_FILE = _FOLDER / "catalogue.yaml"
OWN_STACK_FILES = sorted(_FOLDER.glob("Pulumi.*.yaml"))
STACK_FILES = {
    path.stem.removeprefix("Pulumi."): path
    for path in [*OWN_STACK_FILES, *sorted(_FOLDER.parents[1].glob("examples/*.yaml"))]
}
