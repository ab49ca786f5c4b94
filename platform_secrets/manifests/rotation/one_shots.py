"""The one-shot objects as admission sees them: from an object's name follows its whole spec, but
for places in stores and names of Secrets, which a right of the rotator has to name.

Each spec is what the rotator itself makes (rotator/shapes.py), of a key with expressions as texts.
"""

from dataclasses import dataclass, replace

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import SIDES, Manifest
from platform_secrets.manifests.rotation.cel import Cel, cel, placeholder, table
from platform_secrets.manifests.rotation.compared import fields_variables
from platform_secrets.manifests.rotation.looked_up import has_right, joined
from platform_secrets.manifests.rotation.names import COMPONENT
from platform_secrets.manifests.rotation.plan import push_metadata
from platform_secrets.manifests.rotation.stamps import only_stamps
from platform_secrets.rotator import contract, shapes
from platform_secrets.rotator.keys import Database, Entry, Generated, Secrets, SecretsManager
from platform_secrets.rotator.plan import Plan
from platform_secrets.settings import Settings

_VERSION = "^uuid/[0-9A-Za-z-]{32,64}$"
_ID = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([.][0-9]+)?$"
_SERVER_FIELDS = ["creationTimestamp", "generation", "managedFields", "uid"]
*_FIELDS, _TEXT = (placeholder(f"variables.{one}") for one in fields_variables())
_KEY, _STORE, _ENTRY, _PROPERTY, _SECRET = (
    placeholder(f"variables.{part}") for part in ("key", "store", "entry", "property", "secret")
)
_WHOLE, _PART = Entry(_ENTRY, None), Entry(_ENTRY, _PROPERTY)


@dataclass(frozen=True)
class _Shapes:
    """The rotator's own objects, of a key of each kind."""

    plan: Plan
    generated: Generated
    database: Database
    versioned: SecretsManager


def external_secret_variables(settings: Settings) -> dict[str, str]:
    """`verb` and `right`: the right that the new ExternalSecret needs; `specs`: by verb, what its
    spec may be."""
    made = _shapes(settings)
    reference = "variables.spec.?data[?0].?remoteRef"
    return {
        **_name_parts("(before|staged)-[^.]+"),
        "store": _text("spec.?secretStoreRef.?name"),
        "entry": f'{reference}.?key.orValue("")',
        "property": f'{reference}.?property.orValue("")',
        "version": f'{reference}.?version.orValue("")',
        **fields_variables(),
        "generator": _text("spec.?dataFrom[?0].?sourceRef.?generatorRef.?kind"),
        "isCopy": has_right("copy", Cel(joined("key", "store"))),
        "verb": (
            'variables.step == "" ? "" : variables.isCopy ? "copy" : '
            'variables.generator == "VaultDynamicSecret" ? "account" : '
            'variables.generator != "" ? (variables.step == "staged" ? "generate" : "") : '
            f'variables.version.matches({cel(_VERSION)}) ? "version" : '
            'variables.step == "before" ? "current" : ""'
        ),
        "right": (
            'variables.generator != "" ? variables.key : variables.isCopy ? '
            f"{joined('key', 'store')} : {joined('key', 'store', 'entry', 'property')}"
        ),
        "specs": table(_external_secret_specs(made)),
    }


def _external_secret_specs(made: _Shapes) -> dict[str, list[Manifest] | Cel]:
    def current(entry: Entry) -> Manifest:
        return shapes.before(made.plan, replace(made.generated, entry=entry), "")["spec"]

    steps, elsewhere = ("before", "staged"), Secrets("", None, store=_STORE)
    forms = [replace(made.generated, form=form) for form in contract.GENERATORS]
    version = placeholder('variables.version.replace("uuid/", "")')
    staged, before = (
        [make(made.plan, made.database, "", side)["spec"] for side in SIDES]
        for make in (shapes.staged_account, shapes.before_account)
    )
    accounts = f'variables.step == "staged" ? {cel(staged)} : {cel(before)}'
    return {
        "generate": [shapes.staged(made.plan, key, "")["spec"] for key in forms],
        "current": [current(_WHOLE), current(_PART)],
        "copy": [
            shapes.copy(made.plan, made.generated, "", step, elsewhere)["spec"] for step in steps
        ],
        "account": Cel(accounts),
        "version": [
            shapes.version(made.plan, made.versioned, "", step, version)["spec"] for step in steps
        ],
    }


def push_secret_variables(settings: Settings) -> dict[str, str]:
    """The same of a new PushSecret, which pushes a value or checks the services' Secret."""
    made = _shapes(settings)
    pushes, checks = ("|".join(steps) for steps in (contract.PUSHES, contract.CHECKS))
    reference = "variables.spec.?data[?0].?match.?remoteRef"
    fields = {push: field for push, (field, _) in contract.PUSHES.items()}
    return {
        **_name_parts(f"({pushes})-[^.]+|({checks})-[^.]+([.][0-9]+)?"),
        "store": _text("spec.?secretStoreRefs[?0].?name"),
        "secret": _text("spec.?selector.?secret.?name"),
        "entry": f'{reference}.?remoteKey.orValue("")',
        "property": f'{reference}.?property.orValue("")',
        "metadataOf": table(_metadata_by_store(settings)),
        "pushes": table(_pushes(made)),
        "checks": table(_checks(made)),
        "fields": cel(fields),
        "isPush": "variables.step in variables.fields",
        "check": (
            'variables.step == "" || variables.isPush ? [] : variables.checks.filter(verb, '
            'verb.startsWith(variables.step + "-") && variables.checks[verb] == variables.spec)'
        ),
        "verb": (
            "variables.isPush ? variables.fields[variables.step] : "
            'variables.check.size() == 1 ? variables.check[0] : ""'
        ),
        "right": (
            f"variables.isPush ? {joined('key', 'store', 'entry', 'property')} : "
            + joined("key", "store", "secret")
        ),
        "specs": (
            "{variables.verb: variables.isPush ? variables.pushes[variables.step] : "
            "[variables.spec]}"
        ),
    }


def _pushes(made: _Shapes) -> dict[str, Cel]:
    """By step, what its spec may be: with the metadata that its store wants, or without any."""

    def specs(step: str, metadata: str | None) -> list[Manifest]:
        keys = [
            replace(made.generated, entry=at, next=at, previous=at, push_metadata=metadata)
            for at in (_WHOLE, _PART)
        ]
        return [shapes.push(made.plan, key, "", step)["spec"] for key in keys]

    of_store = placeholder("variables.metadataOf[variables.store]")
    return {
        step: Cel(
            f"variables.store in variables.metadataOf ? {cel(specs(step, of_store))} : "
            f"{cel(specs(step, None))}"
        )
        for step in contract.PUSHES
    }


def _checks(made: _Shapes) -> dict[str, Manifest]:
    """By the verb of its right, a check's spec."""
    return {
        contract.check_right(step, fields): shapes.checks(made.plan, key, "", step)[0]["spec"]
        for key in (made.generated, made.database, made.versioned)
        for step, fields in contract.checks(key).items()
    }


def _metadata_by_store(settings: Settings) -> dict[str, Manifest]:
    found = {
        naming.secret_store(settings.store_name(bundle), "rotation"): push_metadata(
            settings, bundle
        )
        for bundle in settings.catalogue.bundles
    }
    return {store: metadata for store, metadata in found.items() if metadata}


def _shapes(settings: Settings) -> _Shapes:
    whose = {
        "name": _KEY,
        "shown": "",
        "bundle": "",
        "owner": None,
        "every_seconds": 0,
        "grace_seconds": 0,
        "external_secret": _SECRET,
        "store": _STORE,
        "readers": [],
    }
    urls = dict.fromkeys(("region", "credentials", "secrets_manager"), "")
    plan = Plan(
        environment="",
        namespace=settings.namespace,
        labels=naming.labels(settings, COMPONENT),
        memory="",
        longest_pause_seconds=0,
        bundles_at_once=1,
        sync_seconds=0,
        rollout_seconds=0,
        window=None,
        freezes=[],
        keys={},
    )
    return _Shapes(
        plan,
        Generated(
            **whose,
            fields=_FIELDS,
            overlap_seconds=1,
            entry=_PART,
            **dict.fromkeys(("next", "previous"), _PART),
            push_metadata=None,
            overlap_external_secret=None,
            text=_TEXT,
        ),
        Database(**whose, fields=_FIELDS[:1], pointer="", contents={}),
        SecretsManager(**whose, **urls, fields=_FIELDS[:1], secret_id=_ENTRY, role=None),
    )


def _text(path: str) -> str:
    return f'variables.{path}.orValue("")'


def _name_parts(form: str) -> dict[str, str]:
    """Step and key of a name such as rotation-staged-KEY, or rotation-promoted-KEY.1, whose rest
    has this form; empty texts for any other name."""
    return {
        "metadata": "dyn(object.metadata)",
        "spec": "dyn(object.spec)",
        "step": f'object.metadata.name.matches("^rotation-({form})$") ? '
        'object.metadata.name.split("-")[1] : ""',
        "key": 'variables.step == "" ? "" : '
        'object.metadata.name.substring(("rotation-" + variables.step + "-").size())'
        '.split(".")[0]',
    }


def one_shot_rules(settings: Settings) -> dict[str, str]:
    """Nothing but the expected spec, our labels, one annotation, and stamps: no owner, no
    finalizer."""
    allowed = ["name", "namespace", "labels", "annotations", *_SERVER_FIELDS]
    labels, annotations = (
        f"variables.metadata[?{cel(each)}].orValue({{}})" for each in ("labels", "annotations")
    )
    permitted = has_right(Cel("variables.verb"), Cel("variables.right"))
    rotation_id = contract.ROTATION_ID
    return {
        "no such object is made": f'variables.verb != "" && {permitted}',
        "the spec is not the one that goes with the name": (
            "variables.verb in variables.specs && "
            "variables.specs[variables.verb].exists(spec, variables.spec == spec)"
        ),
        "there is more than metadata and spec": (
            f"dyn(object).all(field, field in {cel(['apiVersion', 'kind', 'metadata', 'spec'])})"
        ),
        "the metadata holds more than name, labels and annotations": (
            f"variables.metadata.all(field, field in {cel(allowed)})"
        ),
        "the labels are not the rotation's": (
            only_stamps(labels, cel(naming.labels(settings, COMPONENT)), [])
        ),
        "the annotations are not the rotation's": (only_stamps(annotations, "{}", [rotation_id])),
        "no annotation says the rotation's day": (
            f'{annotations}[?{cel(rotation_id)}].orValue("").matches("{_ID}")'
        ),
    }
