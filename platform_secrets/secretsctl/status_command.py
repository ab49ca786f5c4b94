"""`secretsctl status`: whether anything is wrong in a running environment, what, and since when."""

import argparse
import gc
import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from platform_secrets.diagnosing.status import Status, status_of
from platform_secrets.rotator.memory import timestamp
from platform_secrets.secretsctl.arguments import DIFFERENT, OK
from platform_secrets.secretsctl.cluster_snapshot import environment_snapshot
from platform_secrets.secretsctl.kubectl import ClusterError
from platform_secrets.secretsctl.projects import asked_settings
from platform_secrets.secretsctl.shown_texts import printable
from platform_secrets.secretsctl.status_texts import colored, status_text, verdict
from platform_secrets.secretsctl.terminal_colors import has_colors
from platform_secrets.settings import Problem, Settings, SettingsError

_PAUSE_SECONDS = 5


def status(options: argparse.Namespace) -> tuple[int, str]:
    """Says it once; with --watch again and again, until somebody ends it."""
    (settings,) = asked_settings(options)
    if settings.environment.secrets == "basic":
        message = "is `basic`: there is no store, and no operator; look at the Secrets themselves"
        raise SettingsError([Problem(settings.stack_file, None, ("secrets",), message)])
    if options.watch:
        # Until whoever reads it has gone: that is no verdict.
        with suppress(BrokenPipeError):
            _watch(settings, options)
        return OK, ""
    found = _found(settings, options)
    return DIFFERENT if found.troubles else OK, _shown(found, options)


def _found(settings: Settings, options: argparse.Namespace) -> Status:
    read = environment_snapshot(settings, is_whole=False, reads_secrets=options.secrets)
    return status_of(settings, read)


def _shown(found: Status, options: argparse.Namespace) -> str:
    if options.json:
        return json.dumps(_plain(asdict(found)), indent=2, ensure_ascii=False) + "\n"
    text = status_text(found)
    return colored(text) if has_colors() else text


def _watch(settings: Settings, options: argparse.Namespace) -> None:
    """Draws it anew on a terminal. Elsewhere one line each time that the verdict is another one, or
    with --json an object."""
    # A single command runs without it; of this one nobody knows how long it runs.
    gc.enable()
    seen, name = None, settings.environment.environment
    while True:
        try:
            found = _found(settings, options)
            line, said = verdict(found), _plain(asdict(found))
        except ClusterError as error:
            found, line = None, f"{name}: not known: {error}"
            said = {"environment": name, "error": str(error)}
        if options.json:
            sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
        elif sys.stdout.isatty():
            text = _shown(found, options) if found else f"{printable(line)}\n"
            sys.stdout.write(f"\x1b[H\x1b[2J{text}")
        elif line != seen:
            at = f"{timestamp(found.taken_at)} " if found else ""
            sys.stdout.write(f"{at}{printable(line)}\n")
        seen = line
        sys.stdout.flush()
        time.sleep(_PAUSE_SECONDS)


def _plain(part: Any) -> Any:
    """As JSON has it: moments as texts, durations in seconds."""
    if isinstance(part, dict):
        return {name: _plain(one) for name, one in part.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(part, list):
        return [_plain(one) for one in part]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(part, datetime):
        return timestamp(part)
    return int(part.total_seconds()) if isinstance(part, timedelta) else part
