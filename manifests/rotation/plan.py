"""What the rotator is told: every key with `rotate`, where it is kept, and who reads it."""

from base64 import b64encode
from datetime import date, time, timedelta
from typing import Any

from manifests import naming
from manifests.naming import Manifest
from manifests.providers import aws, vault
from manifests.providers.table import provider_of
from manifests.rotation import names
from manifests.rotation.names import GeneratedKey
from rotator import plan as rotators
from rotator.plan import Plan
from rotator.plan_texts import plan_texts
from settings import Key, Settings, time_zones
from settings.entries import is_overlap_apart
from settings.layout import overlap_secret
from settings.rotations import ByHand, Database, Generated
from settings.rotator import Window

LATEST_START_SECONDS = 6 * 3600
"""A run may start so much later than its schedule says."""


def plan_config_maps(settings: Settings) -> list[Manifest]:
    """The plan, as it is mounted into the rotator's pods; in several where it is long."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": naming.metadata(settings, names.part(names.PLAN, at), names.COMPONENT),
            "data": {f"{names.part('plan', at)}.json": text},
        }
        for at, text in enumerate(plan_texts(rotation_plan(settings)))
    ]


def push_metadata(settings: Settings, bundle: str) -> Manifest | None:
    """What a push tells the bundle's provider beside the value."""
    return provider_of(settings.store_of(bundle)).push_metadata


def rotation_plan(settings: Settings) -> Plan:
    """The plan as the rotator has it."""
    rotator = settings.environment.rotator
    generated = names.generated_keys(settings)
    return Plan(
        environment=settings.environment.environment,
        namespace=settings.namespace,
        labels=naming.labels(settings, names.COMPONENT),
        memory=names.MEMORY,
        longest_pause_seconds=_seconds(rotator.longest_pause) + LATEST_START_SECONDS,
        bundles_at_once=rotator.bundles_at_once,
        sync_seconds=_seconds(rotator.sync_deadline),
        rollout_seconds=_seconds(rotator.rollout_deadline),
        window=rotator.window and _window(rotator.window, rotator.time_zone),
        freezes=[
            rotators.Freeze(_day(freeze.start), _day(freeze.until), freeze.reason)
            for freeze in rotator.freezes
        ],
        keys={
            key.id: _key(settings, bundle, key.id, key, generated.get(key.id))
            for bundle, content in settings.catalogue.bundles.items()
            for key in content.keys.values()
            if key.rotate
        },
    )


def _window(window: Window, time_zone: str) -> rotators.Window:
    return rotators.Window(
        days=[*window.days],
        start=time.fromisoformat(window.start),
        until=time.fromisoformat(window.until),
        time_zone=time_zone,
        time_zone_rules=b64encode(time_zones.rules(time_zone)).decode(),
    )


def _key(
    settings: Settings, bundle: str, name: str, key: Key, generated: GeneratedKey | None
) -> rotators.Key:
    rule = key.rotate
    whose = {"name": name, "bundle": bundle, "owner": key.owner}
    whose["grace_seconds"] = _seconds(rule.grace) if rule else 0
    if isinstance(rule, Generated) and generated:
        return rotators.Generated(**whose, **_generated(settings, name, rule, generated))
    if isinstance(rule, Database) and settings.database_key(bundle) == name:
        return rotators.Database(**whose, **_database(settings, bundle, name, rule))
    if isinstance(rule, Database) and settings.rotated_key(bundle) == name:
        return rotators.SecretsManager(**whose, **_by_aws(settings, bundle, name, rule))
    limit, source = timedelta(0), "catalogue"
    if isinstance(rule, ByHand):
        limit, source = rule.max_age, rule.source or "catalogue"
    elif isinstance(rule, Database):
        limit = rule.every
    return rotators.ByHand(**whose, max_age_seconds=_seconds(limit), source=source)


def _generated(settings: Settings, name: str, rule: Generated, key: GeneratedKey) -> dict[str, Any]:
    secret = settings.catalogue.bundles[key.bundle].secret
    has_own = is_overlap_apart(settings, key.bundle, name)
    return {
        "every_seconds": _seconds(rule.every),
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


def _entry(found: naming.Entry | None) -> rotators.Entry | None:
    return rotators.Entry(found.key, found.property) if found else None


def _day(day: str | date) -> date:
    return date.fromisoformat(str(day))


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
