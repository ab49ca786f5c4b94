"""An ExternalSecret per bundle: what the operator reads, and the Secret that it makes of it.

A value that is missing or empty fails the sync (manifests/secret_template.py), and the Secret keeps
its values.
"""

import hashlib
from collections.abc import Mapping

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import refresh_period, rotated_entry
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.remote_values import remote_values
from platform_secrets.manifests.secret_template import (
    Source,
    docker_config_line,
    literal,
    required,
    text_line,
    with_fallback,
)
from platform_secrets.settings import Bundle, Settings
from platform_secrets.settings.entries import Kept, kept, token_output, whole_entries
from platform_secrets.settings.layout import overlap_secret
from platform_secrets.settings.operator_releases import EXTERNAL_SECRETS_API, GENERATORS_API
from platform_secrets.settings.secret_kinds import DOCKER_CONFIG_KEY

_COMPONENT = "external-secret"
# How far an interval may be from the one in the settings: the operator itself has no jitter.
_SPREAD = 0.05


def external_secret_manifests(settings: Settings, bundle: str) -> list[Manifest]:
    """The bundle's ExternalSecret, and one for its derived keys where they need their own."""
    name = settings.catalogue.bundles[bundle].secret
    if settings.store_of(bundle).outputs:
        return [_of_token(settings, bundle)]
    values = kept(settings, bundle)
    main, derived = ([one for one in values if one.is_apart is apart] for apart in (False, True))
    external_secret = _with_database(settings, bundle, _of_values(settings, bundle, name, main))
    found = [_with_rotated(settings, bundle, external_secret)]
    if bundle in settings.environment.migrating:
        found = [_with_gate(found[0], provider_of(settings.store_of(bundle)).address)]
    if derived:
        found.append(_of_values(settings, bundle, overlap_secret(name), derived))
    return found


def reads_per_refresh(external_secret: Manifest) -> int:
    """How often the operator asks the provider each time that it refreshes this ExternalSecret."""
    spec = external_secret["spec"]
    return len(spec.get("data", [])) + len(spec.get("dataFrom", []))


def _with_database(settings: Settings, bundle: str, external_secret: Manifest) -> Manifest:
    """The ExternalSecret with the key that a database engine provides: both accounts' passwords are
    read, and the pointer's content makes the URL of the one in use."""
    key = settings.database_key(bundle)
    if key is None:
        return external_secret
    id, spec = settings.catalogue.bundles[bundle].keys[key].id, external_secret["spec"]
    pointer = {
        "name": naming.database_pointer(id),
        "items": [{"key": key, "templateAs": "Values"}],
    }
    template = {**spec["target"]["template"], "templateFrom": [{"configMap": pointer}]}
    generated = [
        {
            "sourceRef": {
                "generatorRef": {
                    "apiVersion": GENERATORS_API,
                    "kind": "VaultDynamicSecret",
                    "name": naming.database_generator(id, side),
                }
            },
            "rewrite": [{"regexp": {"source": "(.*)", "target": f"{side}_$1"}}],
        }
        for side in naming.SIDES
    ]
    spec = {
        **spec,
        "target": {**spec["target"], "template": {k: v for k, v in template.items() if v}},
        "dataFrom": [*spec.get("dataFrom", []), *generated],
    }
    return {**external_secret, "spec": {k: v for k, v in spec.items() if v}}


def _with_rotated(settings: Settings, bundle: str, external_secret: Manifest) -> Manifest:
    """The ExternalSecret with the key that Secrets Manager rotates: a URL, of the entry's JSON.

    While a part of that is missing the sync fails, and the Secret keeps its values.
    """
    key = settings.rotated_key(bundle)
    database = settings.store_of(bundle).rotated_database
    if key is None or database is None:
        return external_secret
    entry, spec = rotated_entry(settings, bundle, key), external_secret["spec"]
    template = spec["target"]["template"]
    lines = {**template.get("data", {}), key: _url(key, entry, database.ssl_mode)}
    spec = {
        **spec,
        "target": {**spec["target"], "template": {**template, "data": lines}},
        "data": [*spec.get("data", []), {"secretKey": key, "remoteRef": {"key": entry}}],
    }
    return {**external_secret, "spec": spec}


def _with_gate(external_secret: Manifest, address: tuple[object, ...]) -> Manifest:
    """The ExternalSecret that fails, and so leaves its Secret as it is, until the migration's
    record has an entry. That is a template which adds nothing."""
    spec = external_secret["spec"]
    sources = [*map(str, address), *map(spec.get, ("secretStoreRef", "data", "dataFrom"))]
    items = [{"key": naming.migration_gate(sources), "templateAs": "KeysAndValues"}]
    record = {"name": naming.migration(spec["target"]["name"]), "items": items}
    template = {**spec["target"]["template"], "templateFrom": [{"configMap": record}]}
    return {
        **external_secret,
        "spec": {**spec, "target": {**spec["target"], "template": template}},
    }


def _url(key: str, entry: str, ssl_mode: str) -> str:
    parts = ("username", "password", "host", "port", "dbname")
    fault = f"{entry} is no JSON with {', '.join(parts)}"
    missing = " ".join(f"(not $v.{part})" for part in parts)
    checked = f'{{{{ if or (not $v) {missing} }}}}{{{{ fail "{fault}" }}}}{{{{ end }}}}'
    user, password = (f"{{{{ $v.{one} | {naming.URL_ENCODED} }}}}" for one in parts[:2])
    place = "{{ $v.host }}:{{ $v.port }}/{{ $v.dbname }}"
    return (
        f'{{{{ $v := index . "{key}" | fromJson }}}}{checked}'
        f"postgresql://{user}:{password}@{place}?sslmode={ssl_mode}"
    )


def _of_values(settings: Settings, bundle: str, name: str, values: list[Kept]) -> Manifest:
    content = settings.catalogue.bundles[bundle]
    is_own = name == content.secret
    remote = remote_values(values, whole_entries(settings, bundle) if is_own else ())
    own = {value.key: value for value in values if value.name == value.key}
    sources = {
        key: Source(
            remote.names[key], missing_value_text(value), content.keys[key].stored_as == "base64"
        )
        for key, value in own.items()
    }
    lines: dict[str, str] = {}
    shown = content.shown
    for value in values:
        source = remote.names[value.name]
        if value.name != value.key and value.key in own:
            lines[value.name] = with_fallback(source, sources[value.key])
        elif value.name != value.key:
            lines[value.name] = required(Source(source, missing_value_text(value)))
        elif value.key in shown:
            lines[value.name] = required(sources[value.key])
    if is_own:
        lines |= _made_of_keys(content, sources)
    return _external_secret(settings, bundle, name, remote.spec, lines)


def _of_token(settings: Settings, bundle: str) -> Manifest:
    """Each refresh asks for a new token."""
    content, store = settings.catalogue.bundles[bundle], settings.store_name(bundle)
    reference = provider_of(settings.store_of(bundle)).reference(store)
    sources: dict[str, Source] = {}
    for key in content.keys:
        output = token_output(settings, bundle, key)
        sources[key] = Source(output, f"the token of store {store} has no {output}")
    lines = {key: required(sources[key]) for key in content.shown}
    lines |= _made_of_keys(content, sources)
    source = {"dataFrom": [{"sourceRef": {"generatorRef": reference}}]}
    return _external_secret(settings, bundle, content.secret, source, lines)


def _made_of_keys(content: Bundle, sources: Mapping[str, Source]) -> dict[str, str]:
    lines = {name: text_line(text, sources) for name, text in content.texts.items()}
    if content.registries:
        lines[DOCKER_CONFIG_KEY] = docker_config_line(content, sources)
    return lines


def missing_value_text(value: Kept) -> str:
    """What the sync says where a value is missing."""
    place = value.entry
    if place.before:
        return f"none of {', '.join(value.entries)} has {place.property}"
    if place.property is None or place.property == "value":
        return f"{place.key} is empty"
    return f"{place.key} has no {place.property}"


def _external_secret(
    settings: Settings, bundle: str, name: str, source: Manifest, lines: dict[str, str]
) -> Manifest:
    annotations = naming.NEVER_PRUNED if settings.environment.protect else None
    content, store = settings.catalogue.bundles[bundle], settings.store_of(bundle)
    reference = provider_of(store).reference(settings.store_name(bundle))
    is_own, interval = name == content.secret, refresh_interval(settings, bundle, name)
    return {
        "apiVersion": EXTERNAL_SECRETS_API,
        "kind": "ExternalSecret",
        "metadata": naming.metadata(settings, name, _COMPONENT, annotations),
        "spec": {
            # With an interval of 0 a periodic one would not even look when somebody asks.
            "refreshPolicy": "OnChange" if interval == "0s" else "Periodic",
            "refreshInterval": interval,
            **({} if store.outputs else {"secretStoreRef": reference}),
            "target": {
                "name": name,
                "creationPolicy": content.creation.capitalize(),
                "deletionPolicy": content.deletion.capitalize(),
                "template": {
                    "engineVersion": "v2",
                    "mergePolicy": "Merge" if is_own and content.whole_entry else "Replace",
                    "type": content.secret_type if is_own else "Opaque",
                    # Set, so that nothing of the ExternalSecret's own metadata lands on the Secret.
                    "metadata": _metadata(settings, content if is_own else None),
                    **({"data": lines} if lines else {}),
                },
            },
            **source,
        },
    }


def _metadata(settings: Settings, bundle: Bundle | None) -> Manifest:
    """What the Secret's metadata are made of; they are templates too."""
    labels = naming.labels(settings, _COMPONENT)
    if bundle is None:
        return {"labels": labels}
    annotations = {name: literal(text) for name, text in bundle.annotations.items()}
    found: Manifest = {"labels": {**labels, **bundle.labels}}
    return {**found, "annotations": annotations} if annotations else found


def refresh_interval(settings: Settings, bundle: str, name: str) -> str:
    """The interval of one ExternalSecret, in Go's own spelling: the same in every run, and up to
    5 % off the settings' one, so that a platform's reads do not all fall on one moment. With 0 the
    operator reads only when the ExternalSecret changes or somebody asks for it."""
    wanted = refresh_period(settings, bundle).total_seconds()
    if wanted == 0:
        return "0s"
    digest = hashlib.sha256(f"{settings.namespace}/{name}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    seconds = max(1, round(wanted * (1 - _SPREAD + 2 * _SPREAD * share)))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
