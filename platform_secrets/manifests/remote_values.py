"""How an ExternalSecret reads its values with the fewest reads: an entry of which it needs several
properties is read once and taken apart, any other value by a reference of its own."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings.entries import Entry, Kept

# One that has other characters may lead into nested JSON, which only a reference can.
_PLAIN_PROPERTY = re.compile(r"[-_A-Za-z0-9]+")


@dataclass(frozen=True)
class RemoteValues:
    """What stands in an ExternalSecret's `data` and `dataFrom`, and the names by which its template
    finds the values."""

    data: list[Manifest] = field(default_factory=list)
    data_from: list[Manifest] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> Manifest:
        """The fields of an ExternalSecret's spec; a field without content is left out."""
        found = {"data": self.data, "dataFrom": self.data_from}
        return {name: content for name, content in found.items() if content}


def remote_values(values: Iterable[Kept], whole: tuple[str, ...] = ()) -> RemoteValues:
    """The references and extracts for these values; of the entries `whole` everything is read, and
    all that is read is then in the Secret, under its own name.

    Where there are several sources, each puts a number before its names: two entries may have
    properties of one name. Entries that are read as one have one number: the operator takes the
    last one's.
    """
    if whole:
        return _with_whole(values, whole)
    extracts: dict[tuple[tuple[str, ...], str | None], list[Kept]] = {}
    for value in values:
        if _is_plain(value):
            extracts.setdefault((value.entries, value.entry.version), []).append(value)
    extracts = {place: found for place, found in extracts.items() if _is_worth_an_extract(found)}
    extracted = {value.name for found in extracts.values() for value in found}
    single: dict[Entry, list[Kept]] = {}
    for value in values:
        if value.name not in extracted:
            single.setdefault(value.entry, []).append(value)
    found = RemoteValues()
    is_numbered = len(extracts) + bool(single) > 1
    for entry, same in single.items():
        name = f"0_{same[0].name}" if is_numbered else same[0].name
        found.data.append({"secretKey": name, "remoteRef": _reference(entry)})
        found.names.update({value.name: name for value in same})
    for number, same in enumerate(extracts.values(), 1):
        prefix = f"{number}_" if is_numbered else ""
        found.data_from.extend(_extracts(same[0], prefix))
        found.names.update({value.name: f"{prefix}{value.entry.property}" for value in same})
    return found


def _with_whole(values: Iterable[Kept], whole: tuple[str, ...]) -> RemoteValues:
    found = RemoteValues(data_from=[{"extract": {"key": key}} for key in whole])
    for value in values:
        is_in_it = value.entry == Entry(whole[-1], value.name, before=whole[:-1])
        if is_in_it and _is_plain(value):
            found.names[value.name] = value.name
        else:
            found.data.append({"secretKey": value.name, "remoteRef": _reference(value.entry)})
            found.names[value.name] = value.name
    return found


def _is_plain(value: Kept) -> bool:
    name = value.entry.property
    if value.entry.before:
        return True
    if value.way == "reference":
        return False
    return bool(name) and (name == value.name or bool(_PLAIN_PROPERTY.fullmatch(name)))


def _is_worth_an_extract(values: list[Kept]) -> bool:
    """Also for a single property of an entry of our own: others may follow, and a derived value
    may be missing."""
    is_whole_bundle = any(not value.is_placed and not value.is_alone for value in values)
    is_said = any(value.way == "extract" or value.entry.before for value in values)
    return is_whole_bundle or is_said or len({value.entry.property for value in values}) > 1


def _extracts(value: Kept, prefix: str) -> Iterator[Manifest]:
    version = value.entry.version
    # With a rewrite the operator no longer replaces what a Secret's key can't have.
    rewrite = [
        {"regexp": {"source": "[^-._a-zA-Z0-9]", "target": "_"}},
        {"regexp": {"source": "^(.*)$", "target": f"{prefix}$1"}},
    ]
    for key in value.entries:
        extract = {"key": key, "version": version} if version else {"key": key}
        yield {"extract": extract, "rewrite": rewrite} if prefix else {"extract": extract}


def _reference(entry: Entry) -> Manifest:
    wanted = {"key": entry.key, "property": entry.property, "version": entry.version}
    return {name: content for name, content in wanted.items() if content}
