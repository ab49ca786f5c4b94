"""What the rotator, its admission policies and the command line agree on: names, marks, codes, and
what the rotator may do with each key.

Everything outside of `rotator` takes these from here, so there is no second copy to be forgotten.
"""

from collections.abc import Iterator
from typing import Literal

from .keys import Database, Generated, RotatedKey, SecretsManager

ROTATION_ID = "platform-secrets/rotation"
"""On a one-shot object: the day on which its rotation was due, and which attempt it is."""
SYNC_TOKEN = "platform-secrets/sync"  # noqa: S105 - an annotation's name
"""On an ExternalSecret or PushSecret: a change of it has the operator look at it now."""
RESTART_TOKEN = "platform-secrets/restarted"  # noqa: S105 - an annotation's name
"""On a workload's pod template: a change of it restarts the pods."""
POINTER_MARK = "_rotation"
"""In a database's pointer while a rotation is in flight: where to, the rotation's id, a uid. No
key's name."""

FAILED, WRONG_INPUT, NOTHING_DUE, RESTORED, OVERDUE = 1, 2, 3, 4, 5
"""The program's exit codes beside 0."""
FINAL_CODES = [WRONG_INPUT, RESTORED, OVERDUE]
"""Those after which another try, at once, helps nobody."""

EVENT_SOURCE = "secrets-rotation"
EventReason = Literal["Rotated", "RotationFailed", "RotationRestored"]
EVENT_REASONS: tuple[EventReason, ...] = ("Rotated", "RotationFailed", "RotationRestored")

AWS_TOKENS_FOLDER = "/var/run/secrets/aws"
STS_AUDIENCE = "sts.amazonaws.com"
POD_IDENTITY_AUDIENCE = "pods.eks.amazonaws.com"

PUSHES = {
    "reserve": ("previous", "staged"),
    "next": ("next", "staged"),
    "previous": ("previous", "before"),
    "promote": ("current", "staged"),
    "restore": ("current", "before"),
    "withdraw": ("next", "before"),
}
"""What a rotation pushes: the entry that is written, and the one-shot Secret with the value."""
PUSHES_WITHOUT_OVERLAP = ("promote", "restore")

CHECKS = {
    "reserved": {"previous": "staged"},
    "kept": {"previous": "before"},
    "published": {"previous": "before", "next": "staged"},
    "promoted": {"current": "staged"},
    "restored": {"current": "before"},
    "withdrawn": {"next": "before"},
}
"""What the services' Secret has to hold after a push: fields of one key, each with the one-shot
Secret that has the value which it is compared with."""
CHECKS_WITHOUT_OVERLAP = {step: CHECKS[step] for step in ("promoted", "restored")}
DATABASE_CHECKS = {"promoted": {"current": "before"}, "restored": {"other": "before"}}
"""The same of a database's URL: it is of the account with the new password, or of the other one."""
AWS_CHECKS = {"published": {"current": "before"}, "promoted": {"current": "staged"}}
"""The same where Secrets Manager rotates: it is of the version that was the current one then."""

KINDS = {
    "before": "ExternalSecret",
    "staged": "ExternalSecret",
    **dict.fromkeys((*PUSHES, *CHECKS), "PushSecret"),
}
"""Every step that has a one-shot object, with the object's kind."""

RIGHTS_GROUP, RIGHTS_RESOURCE = "platform-secrets", "rotations"
"""Of the rights that only admission asks for; no API serves such objects."""
ESCAPED = {"%": "%25", " ": "%20"}
"""In a right's name, in this order: so that its parts can be told from each other."""

Right = tuple[str, tuple[str, ...]]
"""A verb, and the parts of a name."""


def one_shot(step: str, key: str) -> str:
    """The name of a step's object; the step comes first, so that no two keys' names collide."""
    return f"rotation-{step}-{key}"


def generator(key: str, side: str = "") -> str:
    """What makes a key's next value; a database's key has one for each account."""
    return f"rotation-{key}" + (f"-{side}" if side else "")


def pushes(key: RotatedKey) -> list[str]:
    """The pushes of a key."""
    if not isinstance(key, Generated):
        return []
    return [*PUSHES] if key.overlap_seconds else [*PUSHES_WITHOUT_OVERLAP]


def checks(key: RotatedKey) -> dict[str, dict[str, str]]:
    """The checks of a key, as in `CHECKS`."""
    match key:
        case Database():
            return DATABASE_CHECKS
        case SecretsManager():
            return AWS_CHECKS
        case Generated():
            return CHECKS if key.overlap_seconds else CHECKS_WITHOUT_OVERLAP


def checked_secrets(key: RotatedKey, step: str) -> dict[str, str]:
    """The services' Secrets that a step's checks look at, each by its check's name."""
    if not isinstance(key, Generated):
        return {one_shot(step, key.name): key.external_secret}
    is_of_overlap = "current" not in checks(key)[step]
    found: dict[str, str] = {}
    for one in key.secrets:
        # No id has a dot, so the name is that of no other key's check.
        name = one_shot(step, f"{key.name}.{len(found)}" if found else key.name)
        found[name] = (is_of_overlap and one.overlap_external_secret) or one.external_secret
    return found


def check_names(key: RotatedKey) -> list[str]:
    """The objects of all of a key's checks."""
    return [name for step in checks(key) for name in checked_secrets(key, step)]


def check_right(step: str, fields: dict[str, str]) -> str:
    """The verb of the right to a check: it says what is compared with what."""
    return "-".join((step, *(part for pair in fields.items() for part in pair)))


def rights(key: RotatedKey) -> Iterator[Right]:
    """What may be in the objects of a key's rotation beside what follows from their names."""
    if key.fields != usual_fields(key):
        yield "fields", (key.name, *key.fields)
    match key:
        case Generated():
            yield "generate", (key.name,)
            places = {"current": key.entry, "next": key.next, "previous": key.previous}
            for field, entry in places.items():
                if entry:
                    yield field, (key.name, key.store, entry.key, entry.property or "")
        case Database():
            yield "account", (key.name,)
            for content in key.contents.values():
                yield "point", (key.pointer, key.fields[0], content)
        case SecretsManager():
            yield "version", (key.name, key.store, key.secret_id)
    for step, fields in checks(key).items():
        verb = check_right(step, fields)
        for secret in checked_secrets(key, step).values():
            yield verb, (key.name, key.store, secret)


def usual_fields(key: RotatedKey) -> list[str]:
    """What a key's fields are called where they are called after its objects' name."""
    endings = ("", "-next", "-previous") if isinstance(key, Generated) else ("",)
    return [f"{key.name}{ending}" for ending in endings]


def right_name(parts: tuple[str, ...]) -> str:
    """The name of a right, as RBAC has it."""
    return " ".join([_escaped(part) for part in parts if part])


def _escaped(part: str) -> str:
    for character, code in ESCAPED.items():
        part = part.replace(character, code)
    return part
