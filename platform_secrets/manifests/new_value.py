"""How one value is replaced: the one-shot objects of `secretsctl set`.

A short-lived Secret has the new value: a person's, or one that an ExternalSecret reads from an
older version of the entry. Another ExternalSecret keeps the value before, to be given back. A
PushSecret of each writes it into the key's entry. PushSecrets without data compare it with what the
services' Secrets have (docs/decisions/0009), by a hash that stands beside it. Where a Secret has it
only as a part of a text, an ExternalSecret reads the store again, with that hash as its condition,
and makes the hash of the text.
"""

import base64
import hashlib
from dataclasses import dataclass

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.one_shot_objects import (
    one_shot_check,
    one_shot_push,
    one_shot_read,
    one_shot_secret,
)
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.remote_values import remote_values
from platform_secrets.manifests.secret_template import Source, compares, comparison, required
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import Kept, kept
from platform_secrets.settings.operator_releases import GENERATORS_API

KEY = "platform-secrets/key"
"""On the value before: whose it is."""
WRITTEN = "platform-secrets/written"
"""On the value before: a new one was written, and nobody knows yet whether readers come up."""
VERSION = "platform-secrets/version"
"""The same: which version of the entry that was."""
_COMPONENT = "new-value"
_COMPARES = "set-compares"
_COMPARES_TEXTS = "set-compares-texts"
_THEN = "-then"


@dataclass(frozen=True)
class Place:
    """A Secret that has the value. `settings` are those of its namespace."""

    settings: Settings
    bundle: str
    value: Kept

    @property
    def secret(self) -> str:
        return self.settings.catalogue.bundles[self.bundle].secret

    @property
    def is_shown(self) -> bool:
        """Whether the value is a field of the Secret, not only a part of one."""
        return self.value.key in self.settings.catalogue.bundles[self.bundle].shown

    @property
    def is_own(self) -> bool:
        """Whether the key is declared here, not one that has the same value."""
        return not self.value.is_borrowed

    @property
    def new(self) -> str:
        return naming.new_value(self.secret)

    @property
    def before(self) -> str:
        return naming.value_before(self.secret)

    @property
    def _compared(self) -> str:
        """The name of what is compared: of the field, or of what is read again."""
        return self.value.key if self.is_shown else _COMPARES

    @property
    def _is_decoded(self) -> bool:
        """Whether the value is compared as what its base64 stands for, as the Secret has it."""
        keys = self.settings.catalogue.bundles[self.bundle].keys
        return self.is_shown and keys[self.value.key].stored_as == "base64"


def places(settings: Settings, id: str) -> list[Place]:
    """Every Secret that has a key's value, the key's own first."""
    found: list[Place] = []
    for bundle, name in settings.catalogue.bundles_of[id].items():
        for view in settings.by_namespace:
            if bundle in view.bundles:
                found += [
                    Place(view, bundle, one) for one in kept(view, bundle) if one.name == name
                ]
    return found


def lock(settings: Settings) -> Manifest:
    """The lock's place. What stands in it is nobody's who applies this."""
    metadata = naming.metadata(settings, naming.SET_LOCK, _COMPONENT)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def before(place: Place) -> Manifest:
    """Keeps the value that is in the store now; beside another's key, a hash of it alone."""
    found = remote_values([place.value])
    line = _line(place, found.names[place.value.name])
    return _kept_by(place, place.before, found.spec, line, _stored(found.names[place.value.name]))


def previous(place: Place, version: str) -> Manifest:
    """The new value, out of a version of its entry."""
    entry = place.value.entry._replace(version=version)
    found = remote_values([place.value._replace(entry=entry)])
    name = found.names[place.value.name]
    return _kept_by(place, place.new, found.spec, _line(place, name), _stored(name))


def look(place: Place, version: str) -> Manifest:
    """Is synced only if a version of the entry has a value, and another one than is there now; its
    Secret holds no value."""
    entry = place.value.entry._replace(version=version)
    then = place.value._replace(name=f"{place.value.name}{_THEN}", entry=entry)
    found = remote_values([place.value, then])
    name, now = found.names[then.name], found.names[place.value.name]
    faults = {
        f'not (index . "{name}")': f"version {version} has no value",
        f'eq (index . "{name}") (index . "{now}")': f"version {version} has what is in use",
    }
    guard = "".join(
        f'{{{{ if {condition} }}}}{{{{ fail "{fault}" }}}}{{{{ end }}}}'
        for condition, fault in faults.items()
    )
    store = place.settings.store_name(place.bundle)
    reference = provider_of(place.settings.store_of(place.bundle)).reference(store)
    spec = {"secretStoreRef": reference, **found.spec}
    name = naming.older_version(place.secret)
    return one_shot_read(place.settings, _COMPONENT, name, spec, {"version": f"{guard}{version}"})


def newest_version(place: Place) -> list[Manifest]:
    """What makes a Secret of the number of the entry's newest version, and of nothing else; nothing
    where the provider can't be asked for it."""
    settings, store = place.settings, place.settings.store_name(place.bundle)
    account, identity = naming.secret_store(store, "read"), settings.identity_name(store, "read")
    provider = provider_of(settings.store_of(place.bundle))
    spec = provider.newest_version(account, identity, place.value.entry.key)
    if spec is None:
        return []
    name = naming.older_version(place.secret)
    generator = {
        "apiVersion": GENERATORS_API,
        "kind": "VaultDynamicSecret",
        "metadata": naming.metadata(settings, name, _COMPONENT),
    }
    reference = {"apiVersion": GENERATORS_API, "kind": generator["kind"], "name": name}
    source = {"dataFrom": [{"sourceRef": {"generatorRef": reference}}]}
    text = '{{ (index . "metadata" | fromJson).version }}'
    return [
        {**generator, "spec": spec},
        one_shot_read(settings, _COMPONENT, name, source, {"version": text}),
    ]


def source(place: Place, text: str) -> Manifest:
    """The Secret of the new value; beside another's key, of its hash alone."""
    compared = base64.b64decode(text) if place._is_decoded else text.encode()
    texts = {_COMPARES: compares(place._compared, hashlib.sha256(compared).hexdigest())}
    if place.is_own:
        texts[place.value.key] = text
    return one_shot_secret(place.settings, _COMPONENT, place.new, texts)


def push(place: Place, name: str) -> Manifest:
    """Writes the value of `new` or `before` into its entry."""
    metadata = naming.metadata(place.settings, name, _COMPONENT)
    return one_shot_push(place.settings, place.bundle, metadata, name, "Replace", [place.value])


def reading(place: Place, name: str, external_secret: Manifest) -> Manifest:
    """Is synced only if the store has the value of `new` or `before`; its Secret has the texts that
    compare those of the services' Secret, as this ExternalSecret of theirs would make them now."""
    settings, value = place.settings, place.value
    entry = value.entry._replace(before=())
    again = remote_values([value._replace(name=_COMPARES, entry=entry, way="reference")]).data
    spec = {**external_secret["spec"], "data": [*external_secret["spec"].get("data", []), *again]}
    lines = spec["target"]["template"]["data"]
    fields = settings.catalogue.bundles[place.bundle].fields.items()
    made_of_it = [field for field, keys in fields if value.key in keys]
    texts = {_COMPARES_TEXTS: "".join(comparison(one, lines[one]) for one in made_of_it)}
    found = one_shot_read(settings, _COMPONENT, f"{name}.check", spec, texts)
    condition = {"name": name, "items": [{"key": _COMPARES, "templateAs": "Values"}]}
    found["spec"]["target"]["template"]["templateFrom"] = [{"target": "Data", "secret": condition}]
    return found


def check(place: Place, name: str) -> Manifest:
    """Is synced only if the services' Secret has the value of `new` or `before`; where that is only
    a part of texts, after `reading`."""
    metadata = naming.metadata(place.settings, f"{name}.check", _COMPONENT)
    kept, text = (name, _COMPARES) if place.is_shown else (f"{name}.check", _COMPARES_TEXTS)
    return one_shot_check(place.settings, place.bundle, metadata, place.secret, kept, text)


def _stored(name: str) -> str:
    """The value as it is in the store."""
    return f'{{{{ index . "{name}" }}}}'


def _line(place: Place, name: str) -> str:
    """The value as it is compared."""
    return required(Source(name, f"{place.value.entry.key} is empty", place._is_decoded))


def _kept_by(place: Place, name: str, sources: Manifest, line: str, stored: str) -> Manifest:
    settings, value = place.settings, place.value
    texts = {_COMPARES: comparison(place._compared, line)}
    if place.is_own:
        texts[value.key] = stored
    reference = provider_of(settings.store_of(place.bundle)).reference(
        settings.store_name(place.bundle)
    )
    spec = {"secretStoreRef": reference, **sources}
    found = one_shot_read(settings, _COMPONENT, name, spec, texts)
    annotations = {KEY: value.key}
    return {**found, "metadata": {**found["metadata"], "annotations": annotations}}
