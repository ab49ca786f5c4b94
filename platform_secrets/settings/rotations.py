"""How a key changes: who makes its next value, and how old one may become."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from platform_secrets.settings.model import DAY_OR_MORE_PATTERN, Duration, Line, Model, text_of


def _a_day_or_more(duration: timedelta) -> timedelta:
    if duration < timedelta(days=1):
        raise ValueError("must be 1d or more: a rotation is known by the day on which it is due")
    return duration


Age = Annotated[
    Duration,
    AfterValidator(_a_day_or_more),
    WithJsonSchema({"type": "string", "pattern": DAY_OR_MORE_PATTERN}),
]


# None that a shell, a template or JSON takes for its own.
Symbols = Annotated[
    str, text_of(r"[-_.~!@#%^*+=:,?/()]+", "some of these characters: -_.~!@#%^*+=:,?/()", 20)
]

Alphabet = Literal["letters-and-digits", "hex", "base64", "uuid"]
_OF_ALPHABETS: dict[str, tuple[Alphabet, ...]] = {
    "symbols": ("letters-and-digits",),
    "length": ("letters-and-digits", "hex"),
    "bytes": ("base64",),
}


class Generated(Model):
    """The rotator has the operator make a new value."""

    by: Literal["generate"]
    """The rotator."""
    every: Age
    """How old a value may become."""
    grace: Duration = timedelta(days=7)
    """How much later than `every` the age check reports the key."""
    overlap: Duration | None = None
    """How long the value before stays valid; without it readers change over in one restart."""
    alphabet: Alphabet = "letters-and-digits"
    """What a new value is: letters and digits, bytes in hex (lower case) or in base64 (with its
    padding), or a random UUID."""
    length: Annotated[int, Field(ge=16, le=4096)] | None = None
    """How many characters a new value has; 64, or the key's min-length where that is more, unless
    it is set."""
    bytes: Annotated[int, Field(ge=16, le=3072)] | None = None
    """How many bytes a new value in base64 stands for: 32, unless it is set."""
    symbols: Symbols | None = None
    """The characters of which an eighth of a new value is made, such as "-_.!"; it has letters and
    digits alone unless it is set."""

    @property
    def period(self) -> timedelta:
        return self.every

    @model_validator(mode="after")
    def _overlap_ends_before_the_next_rotation(self) -> "Generated":
        if self.overlap and self.overlap >= self.every:
            raise ValueError("overlap must be shorter than every")
        return self

    @model_validator(mode="after")
    def _can_be_made(self) -> "Generated":
        for name, alphabets in _OF_ALPHABETS.items():
            if getattr(self, name) is not None and self.alphabet not in alphabets:
                of_base64 = "; base64 has `bytes`: 32 are 44 characters" if name == "length" else ""
                raise ValueError(f"`alphabet: {self.alphabet}` takes no `{name}`{of_base64}")
        if self.alphabet == "hex" and self.length and (self.length % 2 or self.length < 32):
            raise ValueError("`length` in hex must be even, two characters a byte, and 32 or more")
        return self

    @property
    def byte_count(self) -> int:
        """How many bytes a new value in base64 stands for."""
        return self.bytes or 32

    def length_for(self, shortest: int) -> int:
        """How many characters a new value has, of a key that wants so many at least."""
        match self.alphabet:
            case "uuid":
                return 36
            case "base64":
                return (self.byte_count + 2) // 3 * 4
            case "hex":
                return self.length or max(64, shortest + shortest % 2)
            case _:
                return self.length or max(64, shortest)


class Database(Model):
    """The engine that owns the account makes the new value; by hand where there is no engine."""

    by: Literal["database"]
    """The engine, or Secrets Manager, that owns the account; people where there is none."""
    every: Age
    """How old a password may become."""
    grace: Duration = timedelta(days=14)
    """How much later than `every` the age check reports the key."""

    @property
    def period(self) -> timedelta:
        return self.every


class ByHand(Model):
    """People change the value where it is issued; only its age is watched."""

    by: Literal["hand"]
    """People."""
    max_age: Age
    """How old a value may become."""
    grace: Duration = timedelta(days=14)
    """How much later than `max-age` the age check reports the key."""
    source: Line | None = None
    """Where the limit comes from: a standard, a contract, a provider's advice."""

    @property
    def period(self) -> timedelta:
        return self.max_age


Rotation = Annotated[Generated | Database | ByHand, Field(discriminator="by")]
