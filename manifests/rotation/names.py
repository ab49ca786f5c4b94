"""Names of what a rotation consists of, and which keys, entries and workloads it is about."""

from dataclasses import dataclass
from typing import Literal

from manifests import naming
from manifests.naming import PROJECT, Entry, Side
from settings import Settings
from settings.layout import Kind, overlap_secret
from settings.rotator import AGE_CHECK, ROTATION
from settings.services import JOB_KINDS, RESTARTABLE_KINDS

COMPONENT = "rotation"
"""The label of every part of it."""
PLAN = f"{ROTATION}-plan"
MEMORY = f"{ROTATION}-memory"
ACCOUNTS = (ROTATION, AGE_CHECK)
ROTATION_ID = f"{PROJECT}/rotation"
"""On a one-shot object: the day on which its rotation was due, and which attempt it is."""
SYNC_TOKEN = f"{PROJECT}/sync"
"""On an ExternalSecret: a change of it has the operator read the store now."""
RESTART_TOKEN = f"{PROJECT}/restarted"
"""On a workload's pod template: a change of it restarts the pods."""

POINTER_MARK = "_rotation"
"""In a database's pointer while a rotation is in flight: where to, the rotation's id, a uid."""

Push = Literal["reserve", "next", "previous", "promote", "restore", "withdraw"]
PUSHES: tuple[Push, ...] = ("reserve", "next", "previous", "promote", "restore", "withdraw")
"""What a rotation pushes: the new value as `next` and as the current one; the value before as
`previous`, and back over the current or the next one. `reserve` makes the place of `previous`."""

Check = Literal["reserved", "kept", "published", "promoted", "restored", "withdrawn"]
Field = Literal["current", "next", "previous"]
CHECKS: dict[Check, dict[Field, Literal["before", "staged"]]] = {
    "reserved": {"previous": "staged"},
    "kept": {"previous": "before"},
    "published": {"previous": "before", "next": "staged"},
    "promoted": {"current": "staged"},
    "restored": {"current": "before"},
    "withdrawn": {"next": "before"},
}
"""What the services' Secret has to hold after a push: fields of one key, each with the one-shot
Secret that has the value which it is compared with."""

DATABASE_CHECKS: dict[Check, tuple[str, str]] = {
    "promoted": ("current", "before"),
    "restored": ("other", "before"),
}
"""The same of a database's URL: it is of the account with the new password, or of the other one."""
AWS_CHECKS: dict[Check, tuple[str, str]] = {
    "published": ("current", "before"),
    "promoted": ("current", "staged"),
}
"""The same where Secrets Manager rotates: it is of the version that was the current one then."""


@dataclass(frozen=True)
class GeneratedKey:
    """Where a generated key is kept, the SecretStore through which it is rotated, and the Secrets
    in which the services read it and its derived keys."""

    bundle: str
    store: str
    current: Entry
    next: Entry | None
    previous: Entry | None
    secret: str
    overlap_secret: str

    def target(self, push: Push) -> Entry | None:
        """The entry that a push writes; None if this key has no such push."""
        match push:
            case "next" | "withdraw":
                return self.next
            case "reserve" | "previous":
                return self.previous
            case "promote" | "restore":
                return self.current

    def checked(self, check: Check) -> str | None:
        """The Secret that a check looks at; None if this key has no such check."""
        if "current" in CHECKS[check]:
            return self.secret
        return self.overlap_secret if self.next else None


def generated_keys(settings: Settings) -> dict[str, GeneratedKey]:
    """Every key that the rotator has the operator make, by its name."""
    return {
        key.id: GeneratedKey(
            key.bundle,
            naming.secret_store(key.store, "rotation"),
            current=key.kept[0].entry,
            next=key.next,
            previous=key.previous,
            secret=key.secret,
            overlap_secret=key.overlap_secret or key.secret,
        )
        for key in settings.keys_of(Kind.GENERATED)
    }


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


def generator(key: str, side: Side | None = None) -> str:
    """What makes a key's next value; a database's key has one for each account."""
    return f"rotation-{key}" + (f"-{side}" if side else "")


def one_shot(word: Literal["before", "staged"] | Push | Check, key: str) -> str:
    """The object that keeps the value before, makes the next one, pushes one of them, or checks
    what the services' Secret holds."""
    return f"rotation-{word}-{key}"


def program(digest: str) -> str:
    """The ConfigMap that holds the rotator; it is immutable, so a new text has a new name."""
    return f"{ROTATION}-program-{digest[:10]}"
