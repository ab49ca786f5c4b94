"""What the operator would do otherwise, once an ExternalSecret is rendered from the catalogue."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from platform_secrets.importing.found import (
    Expression,
    Filtered,
    Login,
    Logins,
    Piece,
    Remote,
    Value,
    WantedSecret,
)

# A rendered interval is up to 5 % off the settings' one (manifests/external_secret.py).
_SPREAD = 0.06
_ENCODINGS = {"form": "as in a form (a blank is +)", "url": "as in a URL (a blank is %20)"}


@dataclass(frozen=True)
class Difference:
    """A field of which the operator would make something else."""

    field: str
    why: str


def differences(
    before: WantedSecret, after: WantedSecret, is_any_way: Callable[[tuple[str, str]], bool]
) -> Iterator[Difference]:
    """What is not the same; `is_any_way` says of which stores a property may be read either way."""
    same = (
        ("target.name", before.secret, after.secret),
        ("metadata.namespace", before.namespace, after.namespace),
        ("secretStoreRef", before.store, after.store),
        ("type", before.type, after.type),
        ("target.creationPolicy", before.creation, after.creation),
        ("target.deletionPolicy", before.deletion, after.deletion),
    )
    for field, one, other in same:
        if one != other:
            yield Difference(field, f"was {_said(one)}, becomes {_said(other)}")
    if abs(before.interval - after.interval) > _SPREAD * before.interval:
        why = f"was {before.interval:g} s, becomes {after.interval:g} s"
        yield Difference("refreshInterval", why)
    if before.is_immutable:
        yield Difference("target.immutable", "the Secret could not change; now it can")
    yield from _metadata("labels", before.labels, after.labels)
    yield from _metadata("annotations", before.annotations, after.annotations)
    if before.whole != after.whole:
        yield Difference("dataFrom", "was taken whole, and is not, or the other way round")
    yield from _fields(before, after, is_any_way(before.store))


def _metadata(
    field: str, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Difference]:
    """The labels of every object of ours come on top."""
    for name, text in before.items():
        if after.get(name) != text:
            yield Difference(f"{field}.{name}", "has a prefix that the catalogue leaves to others")


def _fields(before: WantedSecret, after: WantedSecret, is_any_way: bool) -> Iterator[Difference]:
    for name in [*before.fields, *(one for one in after.fields if one not in before.fields)]:
        one, other = before.fields.get(name), after.fields.get(name)
        if one is None and before.whole and other == (before.of_whole(name),):
            continue
        if one is None or other is None:
            yield Difference(f"data.{name}", "is new" if one is None else "is left out")
            continue
        if is_any_way:
            one, other = _any_way(one), _any_way(other)
        if one != other:
            yield Difference(f"data.{name}", _why(one, other))


def _why(before: Expression, after: Expression) -> str:
    if _any_way(before) == _any_way(after):
        return "is read as a property, where its entry was read whole, or the other way round"
    if _filters(before) != _filters(after):
        one, other = (
            ", ".join(_ENCODINGS.get(by, f"by {by}") for by in _filters(each)) or "in no way"
            for each in (before, after)
        )
        return f"its values were encoded {one}, and become encoded {other}"
    return "is made otherwise"


def _filters(expression: Expression) -> list[str]:
    return [piece.by for piece in expression if isinstance(piece, Filtered)]


def _any_way(expression: Expression) -> Expression:
    def same(piece: Piece) -> Piece:
        match piece:
            case Value(of=Remote() as remote):
                return Value(replace(remote, is_extracted=False))
            case Filtered():
                return Filtered(_any_way(piece.of), piece.by)
            case Logins():
                return Logins(
                    tuple(
                        Login(one.host, _any_way(one.username), _any_way(one.password))
                        for one in piece.of
                    )
                )
            case _:
                return piece

    return tuple(map(same, expression))


def _said(value: object) -> str:
    return "/".join(value) if isinstance(value, tuple) else str(value)
