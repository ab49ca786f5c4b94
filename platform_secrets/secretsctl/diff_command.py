"""`secretsctl diff`: what a change of the catalogue and the stack files means."""

import argparse
import json
from dataclasses import asdict

from platform_secrets.describing.compared import Difference, compared
from platform_secrets.describing.described import Described, described
from platform_secrets.secretsctl.diff_texts import markdown, text
from platform_secrets.secretsctl.revisions import settings_at
from platform_secrets.settings import Problem, Settings, SettingsError


def diff(options: argparse.Namespace) -> tuple[int, str]:
    """Compares each environment; exits 0 whatever differs, unless it is told otherwise."""
    sides: list[list[Settings]] = []
    problems: list[Problem] = []
    for option, place in (("--base", options.base), ("--head", options.head)):
        try:
            sides.append(settings_at(option, place, options.catalogue))
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    base, head = sides
    found = _differences(base, head, options.env)
    if options.json:
        shown = json.dumps(
            {name: asdict(one) for name, one in found.items()}, indent=2, ensure_ascii=False
        )
        shown += "\n"
    elif options.markdown:
        shown = markdown(found, f"What this changes, compared with {options.base}")
    else:
        shown = text(found)
    is_failure = (options.exit_code and any(not one.is_empty for one in found.values())) or (
        options.fail_on_loss and any(one.lost_data for one in found.values())
    )
    return int(is_failure), shown


def _differences(
    base: list[Settings], head: list[Settings], environment: str | None
) -> dict[str, Difference]:
    """By environment; one that is not there on a side has nothing there."""
    before, after = ({one.environment.environment: one for one in side} for side in (base, head))
    names = dict.fromkeys([*after, *before])
    if environment is not None and environment not in names:
        message = (
            f"no stack file of either side is of this environment; there are: {', '.join(names)}"
        )
        raise SettingsError([Problem("--env", None, (), message)])
    return {
        name: _difference(before.get(name), after.get(name))
        for name in ([environment] if environment else names)
    }


def _difference(before: Settings | None, after: Settings | None) -> Difference:
    is_same = before and after and before.environment == after.environment
    if before and after and is_same and before.catalogue == after.catalogue:
        return compared(Described(), Described())
    return compared(*(described(one) if one else Described() for one in (before, after)))
