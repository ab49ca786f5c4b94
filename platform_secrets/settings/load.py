"""From two documents to one checked `Settings`: first each alone, then both together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import ValidationError

from platform_secrets.settings.borrowed import borrowing_faults
from platform_secrets.settings.catalogue import Catalogue
from platform_secrets.settings.documents import Document
from platform_secrets.settings.doubtful import doubts_of_catalogue, doubts_of_stack
from platform_secrets.settings.environment import Environment
from platform_secrets.settings.explain import explained
from platform_secrets.settings.faults import cross_faults, stack_faults
from platform_secrets.settings.model import Model
from platform_secrets.settings.place_faults import without_faults
from platform_secrets.settings.problems import Problem, SettingsError
from platform_secrets.settings.references import Fault, catalogue_faults, store_faults
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.unseen import unseen_faults

_Model = TypeVar("_Model", bound=Model)
# Each takes a search for the word that was meant; nobody reads so many.
_MOST_EXPLAINED = 1000


def load(stacks: Sequence[Document], catalogue: Document) -> list[Settings]:
    """Each stack's checked settings. Raises SettingsError with all that is wrong in any file."""
    problems: list[Problem] = []
    parsed: Catalogue | None = None
    try:
        parsed = load_catalogue(catalogue, [stack.content for stack in stacks])
    except SettingsError as error:
        problems += error.problems
    found = []
    for stack in stacks:
        env = _parsed(Environment, stack, problems)
        faults = [*store_faults(stack.content), *(stack_faults(env) if env else ())]
        if parsed and env:
            faults += without_faults(env, parsed)
        if parsed and env and not faults:
            left = parsed.without(env.without.bundles, env.without.keys)
            settings = Settings(left, env, stack.file)
            faults = [*cross_faults(settings)]
            if not faults:
                warnings = _warnings(settings, stack, catalogue)
                found.append(replace(settings, warnings=tuple(warnings)))
        problems += [stack.problem(*fault) for fault in faults]
    if problems:
        raise SettingsError(problems)
    return found


def _warnings(settings: Settings, stack: Document, catalogue: Document) -> list[Problem]:
    found = [stack.problem(*doubt) for doubt in doubts_of_stack(settings)]
    return [*found, *(catalogue.problem(*doubt) for doubt in doubts_of_catalogue(settings))]


def load_catalogue(document: Document, stacks: Sequence[object] = ()) -> Catalogue:
    """The checked catalogue alone; `stacks` say which namespaces its Secrets are in. Raises
    SettingsError with all that is wrong in it."""
    problems: list[Problem] = []
    parsed = _parsed(Catalogue, document, problems)
    problems += [document.problem(*fault) for fault in catalogue_faults(document.content, stacks)]
    if parsed is None or problems:
        raise SettingsError(problems)
    faults = [*borrowing_faults(parsed), *_lacking(parsed)]
    problems += [document.problem(*fault) for fault in faults]
    if problems:
        raise SettingsError(problems)
    return parsed.identified()


def _lacking(catalogue: Catalogue) -> Iterator[Fault]:
    for bundle, content in catalogue.bundles.items():
        for name, key in content.keys.items():
            for lacking in catalogue.lacks(key):
                path = ("bundles", bundle, "keys", name)
                yield path, f"has no `{lacking}`, and `every-key-has` asks for it"


def _parsed(model: type[_Model], document: Document, problems: list[Problem]) -> _Model | None:
    unseen = [document.problem(*fault) for fault in unseen_faults(document.content)]
    problems += [*document.problems, *unseen]
    if document.content is None and document.problems:
        return None
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        # Such a value is already a problem, with a better message.
        known = {problem.path for problem in (*document.problems, *unseen)}
        errors = error.errors(include_url=False)
        found = [explained(model, one) for one in errors[:_MOST_EXPLAINED]]
        problems += [document.problem(path, text) for path, text in found if path not in known]
        if more := len(errors) - len(found):
            problems.append(document.problem((), f"has {more:,} more problems"))
        return None
