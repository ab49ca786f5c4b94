"""What the rotator is told: every key with `rotate`, where it is kept, and who reads it."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

from manifests import naming
from manifests.naming import Entry, Manifest
from manifests.providers import aws, vault
from manifests.providers.table import provider_of
from manifests.rotation import names
from manifests.rotation.names import GeneratedKey
from settings import Key, Settings, time_zones
from settings.entries import is_overlap_apart
from settings.layout import overlap_secret
from settings.rotations import ByHand, Database, Generated
from settings.rotator import Window

LATEST_START_SECONDS = 6 * 3600
"""A run may start so much later than its schedule says."""


def plan_config_map(settings: Settings) -> Manifest:
    """The plan, as it is mounted into the rotator's pods."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": naming.metadata(settings, names.PLAN, names.COMPONENT),
        "data": {"plan.json": json.dumps(_plan(settings), indent=1) + "\n"},
    }


def push_metadata(settings: Settings, bundle: str) -> Manifest | None:
    """What a push tells the bundle's provider beside the value."""
    return provider_of(settings.store_of(bundle)).push_metadata


def _plan(settings: Settings) -> dict[str, Any]:
    rotator = settings.environment.rotator
    generated = names.generated_keys(settings)
    return {
        "environment": settings.environment.environment,
        "namespace": settings.namespace,
        "labels": naming.labels(settings, names.COMPONENT),
        "memory": names.MEMORY,
        "longest_pause_seconds": _seconds(rotator.longest_pause) + LATEST_START_SECONDS,
        "bundles_at_once": rotator.bundles_at_once,
        "sync_seconds": _seconds(rotator.sync_deadline),
        "rollout_seconds": _seconds(rotator.rollout_deadline),
        "window": _window(rotator.window, rotator.time_zone),
        "freezes": [
            {"from": freeze.start, "until": freeze.until, "reason": freeze.reason}
            for freeze in rotator.freezes
        ],
        "keys": {
            name: _key(settings, bundle, name, key, generated.get(name))
            for bundle, content in settings.catalogue.bundles.items()
            for name, key in content.keys.items()
            if key.rotate
        },
    }


def _window(window: Window | None, time_zone: str) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "days": window.days,
        "from": window.start,
        "until": window.until,
        "time_zone": time_zone,
        # So that the image needs none.
        "time_zone_rules": b64encode(time_zones.rules(time_zone)).decode(),
    }


def _key(
    settings: Settings, bundle: str, name: str, key: Key, generated: GeneratedKey | None
) -> dict[str, Any]:
    rule = key.rotate
    whose = {"bundle": bundle, "owner": key.owner}
    if isinstance(rule, Generated) and generated:
        return {"by": "generate", **whose, **_generated(settings, name, rule, generated)}
    if isinstance(rule, Database) and settings.database_key(bundle) == name:
        return {"by": "database", **whose, **_database(settings, bundle, name, rule)}
    if isinstance(rule, Database) and settings.rotated_key(bundle) == name:
        return {"by": "aws", **whose, **_by_aws(settings, bundle, name, rule)}
    by_hand = {"by": "hand", **whose}
    if isinstance(rule, ByHand):
        by_hand |= {"max_age_seconds": _seconds(rule.max_age), "source": rule.source or "catalogue"}
    elif isinstance(rule, Database):
        by_hand |= {"max_age_seconds": _seconds(rule.every), "source": "catalogue"}
    return {**by_hand, "grace_seconds": _seconds(rule.grace) if rule else 0}


def _generated(settings: Settings, name: str, rule: Generated, key: GeneratedKey) -> dict[str, Any]:
    secret = settings.catalogue.bundles[key.bundle].secret
    has_own = is_overlap_apart(settings, key.bundle, name)
    return {
        "every_seconds": _seconds(rule.every),
        "grace_seconds": _seconds(rule.grace),
        "overlap_seconds": _seconds(rule.overlap) if rule.overlap else None,
        "entry": _entry(key.current),
        "next": _entry(key.next),
        "previous": _entry(key.previous),
        "push_metadata": push_metadata(settings, key.bundle),
        "external_secret": secret,
        "store": key.store,
        "overlap_external_secret": overlap_secret(secret) if has_own else None,
        **_readers(settings, key.bundle),
    }


def _database(settings: Settings, bundle: str, name: str, rule: Database) -> dict[str, Any]:
    database = vault.engine(settings, settings.store_name(bundle))
    contents = {side: naming.pointer_content(database, side) for side in naming.SIDES if database}
    return {
        **_whole(settings, bundle, rule),
        "pointer": naming.database_pointer(name),
        "contents": contents,
    }


def _by_aws(settings: Settings, bundle: str, name: str, rule: Database) -> dict[str, Any]:
    store = settings.store_name(bundle)
    return {
        **_whole(settings, bundle, rule),
        "secret_id": naming.rotated_entry(settings, bundle, name),
        **aws.rotated_by_aws(settings, store, aws.rotating_store(settings, store)),
    }


def _whole(settings: Settings, bundle: str, rule: Database) -> dict[str, Any]:
    """What both kinds of a database's key have."""
    return {
        "every_seconds": _seconds(rule.every),
        "grace_seconds": _seconds(rule.grace),
        "external_secret": settings.catalogue.bundles[bundle].secret,
        "store": naming.secret_store(settings.store_name(bundle), "read"),
        **_readers(settings, bundle),
    }


def _readers(settings: Settings, bundle: str) -> dict[str, Any]:
    """The workloads to restart; and what else reads, where something does."""
    others = names.other_readers(settings, bundle)
    return {
        "readers": names.readers(settings, bundle),
        **({"not_restarted": others} if others else {}),
    }


def _entry(found: Entry | None) -> dict[str, Any] | None:
    return {"key": found.key, "property": found.property} if found else None


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
