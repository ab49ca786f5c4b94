"""`python -m benchmarks.diagnosing`: what `status` and `doctor` make of 1,000 bundles, as Markdown.

The cluster's own answer is not in it. A target that is not met is reported and is no failure.
"""

import sys
import time
from collections.abc import Callable

import yaml

from benchmarks.report import judged, say
from platform_secrets.diagnosing.status import status_of
from platform_secrets.secretsctl.status_texts import status_text
from platform_secrets.settings import catalogue_document
from tests.healthy_environment import Environment, production
from tests.platform import CATALOGUE_FILE

_BUNDLES = 1000
_ROUNDS = 3


def main() -> int:
    """Prints the table."""
    environment = _environment()
    rows = {
        "the snapshot alone": lambda: environment.snapshot(),
        "`status`": lambda: status_text(status_of(environment.settings, environment.snapshot())),
        "`doctor`": lambda: environment.diagnosed(),
    }
    taken = {name: min(_cpu_seconds(one) for _ in range(_ROUNDS)) for name, one in rows.items()}
    first = taken["the snapshot alone"]
    say(
        [
            f"# {_BUNDLES:,} bundles, half of which lack their entry",
            "",
            "| | CPU s | ratio |",
            "| --- | ---: | ---: |",
            *(f"| {name} | {own:.2f} | {own / first:.1f} |" for name, own in taken.items()),
            "",
            *(
                judged(f"{name} in at most 10 s", own <= 10, f"{own:.2f} s")
                for name, own in taken.items()
            ),
        ]
    )
    return 0


def _environment() -> Environment:
    content = yaml.safe_load(CATALOGUE_FILE.read_text(encoding="utf-8"))
    readers = content["services"]["backend-api"]["reads"]
    for number in range(_BUNDLES):
        key = {"description": "a key", "owner": "backend"}
        bundle = {"secret": f"wren-{number}", "keys": {f"key-{number}": key}}
        content["bundles"][f"bundle-{number}"] = bundle
        readers.append(f"bundle-{number}")
    document = catalogue_document(CATALOGUE_FILE)
    environment = Environment(production(type(document)(document.file, content)))
    for number in range(0, _BUNDLES, 2):
        environment.fail("ExternalSecret", f"wren-{number}", "Secret does not exist")
    return environment


def _cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
