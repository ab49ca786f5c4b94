"""What the rotator, its admission policies and the command line agree on: names, marks, codes, and
what the rotator may do with each key.

Everything outside of `rotator` takes these from here, so there is no second copy to be forgotten.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal, NamedTuple

from .keys import Database, Generated, RotatedKey, Secrets, SecretsManager, beside, name_of

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


class Phase(StrEnum):
    """What a rotation is at. Taking back comes from any phase but the last."""

    STAGE = "stage"
    """The value before is kept, and the new one made."""
    NEXT = "next"
    """Services may read the value to come."""
    PROMOTE = "promote"
    """The new value is the current one."""
    RESTORE = "restore"
    """It is taken back: the value before is the current one."""
    CLEAN = "clean"
    """Only objects are left of it."""


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

# A character of base64 is six bits; those that are left over are taken off.
_PADDED = 'print .password "==" | trunc (div (add (len .password) 3) 4 | mul 4 | int)'
GENERATORS = {
    "text": ("Password", ".password"),
    "base64": ("Password", f"({_PADDED} | b64dec | b64enc)"),
    "uuid": ("UUID", ".uuid"),
}
"""By the form of a new value: the kind of the operator's generator, and the value as a template has
it of what that makes."""

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

COPIED = ("is-current", "is-next", "is-previous")
"""The texts of a one-shot Secret that checks in another namespace compare with."""

Right = tuple[str, tuple[str, ...]]
"""A verb, and the parts of a name."""


class Checked(NamedTuple):
    """A check's own name, the services' Secret that it looks at, and the SecretStore by which the
    operator takes it for a PushSecret. Names are addresses."""

    name: str
    secret: str
    store: str


def one_shot(step: str, key: str) -> str:
    """The name of a step's object; the step comes first, so that no two keys' names collide."""
    return f"rotation-{step}-{key}"


def one_shot_of(key: RotatedKey, step: str) -> str:
    """Its address."""
    return beside(key.external_secret, one_shot(step, key.name))


def copies(key: RotatedKey, step: str) -> list[str]:
    """The addresses of the copies of a one-shot Secret, of which only the texts are copied."""
    if step not in ("before", "staged") or not isinstance(key, Generated):
        return []
    name = one_shot(step, key.name)
    return [beside(one.external_secret, name) for one in key.elsewhere]


def steps(key: RotatedKey) -> list[str]:
    """The steps that have objects, in the order in which these are deleted: with `before` there is
    a rotation to go on with, and by `staged` all that is left is found."""
    return ["before", *pushes(key), *checks(key), "staged"]


def objects(key: RotatedKey, step: str) -> list[str]:
    """The addresses of all objects of a step."""
    if step in checks(key):
        return [one.name for one in checked_secrets(key, step)]
    return [*copies(key, step), one_shot_of(key, step)]


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


def checked_secrets(key: RotatedKey, step: str) -> list[Checked]:
    """What a step's checks look at."""
    of_key = key.secrets if isinstance(key, Generated) else [Secrets(key.external_secret, None)]
    is_of_overlap = "current" not in checks(key)[step]
    found = []
    for at, one in enumerate(of_key):
        secret = (is_of_overlap and one.overlap_external_secret) or one.external_secret
        # No id has a dot, so the name is that of no other key's check.
        name = one_shot(step, f"{key.name}.{at}" if at else key.name)
        found.append(Checked(beside(secret, name), secret, one.store or key.store))
    return found


def check_names(key: RotatedKey) -> list[str]:
    """The addresses of all of a key's checks."""
    return [one.name for step in checks(key) for one in checked_secrets(key, step)]


def check_right(step: str, fields: dict[str, str]) -> str:
    """The verb of the right to a check: it says what is compared with what."""
    return "-".join((step, *(part for pair in fields.items() for part in pair)))


def rights(key: RotatedKey) -> Iterator[tuple[str, Right]]:
    """What may be in the objects of a key's rotation beside what follows from their names: each
    right beside the address of an object in whose namespace it is one."""
    for right in _rights_beside(key):
        yield key.external_secret, right
    for one in key.elsewhere if isinstance(key, Generated) else ():
        yield one.external_secret, ("copy", (key.name, one.store or ""))
    for step, fields in checks(key).items():
        verb = check_right(step, fields)
        for one in checked_secrets(key, step):
            yield one.secret, (verb, (key.name, one.store, name_of(one.secret)))


def _rights_beside(key: RotatedKey) -> Iterator[Right]:
    if key.compared != usual_fields(key):
        yield "fields", (key.name, *key.compared)
    match key:
        case Generated():
            yield "generate", (key.name,)
            if key.text != "$v":
                yield "text", (key.name, key.text)
            places = {"current": key.entry, "next": key.next, "previous": key.previous}
            for field, entry in places.items():
                if entry:
                    yield field, (key.name, key.store, entry.key, entry.property or "")
        case Database():
            yield "account", (key.name,)
            for content in key.contents.values():
                yield "point", (name_of(key.pointer), key.fields[0], content)
        case SecretsManager():
            yield "version", (key.name, key.store, key.secret_id)


def usual_fields(key: RotatedKey) -> list[str]:
    """What a key's fields are called where they are called after its objects' name."""
    endings = ("", "-next", "-previous") if isinstance(key, Generated) else ("",)
    return [f"{key.name}{ending}" for ending in endings]


def right_name(parts: tuple[str, ...]) -> str:
    """The name of a right, as RBAC has it."""
    # No part holds a NUL, so all are escaped together.
    text = "\0".join(filter(None, parts))
    for character, code in ESCAPED.items():
        text = text.replace(character, code)
    return text.replace("\0", " ")
