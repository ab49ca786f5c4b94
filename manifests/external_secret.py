"""An ExternalSecret per bundle: what the operator reads, and the Secret that it makes of it.

Each key passes through a template line that fails when the value is missing or empty: without it
the operator drops a missing property silently and stays Ready. On a failure the Secret keeps its
values.
"""

import hashlib

from manifests import naming
from manifests.naming import Manifest
from manifests.remote_values import remote_values
from settings import AwsStore, Settings
from settings.entries import Kept, is_overlap_apart, kept
from settings.layout import overlap_secret

_COMPONENT = "external-secret"
# How far an interval may be from the one in the settings: the operator itself has no jitter.
_SPREAD = 0.05


def external_secret_manifests(settings: Settings, bundle: str) -> list[Manifest]:
    """The bundle's ExternalSecret, and one for its derived keys where they need their own."""
    name = settings.catalogue.bundles[bundle].secret
    main, derived = [], []
    for value in kept(settings, bundle):
        is_apart = value.name != value.key and is_overlap_apart(settings, bundle, value.key)
        (derived if is_apart else main).append(value)
    external_secret = _with_database(
        _of_values(settings, bundle, name, main), settings.database_key(bundle)
    )
    found = [_with_rotated(settings, bundle, external_secret)]
    if derived:
        found.append(_of_values(settings, bundle, overlap_secret(name), derived))
    return found


def reads_per_refresh(external_secret: Manifest) -> int:
    """How often the operator asks the provider each time that it refreshes this ExternalSecret."""
    spec = external_secret["spec"]
    return len(spec.get("data", [])) + len(spec.get("dataFrom", []))


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
    entry, spec = naming.rotated_entry(settings, bundle, key), external_secret["spec"]
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


def _of_values(settings: Settings, bundle: str, name: str, values: list[Kept]) -> Manifest:
    remote = remote_values(values)
    own = {value.key: value for value in values if value.name == value.key}
    lines: dict[str, str] = {}
    for value in values:
        source = remote.names[value.name]
        if value.name == value.key or value.key not in own:
            lines[value.name] = _required(source, _fault(value))
        else:
            current = remote.names[value.key]
            lines[value.name] = _with_fallback(source, current, _fault(own[value.key]))
    return _external_secret(settings, bundle, name, remote.spec, lines)


def _fault(value: Kept) -> str:
    """What the sync says where a value is missing."""
    place = value.entry
    if place.property is None or place.property == "value":
        return f"{place.key} is empty"
    return f"{place.key} has no {place.property}"


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
