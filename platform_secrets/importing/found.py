"""What manifests say, in the words in which what was written and what is rendered are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Manifest:
    """One object, and where it stands. Of a Secret only the names of its keys are here."""

    content: Mapping[str, Any]
    file: str
    line: int

    @property
    def kind(self) -> str:
        return str(self.content.get("kind"))

    @property
    def metadata(self) -> Mapping[str, Any]:
        return mapping(self.content.get("metadata"))

    @property
    def name(self) -> str:
        return str(self.metadata.get("name") or "")

    @property
    def namespace(self) -> str | None:
        return self.metadata.get("namespace")

    @property
    def spec(self) -> Mapping[str, Any]:
        return mapping(self.content.get("spec"))

    @property
    def is_kustomization(self) -> bool:
        """Whether it is kustomize's own, and not Flux's."""
        api = str(self.content.get("apiVersion") or "kustomize.config.k8s.io")
        is_named_so = self.kind in ("Kustomization", "Component")
        return is_named_so and api.startswith("kustomize.config.k8s.io")

    @property
    def at(self) -> tuple[str, int]:
        return self.file, self.line

    @property
    def place(self) -> str:
        """The file and the line, or the cluster."""
        return f"{self.file}:{self.line}" if self.line else self.file


class NotTakenError(Exception):
    """Why a manifest can't be said in the catalogue, and what to do about it."""

    def __init__(self, field: str, why: str) -> None:
        self.field, self.why = field, why
        super().__init__(f"{field}: {why}" if field else why)


def mapping(value: object) -> Mapping[str, Any]:
    """The value, or an empty mapping in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> list[Any]:
    """The value, or an empty list in place of anything else."""
    return value if isinstance(value, list) else []


@dataclass(frozen=True)
class Remote:
    """A value in a store."""

    key: str
    property: str | None
    version: str | None
    is_extracted: bool = False
    """Whether it is taken out of an entry that is read whole: some providers know no other way,
    and some not this one."""
    before: tuple[str, ...] = ()
    """Entries that are read with it. The value is `key`'s where that has it, else the last one's of
    these that has it."""


@dataclass(frozen=True)
class Value:
    """A value's place in a field: first by its name in a template, later by where it is kept."""

    of: str | Remote
    name: str = field(default="", compare=False)
    """What the template calls it."""


@dataclass(frozen=True)
class Filtered:
    """Text that has passed a function."""

    of: "Expression"
    by: str


@dataclass(frozen=True)
class Login:
    """How kubelets log in to one registry."""

    host: str
    username: "Expression"
    password: "Expression"


@dataclass(frozen=True)
class Logins:
    """A pull secret's whole configuration."""

    of: tuple[Login, ...]


Piece = str | Value | Filtered | Logins
Expression = tuple[Piece, ...]
"""What a field of a Secret is made of: literal text and values."""


NO_STORE = ("", "")
"""The store of a Secret whose values no store has."""


@dataclass(frozen=True)
class WantedSecret:
    """What an ExternalSecret has the operator do; or a Secret that is there without it."""

    source: Manifest
    namespace: str
    external_secret: str
    """The ExternalSecret's own name; the Secret's where there is none."""
    secret: str
    store: tuple[str, str]
    """Its kind and name."""
    interval: float
    """In seconds; 0 where the operator reads only once, or when it is asked to."""
    fields: Mapping[str, Expression]
    whole: tuple[str, ...] = ()
    """Entries all of whose properties are in the Secret, under names that nobody says here."""
    type: str = "Opaque"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    creation: str = "Owner"
    deletion: str = "Retain"
    is_immutable: bool = False
    notes: tuple[tuple[str, str], ...] = ()
    """What of it may be otherwise than it is taken here: fields, and why."""
    suggestions: Mapping[str, str] = field(default_factory=dict)
    """What the catalogue may say of a key, beside what its name lets suppose."""
    copies: tuple[Manifest, ...] = field(default=(), compare=False)
    """What says the same elsewhere."""

    @property
    def place(self) -> tuple[str, str]:
        return self.namespace, self.secret

    @property
    def is_plain(self) -> bool:
        return self.store == NO_STORE

    def with_names(self, names: list[str]) -> "WantedSecret":
        """The same, where `names` are those of the Secret's keys."""
        found = {name: (self.of_whole(name),) for name in names if name not in self.fields}
        return replace(self, fields={**self.fields, **found})

    def of_whole(self, name: str) -> Value:
        """The value of this name in the entries that are taken whole."""
        return Value(Remote(self.whole[-1], name, None, True, self.whole[:-1]), name)


def values_in(expression: Expression) -> list[Value]:
    """Every value that an expression is made of, in its order."""
    found: list[Value] = []
    for piece in expression:
        match piece:
            case Value():
                found.append(piece)
            case Filtered():
                found += values_in(piece.of)
            case Logins():
                for login in piece.of:
                    found += values_in(login.username) + values_in(login.password)
            case _:
                pass
    return found
