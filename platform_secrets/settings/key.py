"""A key: one value that services need."""

import re
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, model_validator

from platform_secrets.settings.model import Line, Model, Text, text_of
from platform_secrets.settings.rotations import Alphabet, Database, Generated, Rotation

LONGEST_FIELD = 253
"""Characters of a name in a Secret, as Kubernetes has it."""
KeyName = Annotated[
    str,
    text_of(
        # `lock` and `run` are what else the rotator's memory holds.
        r"(?!(lock|run)$)(?!.*-(next|previous)$)(?!\.{1,2}$)[-._a-zA-Z0-9]+",
        "a name of letters, digits, hyphens, _ and . that does not end in -next or -previous, "
        "nor lock or run",
        LONGEST_FIELD,
    ),
]

KeyReference = Annotated[
    str, text_of(r"[a-z][-a-z0-9]*/[-._a-zA-Z0-9]+", "a key of another bundle, as bundle/key")
]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("must be a regular expression") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra={"format": "regex"})]


class Key(Model):
    """One value that a service needs; only its description is required, and of one with `same-as`
    nothing else."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": [],
            "anyOf": [{"required": ["description"]}, {"required": ["same-as"]}],
        }
    )

    description: Text
    """What it is, for whoever has to fill it in."""
    format: Literal["text", "postgres-url", "redis-url"] = "text"
    """What kind of text it is; values of basic Secrets are checked against it."""
    pattern: Pattern | None = None
    """A regular expression that the whole value must match."""
    min_length: Annotated[int, Field(ge=1, le=4096)] = 1
    """How many characters it has at least."""
    example: Text | None = None
    """What a value looks like, with no real one."""
    owner: Line | None = None
    """Who is asked about it, and told when it is overdue."""
    rotate: Rotation | None = None
    """How often it changes, and who changes it; never, and unwatched, without it."""
    stored_as: Literal["text", "base64"] = "text"
    """`base64`: the store holds the value in base64, and the Secret gets what that stands for."""
    hidden: bool = False
    """Whether it is only a part of texts and registries, and not in the Secret itself."""
    same_as: KeyReference | None = None
    """Another bundle's key, as bundle/key, whose value this one has: one entry, several Secrets."""

    _lender: "Key | None" = PrivateAttr(None)
    _id: str = PrivateAttr("")

    @model_validator(mode="before")
    @classmethod
    def _is_described_by_what_it_is(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(other := given.get("same-as"), str):
            return {"description": f"the same as {other}"[:1000], **given}
        return given

    @model_validator(mode="after")
    def _has_one_source(self) -> "Key":
        of_value = self.model_fields_set - {"description", "hidden", "same_as"}
        if self.same_as and of_value:
            name = min(of_value).replace("_", "-")
            raise ValueError(f"`same-as` has the value of another key, which has its own `{name}`")
        return self

    @model_validator(mode="after")
    def _is_as_long_as_it_must_be(self) -> "Key":
        if self.is_generated and self.generated_length < self.min_length:
            has = f"a generated value has {self.generated_length} characters"
            raise ValueError(f"{has}, which must not be less than min-length")
        return self

    @model_validator(mode="after")
    def _is_itself_in_the_secret(self) -> "Key":
        is_rotated = self.is_generated or self.is_of_database
        if is_rotated and self.stored_as != "text":
            message = "a rotation proves the value in the Secret: it takes no `stored-as: base64`"
            raise ValueError(message)
        if self.hidden and self.is_of_database:
            raise ValueError("a rotation proves the URL in the Secret: it takes no `hidden`")
        if self.hidden and self.overlap:
            raise ValueError(
                "`hidden` takes no `overlap`: services read the next and previous value"
            )
        return self

    @model_validator(mode="after")
    def _can_be_generated(self) -> "Key":
        if self.is_generated and (self.pattern or self.format != "text"):
            message = "`alphabet` and `length` say what a generated value is: it takes no"
            raise ValueError(f"{message} {'pattern' if self.pattern else 'format'}")
        return self

    @cached_property
    def id(self) -> str:
        """What its objects and entries are called after; unique in the catalogue."""
        return self._id

    @property
    def lender(self) -> tuple[str, str]:
        """Bundle and name of the key whose value this one has; only with `same-as`."""
        bundle, _, name = (self.same_as or "").partition("/")
        return bundle, name

    def called(self, id: str, lender: "Key | None") -> "Key":
        """The same with its id; `lender` is the key whose value it has."""
        found = self.model_copy(update={"stored_as": lender.stored_as} if lender else None)
        found._id, found._lender = id, lender
        for known in ("id", "overlap"):
            vars(found).pop(known, None)
        return found

    @cached_property
    def generated_length(self) -> int:
        """How many characters a generated value has."""
        return self.rotate.length_for(self.min_length) if isinstance(self.rotate, Generated) else 0

    @property
    def alphabet(self) -> Alphabet | None:
        """What a generated value is."""
        return self.rotate.alphabet if isinstance(self.rotate, Generated) else None

    @property
    def is_generated(self) -> bool:
        return isinstance(self.rotate, Generated)

    @property
    def is_of_database(self) -> bool:
        return isinstance(self.rotate, Database)

    @cached_property
    def overlap(self) -> timedelta | None:
        rotate = self._lender.rotate if self._lender else self.rotate
        return rotate.overlap if isinstance(rotate, Generated) else None
