"""`secretsctl planned`: what an update by Pulumi would do, and whether that was approved."""

import argparse
import json
import sys
from pathlib import Path

from platform_secrets.secretsctl.arguments import DIFFERENT, FAILED, OK
from platform_secrets.secretsctl.planned import Planned, markdown, not_approved
from platform_secrets.secretsctl.planned import planned as planned_in
from platform_secrets.settings import Problem, SettingsError


def planned(options: argparse.Namespace) -> tuple[int, str]:
    """Exits 1 where the preview failed, where something is taken away that was not approved, and
    with `--exit-code` where anything would change."""
    found = _read(options.preview)
    if found.errors:
        print("\n".join(found.errors), file=sys.stderr)
        return FAILED, ""
    if options.approved:
        approved = options.approved.read_text(encoding="utf-8", errors="replace")
        missing = not_approved(found, approved)
        if missing:
            message = "an update would now do what was not approved there; look, and approve anew:"
            print(f"{options.approved}: {message}", *missing, sep="\n", file=sys.stderr)
            return FAILED, ""
    return (DIFFERENT if options.exit_code and found.changes else OK), markdown(found)


def _read(path: Path) -> Planned:
    try:
        return planned_in(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError):
        message = "is not what `pulumi preview --json` prints; run that again, and see what it says"
        raise SettingsError([Problem(str(path), None, (), message)]) from None
