"""Names of what a rotation consists of, and which keys, entries and workloads it is about."""

from platform_secrets.manifests import naming
from platform_secrets.settings import Settings
from platform_secrets.settings.layout import Kind, overlap_secret
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


def rotated_bundles(settings: Settings) -> list[str]:
    """The bundles with a key that the rotator changes, rather than only looks at its age."""
    rotated = [key.bundle for key in settings.keys.values() if key.kind.is_rotated]
    return [*dict.fromkeys(rotated)]


def rotated_secrets(settings: Settings) -> list[str]:
    """The ExternalSecrets that a rotation has synced."""
    found = []
    for bundle in rotated_bundles(settings):
        secret = settings.catalogue.bundles[bundle].secret
        found.append(secret)
        if naming.has_overlap_secret(settings, bundle):
            found.append(overlap_secret(secret))
    return found


def readers(settings: Settings, bundle: str) -> list[str]:
    """The workloads that read a bundle and that a rotation restarts, as kind/name."""
    return [one for one in settings.readers[bundle] if _kind(one) in RESTARTABLE_KINDS]


def other_readers(settings: Settings, bundle: str) -> dict[str, str]:
    """What else reads a bundle, as kind/name, each with how it gets a new value."""
    found: dict[str, str] = {}
    for reader in settings.readers[bundle]:
        if _kind(reader) in JOB_KINDS:
            found[reader] = "its next run reads the new value"
        elif _kind(reader) not in RESTARTABLE_KINDS:
            found[reader] = "whoever runs it restarts it"
    return found


def _kind(workload: str) -> str:
    return workload.partition("/")[0]


def all_readers(settings: Settings) -> list[str]:
    """The workloads that a rotation may restart."""
    bundles = rotated_bundles(settings)
    return [*dict.fromkeys(one for bundle in bundles for one in readers(settings, bundle))]


def part(name: str, at: int) -> str:
    """The name of what is split because of its size: the first part has the whole's."""
    return f"{name}-{at + 1}" if at else name


def program(digest: str) -> str:
    """The ConfigMap that holds the rotator; it is immutable, so a new text has a new name."""
    return f"{ROTATION}-program-{digest[:10]}"
