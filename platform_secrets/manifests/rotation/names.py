"""Names of what a rotation consists of, and which keys, entries and workloads it is about."""

from collections.abc import Iterable

from platform_secrets.settings import Settings
from platform_secrets.settings.layout import Kind
from platform_secrets.settings.rotator import AGE_CHECK, ROTATION
from platform_secrets.settings.services import JOB_KINDS, RESTARTABLE_KINDS

COMPONENT = "rotation"
"""The label of every part of it."""
PLAN = f"{ROTATION}-plan"
MEMORY = f"{ROTATION}-memory"
ACCOUNTS = (ROTATION, AGE_CHECK)


def operator_keys(settings: Settings) -> list[str]:
    """The keys whose next value the operator has made."""
    kinds = (Kind.GENERATED, Kind.ENGINE)
    return [key.id for key in settings.keys.values() if key.kind in kinds]


def copies_store(namespace: str) -> str:
    """The SecretStore, in another namespace, that reads the one-shot Secrets of this one."""
    return f"{ROTATION}-from-{namespace}"


def is_in(view: Settings, address: str) -> bool:
    """Whether this is the address of an object in the view's namespace."""
    return address.startswith(f"{view.namespace}/") if view.is_of_another else "/" not in address


def restarted(workloads: Iterable[str]) -> list[str]:
    """Those of some workloads, as kind/name, that a rotation restarts."""
    return [one for one in dict.fromkeys(workloads) if _kind(one) in RESTARTABLE_KINDS]


def not_restarted(workloads: Iterable[str]) -> dict[str, str]:
    """The others, each with how it gets a new value."""
    found: dict[str, str] = {}
    for reader in workloads:
        if _kind(reader) in JOB_KINDS:
            found[reader] = "its next run reads the new value"
        elif _kind(reader) not in RESTARTABLE_KINDS:
            found[reader] = "whoever runs it restarts it"
    return found


def _kind(workload: str) -> str:
    return workload.partition("/")[0]


def part(name: str, at: int) -> str:
    """The name of what is split because of its size: the first part has the whole's."""
    return f"{name}-{at + 1}" if at else name


def program(digest: str) -> str:
    """The ConfigMap that holds the rotator; it is immutable, so a new text has a new name."""
    return f"{ROTATION}-program-{digest[:10]}"
