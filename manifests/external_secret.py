"""An ExternalSecret per bundle: what the operator reads, and the Secret that it makes of it.

Each key passes through a template line that fails when the value is missing or empty: without it
the operator drops a missing property silently and stays Ready. On a failure the Secret keeps its
values.
"""

import hashlib
from collections.abc import Iterable

from manifests import naming
from manifests.naming import Entry, Manifest
from settings import AwsStore, Settings

_COMPONENT = "external-secret"
# How far an interval may be from the one in the settings: the operator itself has no jitter.
_SPREAD = 0.05


def external_secret_manifests(settings: Settings, bundle: str) -> list[Manifest]:
    """The bundle's ExternalSecret, and one for its derived keys where they need their own."""
    name = settings.catalogue.bundles[bundle].secret
    of_database, rotated = settings.database_key(bundle), settings.rotated_key(bundle)
    keys = {
        one: key
        for one, key in settings.catalogue.bundles[bundle].keys.items()
        if one not in (of_database, rotated)
    }
    store = settings.environment.stores[settings.store_name(bundle)]
    entries = naming.entries(settings, bundle)
    if store.layout == "bundle":
        key = naming.bundle_entry(settings, bundle)
        lines = {one: _required(one, f"{key} has no {one}") for one in keys}
        for current in (one for one in keys if keys[one].overlap):
            for derived in naming.derived_keys(current):
                lines[derived] = _with_fallback(derived, current, f"{key} has no {current}")
        source = {"dataFrom": [{"extract": {"key": key}}]} if lines else {}
        main = _external_secret(settings, bundle, name, source, _sorted(lines, entries))
        return [_with_rotated(settings, bundle, _with_database(main, of_database))]
    own = {one: found for one, found in entries.items() if one in keys}
    derived_entries = {one: found for one, found in entries.items() if one not in keys}
    main = _with_database(_per_key(settings, bundle, name, own), of_database)
    found = [_with_rotated(settings, bundle, main)]
    if derived_entries:
        found.append(_per_key(settings, bundle, naming.overlap_secret(name), derived_entries))
    return found


def _with_database(external_secret: Manifest, key: str | None) -> Manifest:
    """The ExternalSecret with the key that a database engine provides: both accounts' passwords are
    read, and the pointer's content makes the URL of the one in use."""
    if key is None:
        return external_secret
    spec = external_secret["spec"]
    pointer = {
        "name": naming.database_pointer(key),
        "items": [{"key": key, "templateAs": "Values"}],
    }
    template = {**spec["target"]["template"], "templateFrom": [{"configMap": pointer}]}
    generated = [
        {
            "sourceRef": {
                "generatorRef": {
                    "apiVersion": "generators.external-secrets.io/v1alpha1",
                    "kind": "VaultDynamicSecret",
                    "name": naming.database_generator(key, side),
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
    store = settings.environment.stores[settings.store_name(bundle)]
    if key is None or not isinstance(store, AwsStore) or store.database is None:
        return external_secret
    entry, spec = naming.rotated_entry(settings, key), external_secret["spec"]
    template = spec["target"]["template"]
    lines = {**template["data"], key: _url(key, entry, store.database.ssl_mode)}
    spec = {
        **spec,
        "target": {**spec["target"], "template": {**template, "data": lines}},
        "data": [*spec.get("data", []), {"secretKey": key, "remoteRef": {"key": entry}}],
    }
    return {**external_secret, "spec": spec}


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


def _per_key(settings: Settings, bundle: str, name: str, entries: dict[str, Entry]) -> Manifest:
    data = [{"secretKey": key, "remoteRef": _remote_ref(found)} for key, found in entries.items()]
    lines = {key: _required(key, f"{found.key} is empty") for key, found in entries.items()}
    return _external_secret(settings, bundle, name, {"data": data}, lines)


def _remote_ref(found: Entry) -> dict[str, str]:
    return {"key": found.key} | ({"property": found.property} if found.property else {})


def _external_secret(
    settings: Settings, bundle: str, name: str, source: Manifest, lines: dict[str, str]
) -> Manifest:
    annotations = naming.NEVER_PRUNED if settings.environment.protect else None
    store = naming.secret_store(settings.store_name(bundle), "read")
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": naming.metadata(settings, name, _COMPONENT, annotations),
        "spec": {
            "refreshPolicy": "Periodic",
            "refreshInterval": refresh_interval(settings, name),
            "secretStoreRef": {"kind": "SecretStore", "name": store},
            "target": {
                "name": name,
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                "template": {
                    "engineVersion": "v2",
                    "mergePolicy": "Replace",
                    "type": "Opaque",
                    # Set, so that nothing of the ExternalSecret's own metadata lands on the Secret.
                    "metadata": {"labels": naming.labels(settings, _COMPONENT)},
                    "data": lines,
                },
            },
            **source,
        },
    }


def refresh_interval(settings: Settings, name: str) -> str:
    """The interval of one ExternalSecret, in Go's own spelling: the same in every run, and up to
    5 % off the settings' one, so that a platform's reads do not all fall on one moment."""
    wanted = settings.environment.refresh_interval.total_seconds()
    digest = hashlib.sha256(f"{settings.namespace}/{name}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    seconds = max(1, round(wanted * (1 - _SPREAD + 2 * _SPREAD * share)))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _required(key: str, fault: str) -> str:
    return f'{{{{ $v := index . "{key}" }}}}{_or_fail(fault)}'


def _with_fallback(derived: str, current: str, fault: str) -> str:
    """A derived key has the current value until a rotation gives it one of its own."""
    fallback = f'{{{{ if not $v }}}}{{{{ $v = index . "{current}" }}}}{{{{ end }}}}'
    return f'{{{{ $v := index . "{derived}" }}}}{fallback}{_or_fail(fault)}'


def _or_fail(fault: str) -> str:
    return f'{{{{ if not $v }}}}{{{{ fail "{fault}" }}}}{{{{ end }}}}{{{{ $v }}}}'


def _sorted(lines: dict[str, str], order: Iterable[str]) -> dict[str, str]:
    return {key: lines[key] for key in order}
