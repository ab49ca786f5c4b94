"""What the benchmarks print."""

import sys
from collections.abc import Sequence


def say(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


def judged(rule: str, is_met: bool, found: str) -> str:
    return f"- {rule}: {'met' if is_met else 'NOT MET'} ({found})"
