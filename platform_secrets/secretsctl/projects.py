"""Which stack files a command is about, and their settings."""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from platform_secrets.manifests.entries import adopted_entries, expected_entries, written_entries
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import (
    Document,
    Problem,
    Settings,
    SettingsError,
    catalogue_document,
    load,
    stack_document,
)
from platform_secrets.settings.problems import did_you_mean

_NAME = re.compile(r"[a-z][-a-z0-9]{0,19}")


def rotator_source() -> dict[str, str]:
    """The texts of the program that rotates, by file name."""
    folder = Path(__file__).parents[1] / "rotator"
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}


def stack_files(folder: Path = Path()) -> list[Path]:
    """The project's stack files, by name. Raises SettingsError when there are none."""
    found = sorted(folder.glob("Pulumi.*.yaml"))
    if not found:
        message = "no stack file here; run this in the project's folder, or use --stack"
        raise SettingsError([Problem("Pulumi.<stack>.yaml", None, (), message)])
    return found


def loaded(stacks: Iterable[Path], catalogue: Path, environment: str | None) -> list[Settings]:
    """The settings of every stack file, or of those that are about `environment`.

    Raises SettingsError with the problems of all files together.
    """
    documents = [stack_document(path) for path in stacks]
    if environment is not None:
        # Another environment's file, however broken, is not asked for; but a file that can't be
        # read may be the one.
        asked = [one for one in documents if _environment(one) == environment]
        asked = asked or [one for one in documents if one.content is None]
        if not asked:
            names = environment_names(documents)
            hint = did_you_mean(environment, names)
            there_are = ", ".join(names) or "none"
            message = f"no stack file is of this environment{hint}; there are: {there_are}"
            raise SettingsError([Problem("--env", None, (), message)])
        documents = asked
    found = load(documents, catalogue_document(catalogue))
    problems = _shared_folders(found) + _second_leaders(found) + _shared_entries(found)
    if problems:
        raise SettingsError(problems)
    return found


def asked_settings(options: argparse.Namespace) -> list[Settings]:
    """The settings of the stack files that a command's options name.

    Raises SettingsError as `loaded` does.
    """
    stacks = [options.stack] if options.stack else stack_files()
    return loaded(stacks, options.catalogue, options.env)


def _environment(document: Document) -> object:
    return document.content.get("environment") if isinstance(document.content, dict) else None


def environment_names(documents: Iterable[Document]) -> list[str]:
    """The environments that stack files are about, also where the rest of a file is wrong."""
    names = [name for name in map(_environment, documents) if isinstance(name, str)]
    return [name for name in names if _NAME.fullmatch(name)]


def _shared_entries(found: list[Settings]) -> list[Problem]:
    """Two environments that read one entry of one store would read each other's values. Both may
    read one that is another's, and that neither writes."""
    owners: dict[tuple[object, str], Settings] = {}
    problems = []
    for settings in found:
        for store, entries in expected_entries(settings).items():
            address = provider_of(settings.environment.stores[store]).address
            others = adopted_entries(settings, store)
            others -= {*written_entries(settings, store).values()}
            for entry in [entry for entry in entries if entry not in others]:
                owner = owners.setdefault((address, entry), settings)
                if owner.environment.environment != settings.environment.environment:
                    message = f"its entry {entry} is also {owner.stack_file}'s; keep them apart"
                    problems.append(Problem(settings.stack_file, None, ("stores", store), message))
    return problems


def _shared_folders(found: list[Settings]) -> list[Problem]:
    """Two stacks of one environment would overwrite each other's tree."""
    first: dict[str, str] = {}
    problems = []
    for settings in found:
        name = settings.environment.environment
        if name in first:
            message = f"{first[name]} has the same environment; use --stack, with an --out for each"
            problems.append(Problem(settings.stack_file, None, ("environment",), message))
        first.setdefault(name, settings.stack_file)
    return problems


def _second_leaders(found: list[Settings]) -> list[Problem]:
    """Two rotators of one environment would rotate its keys twice."""
    first: dict[str, str] = {}
    problems = []
    for settings in found:
        env = settings.environment
        if not settings.has_rotation:
            continue
        if env.environment in first:
            message = f"{first[env.environment]} leads this environment too; one is a `follower`"
            problems.append(Problem(settings.stack_file, None, ("rotation",), message))
        first.setdefault(env.environment, settings.stack_file)
    return problems
