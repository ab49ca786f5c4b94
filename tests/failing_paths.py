"""A disk that is full, or Ctrl-C, at a chosen call."""

from pathlib import Path
from typing import Any

import pytest


def fail_at(
    monkeypatch: pytest.MonkeyPatch, call: str, calls_before: int, error: BaseException
) -> None:
    """Has a method of Path raise at one of its calls, and work at all others."""
    real, count = getattr(Path, call), 0

    def failing(path: Path, *arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == calls_before + 1:
            raise error
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, call, failing)
