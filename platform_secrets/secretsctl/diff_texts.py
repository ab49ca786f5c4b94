"""A change of settings in words: as text, and for a comment on a pull request."""

from collections.abc import Iterable, Iterator, Mapping

from platform_secrets.describing.access_changes import AccessChange
from platform_secrets.describing.compared import (
    Difference,
    IdentityChange,
    SecretChange,
    ValueChange,
)
from platform_secrets.describing.provider_reads import PRICES, PRICES_OF
from platform_secrets.secretsctl.shown_texts import fenced_block, printable, shortened

Section = tuple[str, list[str]]
"""A heading, and lines that begin with + (appears), - (vanishes) or ~ (changes)."""

_SIGNS = {"appears": "+", "changes": "~", "vanishes": "-"}
# GitHub takes 65,536 characters in a comment, in which the policy's 10,000 bytes are too; a shell's
# argument or variable has 131,072 bytes.
_MOST_BYTES = 50_000
_MOST_FIELDS = 4


def text(differences: Mapping[str, Difference]) -> str:
    """For a terminal."""
    lines: list[str] = []
    for environment, one in differences.items():
        lines.append(f"{environment}: {summary(one)}")
        for heading, content in sections(one):
            lines += [f"  {heading}", *(f"    {line}" for line in content)]
    return "".join(f"{printable(line)}\n" for line in [*lines, *_notes(differences)])


def markdown(differences: Mapping[str, Difference], title: str) -> str:
    """For a comment: what matters at first sight, the objects folded away."""
    found = f"### {title}\n\n"
    for environment, one in differences.items():
        found += f"**{environment}**: {summary(one)}\n\n"
        for heading, content in sections(one):
            fenced = fenced_block(content)
            if heading == _OBJECTS:
                fenced = f"\n{fenced}</details>\n"
                heading = f"<details><summary>{heading}</summary>"
            found += f"{heading}\n{fenced}\n"
    found += "".join(f"{line}\n" for line in _notes(differences))
    return shortened(found, _MOST_BYTES, "secretsctl diff")


def summary(one: Difference) -> str:
    """A change in one line."""
    if one.is_empty:
        return "no difference"
    counts = [
        (
            len(one.lost_data),
            "thing that holds data is deleted",
            "things that hold data are deleted",
        ),
        (len({each.who for each in one.gained}), "reader gains access", "readers gain access"),
        (len({each.who for each in one.lost}), "reader loses access", "readers lose access"),
        (len(one.secrets), "Secret differs", "Secrets differ"),
        (len(one.to_put), "value is to be in a store first", "values are to be in a store first"),
        (len(one.restarts), "workload to restart", "workloads to restart"),
        (len(one.identities), "identity differs", "identities differ"),
        (len(one.objects), "object differs", "objects differ"),
    ]
    found = [
        f"{count} {singular if count == 1 else plural}"
        for count, singular, plural in counts
        if count
    ]
    return ", ".join(found) or "settings of the program differ"


_OBJECTS = "Objects"


def sections(one: Difference) -> Iterator[Section]:
    """All that differs, what matters most first."""
    found: list[Section] = [
        ("Deleted, with what it holds", [f"- {name}" for name in one.lost_data]),
        (
            "No longer declared, and stays until somebody deletes it",
            [f"- {name}" for name in one.kept_data],
        ),
        ("Access", [*_access(one)]),
        ("Secrets", [line for each in one.secrets for line in _secret(each)]),
        (
            "Values that must be in a store first",
            [f"+ {name}" for name in one.to_put],
        ),
        ("To restart, since the content of a Secret changes", [*_restarts(one)]),
        (
            "Identities at the provider",
            [line for each in one.identities for line in _identity(each)],
        ),
        ("Rotation", [_value(each) for each in one.rotations]),
        ("Reads in a month", [*_reads(one)]),
        ("Settings of Pulumi's program", [_value(each) for each in one.program]),
        (_OBJECTS, [*_objects(one)]),
    ]
    return (each for each in found if each[1])


def _access(one: Difference) -> Iterator[str]:
    for sign, changes, verb in (("+", one.gained, "gains"), ("-", one.lost, "loses")):
        for (who, before, after), keys in _grouped(changes).items():
            yield f"{sign} {who} {verb} {', '.join(keys)}: {'; '.join(after or before)}"
    for (who, before, after), keys in _grouped(one.moved).items():
        yield f"~ {who} keeps {', '.join(keys)}: {'; '.join(after)}"
        yield f"  before: {'; '.join(before)}"


_Way = tuple[str, tuple[str, ...], tuple[str, ...]]


def _grouped(changes: Iterable[AccessChange]) -> dict[_Way, list[str]]:
    """The keys of each reader that it reads in the same way."""
    found: dict[_Way, list[str]] = {}
    for one in changes:
        found.setdefault((one.who, one.before, one.after), []).append(one.key)
    return found


def _secret(one: SecretChange) -> Iterator[str]:
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (("with", one.added), ("without", one.removed), ("other", one.altered))
        if names and one.change == "changes"
    ]
    fields = one.added if one.change == "appears" else []
    what = f": {', '.join(fields or parts)}" if fields or parts else ""
    yield f"{_SIGNS[one.change]} {one.secret}{what}"
    if one.types:
        before, after = one.types
        stays = "it does not sync until the Secret is deleted"
        yield f"  its type becomes {after}, was {before}: {stays}"


def _restarts(one: Difference) -> Iterator[str]:
    for each in one.restarts:
        how = f" ({each.how})" if each.how else ""
        yield f"~ {each.workload}: {', '.join(each.secrets)}{how}"


def _identity(one: IdentityChange) -> Iterator[str]:
    yield f"{_SIGNS[one.change]} {one.identity}, store {one.store}"
    if one.account:
        yield f"~   is now ServiceAccount {one.account[1]}, was {one.account[0]}"
    yield from (f"+   {right}" for right in one.gained)
    yield from (f"-   {right}" for right in one.lost)


def _value(one: ValueChange) -> str:
    before, after = (text if len(text) < 100 else "(long)" for text in (one.before, one.after))
    if before and after:
        return f"~ {one.name}: {after}; was {before}"
    return f"+ {one.name}: {after}" if after else f"- {one.name}: {before}"


def _reads(one: Difference) -> Iterator[str]:
    for each in one.reads:
        reads = f"{each.before:,} → {each.after:,}"
        prices = [
            "none" if price is None else f"${price:,.2f}"
            for price in (each.dollars_before, each.dollars_after)
        ]
        price = f", {prices[0]} → {prices[1]}" if each.provider in PRICES else ""
        yield f"~ {each.store} ({each.provider}): {reads}{price}"


def _objects(one: Difference) -> Iterator[str]:
    for each in one.objects:
        fields = ", ".join(each.fields[:_MOST_FIELDS])
        more = len(each.fields) - _MOST_FIELDS
        what = f": {fields}{f' and {more} more' if more > 0 else ''}" if fields else ""
        stays = " (stays in the cluster)" if each.stays and each.change == "vanishes" else ""
        yield f"{_SIGNS[each.change]} {each.object}{what}{stays}"


def _notes(differences: Mapping[str, Difference]) -> Iterator[str]:
    providers = {each.provider for one in differences.values() for each in one.reads}
    priced = [one for one in PRICES if one in providers]
    if priced:
        sources = ", ".join(PRICES[one].source for one in priced)
        yield (
            f"Prices are list prices of {PRICES_OF} in US dollars ({sources}), for the "
            "refreshes of 30 days; no free allowance, rotation, storage or key use is counted."
        )
