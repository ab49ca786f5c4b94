"""What each Kubernetes Secret of an environment holds, and where each of its values comes from."""

from collections.abc import Iterator
from dataclasses import dataclass

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import rotated_entry
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.rotator.contract import one_shot
from platform_secrets.settings import Bundle, Settings
from platform_secrets.settings.entries import Kept, kept, token_output, whole_entries
from platform_secrets.settings.layout import Kind, overlap_secret
from platform_secrets.settings.secret_kinds import DOCKER_CONFIG_KEY

Place = tuple[object, str, str | None]
"""Where a value is kept: the provider's address, the entry, and the property in it. Two keys with a
place in common have one value."""

EVERYTHING = "*"
"""The property that stands for all that an entry holds."""


@dataclass(frozen=True)
class Field:
    """One field of a Secret. Equal fields hold equal values."""

    keys: tuple[str, ...]
    """The keys of which it is made, as bundle/key."""
    sources: tuple[tuple[Place, str | None], ...]
    """Where the values are, each with the version that is read; the newest without one."""
    form: str = ""
    """How the field is made of them; empty where it is the one value."""


@dataclass(frozen=True)
class HeldSecret:
    """One Secret."""

    address: str
    """Namespace and name."""
    bundle: str
    type: str
    fields: dict[str, Field]
    is_kept: bool
    """Whether it stays in the cluster when it is no longer declared."""

    @property
    def places(self) -> frozenset[Place]:
        """Whose values can be had from it."""
        return frozenset(place for field in self.fields.values() for place, _ in field.sources)


def key_places(settings: Settings) -> dict[str, frozenset[Place]]:
    """By bundle/key the places of its value, of those that are derived from it, too."""
    found: dict[str, set[Place]] = {}
    for bundle, content in settings.catalogue.bundles.items():
        for key in content.keys:
            found[f"{bundle}/{key}"] = set()
        for value in _values(settings, bundle):
            found[f"{bundle}/{value.key}"].update(place for place, _ in value.sources)
        for name, field in _whole(settings, bundle).items():
            found[f"{bundle}/{name}"] = {place for place, _ in field.sources}
    return {key: frozenset(places) for key, places in found.items()}


def held_secrets(settings: Settings) -> dict[str, HeldSecret]:
    """Every Secret that the environment asks for, by its address."""
    found: dict[str, HeldSecret] = {}
    env = settings.environment
    for bundle, content in settings.catalogue.bundles.items():
        main: dict[str, Field] = {}
        apart: dict[str, Field] = {}
        own: dict[str, _Value] = {}
        for value in _values(settings, bundle):
            key, sources = (f"{bundle}/{value.key}",), value.sources
            if value.name == value.key:
                own[value.key] = value
                if value.key in content.shown:
                    main[value.key] = Field(key, sources, value.form)
            else:
                current = () if value.is_apart else own[value.key].sources
                (apart if value.is_apart else main)[value.name] = Field(key, sources + current)
        main |= _made_of_keys(bundle, content, own) | _whole(settings, bundle)
        namespace, name = settings.namespace_of(bundle), content.secret
        # A basic Secret is forgotten by Pulumi, and pruned by nobody.
        is_kept = env.protect or env.secrets == "basic" or content.creation == "orphan"
        secrets = [(name, content.secret_type, main), (overlap_secret(name), "Opaque", apart)]
        for each, type, fields in secrets:
            if fields:
                address = f"{namespace}/{each}"
                found[address] = HeldSecret(address, bundle, type, fields, is_kept)
    return found


def passing_secrets(settings: Settings) -> dict[str, frozenset[Place]]:
    """The Secrets that hold a key's values during its rotation, by their addresses."""
    places = key_places(settings)
    return {
        f"{settings.namespace_of(bundle)}/{one_shot(step, key.id)}": places[name]
        for name, key in (settings.keys if settings.has_rotation else {}).items()
        for bundle in (key.bundles if key.kind is Kind.GENERATED else ())
        for step in ("before", "staged")
    }


_Sources = tuple[tuple[Place, str | None], ...]


@dataclass(frozen=True)
class _Value:
    """A value of a bundle, also one that is in no entry."""

    name: str
    key: str
    sources: _Sources
    form: str = ""
    is_apart: bool = False


def _values(settings: Settings, bundle: str) -> Iterator[_Value]:
    """Every value of a bundle, a key's own before those that are derived from it."""
    content = settings.catalogue.bundles[bundle]
    forms = {
        name: "" if key.stored_as == "text" else "base64" for name, key in content.keys.items()
    }
    if settings.environment.secrets == "basic":
        for name in content.keys:
            id = settings.catalogue.key_id(f"{bundle}/{name}")
            yield _Value(name, name, (((("basic",), str(id), None), None),), forms[name])
        return
    store = settings.store_of(bundle)
    address = provider_of(store).address
    if store.outputs:
        for name in content.keys:
            output = token_output(settings, bundle, name)
            place = (address, f"token of {bundle}", output)
            yield _Value(name, name, ((place, None),), forms[name])
        return
    for one in kept(settings, bundle):
        form = forms[one.key]
        yield _Value(one.name, one.key, _sources(address, one), form, one.is_apart)
    if store.engine and (key := settings.database_key(bundle)):
        paths = database_paths(settings, settings.store_name(bundle))
        sources = tuple(((address, path, None), None) for path in paths)
        yield _Value(key, key, sources, naming.pointer_content(store.engine, "a"))
    if store.rotated_database and (key := settings.rotated_key(bundle)):
        entry = rotated_entry(settings, bundle, key)
        yield _Value(key, key, (((address, entry, None), None),), store.rotated_database.ssl_mode)


def database_paths(settings: Settings, store: str) -> list[str]:
    """Where a store's database engine gives the passwords of its two accounts."""
    engine = settings.environment.stores[store].engine
    names = [settings.name_at_provider(store, side) for side in naming.SIDES]
    return [f"{engine.mount}/static-creds/{name}" for name in names] if engine else []


def _sources(address: object, value: Kept) -> _Sources:
    found = value.entry
    return tuple(((address, entry, found.property), found.version) for entry in value.entries)


def _made_of_keys(bundle: str, content: Bundle, own: dict[str, _Value]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for name, parts in content.parts.items():
        form = content.texts.get(name, "")
        if name == DOCKER_CONFIG_KEY and content.registries:
            form = repr(sorted((host, repr(one)) for host, one in content.registries.items()))
        keys = tuple(dict.fromkeys(parts))
        sources = tuple(source for key in keys for source in own[key].sources)
        form = f"{[own[key].form for key in keys]} {form}"
        found[name] = Field(tuple(f"{bundle}/{key}" for key in keys), sources, form)
    return found


def _whole(settings: Settings, bundle: str) -> dict[str, Field]:
    """All that is in an entry, as one field."""
    if settings.environment.secrets == "basic":
        return {}
    if not (entries := whole_entries(settings, bundle)):
        return {}
    address = provider_of(settings.store_of(bundle)).address
    sources = tuple(((address, entry, EVERYTHING), None) for entry in entries)
    return {EVERYTHING: Field((), sources, "whole")}
