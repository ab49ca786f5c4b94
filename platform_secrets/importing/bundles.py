"""One Secret as a bundle of the catalogue and its place in the stack file."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from platform_secrets.importing.found import (
    Expression,
    Filtered,
    Logins,
    NotTakenError,
    Remote,
    Value,
    WantedSecret,
)
from platform_secrets.importing.names import part_name
from platform_secrets.settings.secret_kinds import DOCKER_CONFIG, is_of_people
from platform_secrets.settings.texts import Part, parts_of

# What a template's filter is in a text. The second and the third write some characters otherwise.
_FILTERS = {"url": "url", "form": "url", "toJson": "json", "json": "json", "base64": "base64"}
Mapping = dict[str, Any]


class Bundle:
    """What the catalogue says of a Secret, and what the stack file says of its values."""

    def __init__(self, wanted: WantedSecret, known: Mapping | None = None) -> None:
        """`known` is what the catalogue says of it: parts of its texts keep their names."""
        self._known = known or {}
        self._keys: dict[str, tuple[Remote, bool, bool]] = {}
        self._texts: dict[str, str] = {}
        self._registries: Mapping = {}
        self._wanted = wanted
        texts = dict[str, Expression]()
        known_texts = self._known.get("texts") or {}
        for name, expression in wanted.fields.items():
            single = _single(expression)
            is_of_whole = single and wanted.whole and single[0].is_extracted
            if name in known_texts:
                if not wanted.is_plain:
                    texts[name] = expression
            elif single and not (is_of_whole and single[0].property != name):
                self._keys[name] = (*single, False)
            else:
                texts[name] = expression
        for name, expression in texts.items():
            if len(expression) == 1 and isinstance(expression[0], Logins):
                self._add_logins(name, expression[0])
            else:
                wished = _parts(known_texts.get(name, ""), len(expression))
                self._texts[name] = "".join(
                    self._part(name, one, key) for one, key in zip(expression, wished, strict=True)
                )
        self._entries = self._bundle_entries()

    def content(self) -> Mapping:
        """What stands in the catalogue."""
        wanted = self._wanted
        has_type = wanted.type != "Opaque" and not self._registries
        optional = {
            "type": wanted.type if has_type else None,
            "labels": {name: text for name, text in wanted.labels.items() if is_of_people(name)},
            "annotations": {
                name: text for name, text in wanted.annotations.items() if is_of_people(name)
            },
            "deletion": "delete" if wanted.deletion == "Delete" else None,
            "creation": "orphan" if wanted.creation == "Orphan" else None,
            "texts": self._texts,
            "registries": self._registries,
            "whole-entry": bool(wanted.whole),
            "keys": {name: self._key(name) for name in self._keys},
        }
        found: Mapping = {"secret": wanted.secret}
        return found | {name: content for name, content in optional.items() if content}

    @property
    def names(self) -> list[str]:
        """Those of its keys."""
        return [*self._keys]

    def place(
        self, store: str | None, interval: str | int | None, names: Collection[str]
    ) -> Mapping:
        """What stands in the stack file, with these keys' places; `store` is None for the default
        one, and `interval` for the environment's."""
        found: Mapping = {}
        if store is not None:
            found["store"] = store
        if interval is not None:
            found["refresh-interval"] = interval
        if len(self._entries) > 1:
            found["entries"] = [*self._entries]
        elif self._entries:
            found["entry"] = self._entries[0]
        keys = {
            name: _place(name, one, self._entries)
            for name, (one, _, _) in self._keys.items()
            if name in names
        }
        keys = {name: place for name, place in keys.items() if place}
        return {**found, "keys": keys} if keys else found

    def whole_places(self, names: list[str]) -> Mapping:
        """The places of these keys, whatever the bundle's entry is."""
        return {name: _place(name, self._keys[name][0], ()) for name in names}

    def _bundle_entries(self) -> tuple[str, ...]:
        """The entries that hold the bundle; what is in others has a place of its own."""
        remotes = [remote for remote, _, _ in self._keys.values()]
        extracted = Counter((*one.before, one.key) for one in remotes if one.is_extracted)
        together = [entries for entries in extracted if len(entries) > 1]
        if len(together) > 1:
            why = "reads several entries as one, and several others as another: split it first"
            raise NotTakenError("dataFrom", why)
        commonest = extracted.most_common(1)[0][0] if extracted else ()
        return self._wanted.whole or next(iter(together), commonest)

    def _key(self, name: str) -> Mapping:
        remote, is_base64, is_hidden = self._keys[name]
        found: Mapping = {"description": _described(remote)}
        if is_base64:
            found["stored-as"] = "base64"
        if is_hidden:
            found["hidden"] = True
        return found

    def _part(self, field: str, piece: object, wished: str | None) -> str:
        if isinstance(piece, str):
            return piece.replace("${", "$${")
        single = _single((piece,)) if isinstance(piece, Value | Filtered) else None
        filter = ""
        if single is None and isinstance(piece, Filtered) and piece.by in _FILTERS:
            single, filter = _single(piece.of), f"|{_FILTERS[piece.by]}"
        if single is None:
            why = "encodes what is made of several values, which a text can't say"
            raise NotTakenError(f"target.template.data.{field}", why)
        return f"${{{self._key_of(*single, wished)}{filter}}}"

    def _key_of(self, remote: Remote, is_base64: bool, wished: str | None) -> str:
        """The key with a value: one of the Secret's own, or a hidden one; called as is wished,
        unless that is another value's name."""
        if wished and self._keys.get(wished, (remote, is_base64))[:2] == (remote, is_base64):
            self._keys.setdefault(wished, (remote, is_base64, True))
            return wished
        for name, (known, as_base64, _) in self._keys.items():
            if (known, as_base64) == (remote, is_base64):
                return name
        is_shown = remote.is_extracted and bool(self._wanted.whole)
        if is_shown and remote.property and not is_base64:
            self._keys[remote.property] = (remote, False, False)
            return remote.property
        taken = {*self._keys, *self._wanted.fields}
        called = remote.property or remote.key.rpartition("/")[2]
        if not remote.is_extracted:
            # Called as its property it would be read with the whole entry, not as nested JSON.
            called = called.replace(".", "-")
        name = part_name(called, taken)
        self._keys[name] = (remote, is_base64, True)
        return name

    def _add_logins(self, field: str, logins: Logins) -> None:
        if self._wanted.type != DOCKER_CONFIG:
            why = f"is a pull secret's configuration, in a Secret that is not of {DOCKER_CONFIG}"
            raise NotTakenError(f"target.template.data.{field}", why)
        known = self._known.get("registries") or {}
        for login in logins.of:
            called = known.get(login.host) or {}
            username, password = _single(login.username), _single(login.password)
            is_text = username is None and isinstance(login.username[0], str)
            if password is None or (username is None and not is_text):
                why = "has a login that is made of several values"
                raise NotTakenError(f"target.template.data.{field}", why)
            found: Mapping = {}
            if username is None:
                found["username-text"] = login.username[0]
            else:
                found["username"] = self._key_of(*username, called.get("username"))
            found["password"] = self._key_of(*password, called.get("password"))
            self._registries[login.host] = found


def _single(expression: Expression) -> tuple[Remote, bool] | None:
    """The one value that an expression is, and whether it is decoded; None for anything else."""
    if len(expression) != 1:
        return None
    piece, is_base64 = expression[0], False
    if isinstance(piece, Filtered) and piece.by == "decoded" and len(piece.of) == 1:
        piece, is_base64 = piece.of[0], True
    if isinstance(piece, Value) and isinstance(piece.of, Remote):
        return piece.of, is_base64
    return None


def _parts(text: str, count: int) -> list[str | None]:
    """The keys in a text of so many pieces, each at its place."""
    found = [one.key if isinstance(one, Part) else None for one in parts_of(text)]
    return found if len(found) == count else [None] * count


def _described(remote: Remote) -> str:
    if not remote.key:
        return f"{remote.property} of the Secret that is there"
    entries = " or ".join((*remote.before, remote.key))
    return f"{remote.property} of {entries}" if remote.property else entries


def _place(name: str, remote: Remote, entries: tuple[str, ...]) -> Mapping:
    found: Mapping = {}
    is_of_bundle = remote.is_extracted and (*remote.before, remote.key) == entries
    if not is_of_bundle:
        found["entry"] = remote.key
    if remote.property and (remote.property != name or not is_of_bundle):
        found["property"] = remote.property
    if remote.version:
        found["version"] = remote.version
    return found
