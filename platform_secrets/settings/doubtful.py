"""What is allowed and seldom meant: warnings, which stop nothing."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from platform_secrets.settings.environment import Environment
from platform_secrets.settings.problems import Path
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings
from platform_secrets.settings.secret_kinds import PULL_TYPES

# RFC 2606 and 6761: domains in which nothing can ever answer.
_PLACEHOLDER = re.compile(
    r"(^|[/@.])example\.(com|net|org)(?=[:/]|$)|[/@.][-a-z0-9]+\.(example|invalid)(?=[:/]|$)"
)

_MOST_PLACES = 3


def doubts_of_stack(settings: Settings) -> Iterator[Fault]:
    """Places in the stack file."""
    for path, text in _texts(settings.environment.model_dump(by_alias=True), ()):
        if _PLACEHOLDER.search(text):
            yield path, "is a placeholder, where nothing answers; set your own"
    yield from _too_much_allowed(settings.environment)
    if settings.environment.secrets == "basic":
        return
    for store in settings.environment.stores:
        for bundle, content in settings.bundles_in(store).items():
            engine = settings.database_key(bundle) or settings.rotated_key(bundle)
            for name, key in content.keys.items():
                if key.is_of_database and name != engine:
                    what = f"{name} is `by: database`, and the store has no `database`"
                    yield ("stores", store), f"{what}: people must rotate it"


def _too_much_allowed(env: Environment) -> Iterator[Fault]:
    if env.operator == "install":
        yield from ((("chart", "version"), doubt) for doubt in env.chart.doubts)
    if env.vault_server and env.protect and env.vault_server.storage_class is None:
        yield (
            ("vault-server", "storage-class"),
            "is not set, and the cluster's default may not encrypt the servers' disks: name an "
            "encrypted one",
        )
    named = env.gitops.model_fields_set if env.gitops else set[str]()
    is_of_flux = "flux" in named and "argocd" not in named
    if env.gitops and not is_of_flux and env.protect and env.gitops.argocd.project == "default":
        yield (
            ("gitops", "argocd", "project"),
            "is `default`, which in Argo CD allows everything: name one that allows this "
            "repository, these namespaces and these kinds",
        )


def doubts_of_catalogue(settings: Settings) -> Iterator[Fault]:
    """Places in the catalogue."""
    catalogue = settings.catalogue
    read = {bundle for service in catalogue.services.values() for bundle in service.reads}
    for bundle, content in catalogue.bundles.items():
        is_for_the_kubelet = content.secret_type in PULL_TYPES
        if catalogue.services and bundle not in read and not is_for_the_kubelet:
            yield ("bundles", bundle), "no service reads it"


def warning_lines(found: Iterable[Settings]) -> list[str]:
    """The warnings of some environments: a line for each message, with its first places."""
    places: dict[str, dict[str, None]] = {}
    for problem in (one for settings in found for one in settings.warnings):
        places.setdefault(problem.message, {})[problem.place] = None
    return [f"{_listed([*where])}: {message}" for message, where in places.items()]


def _listed(places: list[str]) -> str:
    shown = ", ".join(places[:_MOST_PLACES])
    more = len(places) - _MOST_PLACES
    return f"{shown} and {more} more" if more > 0 else shown


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    inner: Iterable[tuple[Any, object]] = ()
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    for part, content in inner:
        yield from _texts(content, (*path, part))
