"""What a whole `secretsctl render` imports, and what that costs."""

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.measure import ENVIRONMENT, ROOT, RunError

_FORBIDDEN = ("pulumi", "components", "grpc")


def import_milliseconds(python: str, arguments: Sequence[str]) -> dict[str, list[float]]:
    """For each package, each of its modules' own time. Python's own modules count as one.

    Raises RunError.
    """
    command = [python, "-X", "importtime", "-m", "platform_secrets.secretsctl", *arguments]
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    if done.returncode:
        raise RunError(f"secretsctl: exit code {done.returncode}")
    taken: dict[str, list[float]] = {}
    for line in done.stderr.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if not own.strip().isdigit():
            continue
        package = rest.partition("|")[2].strip().partition(".")[0]
        is_own = package in sys.stdlib_module_names or package.startswith(("_sysconfig", "site"))
        name = "Python's own" if is_own else package
        taken.setdefault(name, []).append(int(own) / 1000)
    return taken


def forbidden(packages: Sequence[str]) -> list[str]:
    """Those that rendering must never import: Pulumi, its SDKs, and what is written for it."""
    return sorted(name for name in packages if name.startswith(_FORBIDDEN))
