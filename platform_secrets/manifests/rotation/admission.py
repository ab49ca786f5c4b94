"""Admission of what the rotator writes: a whitelist of whole shapes, one policy for each right.

RBAC can't say with which content an object may be created, nor which field of it may be patched.
Each of them looks at the rotator's requests alone and compares everything that is in them: a field
that the rotator does not need is refused, also one that a later release of the operator brings.
One more policy looks at everybody's: by a rotation store nobody else writes.
"""

from itertools import product

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.cel import Cel, among, both, cel, same
from platform_secrets.manifests.rotation.compared import fields_rule
from platform_secrets.manifests.rotation.looked_up import has_right, right_name
from platform_secrets.manifests.rotation.names import COMPONENT
from platform_secrets.manifests.rotation.one_shots import (
    external_secret_variables,
    one_shot_rules,
    push_secret_variables,
)
from platform_secrets.manifests.rotation.stamps import PRIVATE_STAMP, STAMP, only_stamps
from platform_secrets.manifests.store_admission import is_rotator, may_write, store_policy
from platform_secrets.rotator import contract
from platform_secrets.rotator.plan import RESERVED
from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import ROTATION

_OF_EVERY_WRITE = ["generation", "managedFields", "resourceVersion"]
_TOKEN_FORM = "^[0-9a-z.-]{1,100}$"  # noqa: S105 - of an annotation that is changed
_MEMORY_TEXT_LENGTH = 16384
_MARK_FORM = "^(back-)?to-[ab] [0-9]{4}-[0-9]{2}-[0-9]{2}([.][0-9]+)? [0-9a-f-]{36}$"
_TEMPLATES = "deprecated.daemonset.template.generation"
# Argo CD applies a CronJob before kinds that it does not know by name.
_FIRST = {"argocd.argoproj.io/sync-wave": "-1"}
_RESOURCES = {
    "externalsecrets": "external-secrets.io",
    "pushsecrets": "external-secrets.io",
    "deployments": "apps",
    "statefulsets": "apps",
    "daemonsets": "apps",
    "rollouts": "argoproj.io",
    "configmaps": "",
    "events": "",
}

Policy = tuple[dict[str, str], dict[str, str]]
"""Variables by name; conditions, each under the sentence of its refusal."""


def admission_manifests(settings: Settings) -> list[Manifest]:
    """A policy and its binding for each kind of write, and one for the stores. Cluster-wide, so the
    namespace is in their names; the rotator is met wherever it writes."""
    rules = one_shot_rules(settings)
    external_secrets = external_secret_variables(settings), {**rules, **fields_rule()}
    pushes = push_secret_variables(settings), rules
    workloads = ("deployments", "statefulsets", "daemonsets", "rollouts")
    policies = [
        _policy(settings, "one-shots", "CREATE", ("externalsecrets",), external_secrets),
        _policy(settings, "pushes", "CREATE", ("pushsecrets",), pushes),
        _policy(settings, "syncs", "UPDATE", ("externalsecrets", "pushsecrets"), _syncs()),
        _policy(settings, "restarts", "UPDATE", workloads, _restarts()),
        _policy(settings, "config-maps", "UPDATE", ("configmaps",), _config_maps(settings)),
        _policy(settings, "events", "CREATE", ("events",), _events()),
        *_stores(settings),
    ]
    return policies + [naming.admission_binding(one["metadata"]) for one in policies]


def _policy(
    settings: Settings, name: str, operation: str, resources: tuple[str, ...], policy: Policy
) -> Manifest:
    variables, conditions = policy
    return naming.admission_policy(
        _policy_metadata(settings, name),
        {resource: _RESOURCES[resource] for resource in resources},
        [operation],
        {"rotator": is_rotator(settings)},
        conditions,
        variables=variables,
    )


def _policy_metadata(settings: Settings, name: str) -> Manifest:
    return {
        "name": f"{settings.namespace}-rotation-{name}",
        "labels": naming.labels(settings, COMPONENT),
        "annotations": _FIRST,
    }


def _stores(settings: Settings) -> list[Manifest]:
    """The policy of who may write by the rotation stores; none where there are none."""
    found = [
        (view.namespace, naming.secret_store(store, "rotation"))
        for view, store in product(settings.by_namespace, settings.environment.stores)
        if "rotation" in view.identities(store)
    ]
    if not found:
        return []
    namespaces, stores = ([*dict.fromkeys(part)] for part in zip(*found, strict=True))
    rules = {f"only the account {ROTATION} writes by a rotation store": is_rotator(settings)}
    metadata = _policy_metadata(settings, "stores")
    return [store_policy(metadata, namespaces, "pushsecrets", may_write(stores), rules)]


def _syncs() -> Policy:
    token = contract.SYNC_TOKEN
    variables = {**both("Spec", "spec"), **_both_metadata()}
    return variables, {
        "the spec is changed": same("Spec", []),
        **_metadata([token]),
        **_is_token("Annotations", token),
    }


def _restarts() -> Policy:
    token = contract.RESTART_TOKEN
    variables = {
        **_both_metadata(),
        **both("Spec", "spec"),
        **both("Template", "spec.template"),
        **both("PodMetadata", "spec.template.metadata"),
        **both("PodAnnotations", "spec.template.metadata.annotations"),
        # The API server counts a DaemonSet's templates in an annotation, and takes no other count.
        "counted": f'request.resource.resource == "daemonsets" ? {cel([_TEMPLATES])} : []',
    }
    added = f"!(name in variables.oldLabels) && {PRIVATE_STAMP}"
    return variables, {
        **_metadata(Cel("variables.counted"), on_labels=added, on_annotations=PRIVATE_STAMP),
        "the spec is changed": same("Spec", ["template"]),
        "the pod's spec is changed": same("Template", ["metadata"]),
        "the pod's metadata is changed": same("PodMetadata", ["annotations"]),
        f"an annotation of the pod beside {token} is changed": same("PodAnnotations", [token]),
        **_is_token("PodAnnotations", token),
    }


def _both_metadata() -> dict[str, str]:
    return {
        **both("Metadata", "metadata"),
        **both("Labels", "metadata.labels"),
        **both("Annotations", "metadata.annotations"),
    }


def _metadata(
    own: list[str] | Cel, *, on_labels: str = STAMP, on_annotations: str = STAMP
) -> dict[str, str]:
    """An object's metadata stays, apart from `own` annotations and from stamps."""
    labels, annotations = (
        (f"variables.new{each}", f"variables.old{each}") for each in ("Labels", "Annotations")
    )
    return {
        "metadata is changed": same("Metadata", ["labels", "annotations", *_OF_EVERY_WRITE]),
        "a label is changed": only_stamps(*labels, [], on_labels),
        "an annotation is changed": only_stamps(*annotations, own, on_annotations),
    }


def _is_token(annotations: str, name: str) -> dict[str, str]:
    token = f"variables.new{annotations}[?{cel(name)}].orValue({cel('')})"
    return {f"{name} is no token": f"{token}.matches({cel(_TOKEN_FORM)})"}


def _config_maps(settings: Settings) -> Policy:
    entries = [*RESERVED, *(key.id for key in settings.keys.values() if key.key.rotate)]
    known, is_known = among("entry", entries)
    pointed = right_name(["object.metadata.name", "variables.fields[0]", "variables.content"])
    variables = {
        "newWhole": "dyn(object)",
        "oldWhole": "dyn(oldObject)",
        **_both_metadata(),
        "data": "dyn(object).?data.orValue({})",
        "oldData": "dyn(oldObject).?data.orValue({})",
        **known,
        "fields": f"variables.data.filter(field, field != {cel(contract.POINTER_MARK)})",
        "content": "variables.data[variables.fields[0]]",
    }
    mark = f"variables.data[?{cel(contract.POINTER_MARK)}]"
    is_memory = f"object.metadata.name == {cel(names.MEMORY)}"
    return variables, {
        "more than the data is changed": same("Whole", ["data", "metadata"]),
        **_metadata([]),
        "the memory holds other entries than its own, or too long ones": (
            # A key that has left the catalogue leaves its entry, which stays as it is. No list of
            # what is written: to go over such a one takes the square of its length.
            f"!({is_memory}) || variables.data.all(entry, entry in variables.oldData && "
            f"variables.data[entry] == variables.oldData[entry] || ({is_known}) && "
            f"variables.data[entry].size() <= {_MEMORY_TEXT_LENGTH})"
        ),
        "this is neither the memory nor a pointer to one of its two accounts": (
            f"{is_memory} || variables.fields.size() == 1 && "
            f"(!{mark}.hasValue() || {mark}.value().matches({cel(_MARK_FORM)})) && "
            + has_right("point", Cel(pointed))
        ),
    }


def _events() -> Policy:
    stamped = ["labels", "annotations"]
    metadata = ["name", "namespace", "creationTimestamp", "managedFields", "uid", *stamped]
    about = ["apiVersion", "kind", "name", "namespace", "uid"]
    fields = ["apiVersion", "kind", "metadata", "involvedObject", "reason", "message", "type"]
    fields += ["source", "count", "firstTimestamp", "lastTimestamp", "reportingComponent"]
    # Not written, but there: the API server's own form of an Event has them.
    fields += ["eventTime", "reportingInstance"]
    variables = {
        **both("Metadata", "metadata"),
        **both("About", "involvedObject"),
        "whole": "dyn(object)",
        "source": "dyn(object).?source.orValue({})",
        "reasons": cel([*contract.EVENT_REASONS]),
    }
    return variables, {
        "the metadata holds more than a name": " && ".join(
            [f"variables.newMetadata.all(field, field in {cel(metadata)})"]
            + [
                only_stamps(f"variables.newMetadata[?{cel(one)}].orValue({{}})", "{}", [])
                for one in stamped
            ]
        ),
        "this is about no ExternalSecret that is rotated": (
            f"variables.newAbout.all(field, field in {cel(about)}) && "
            'variables.newAbout.kind == "ExternalSecret" && '
            # Those that it has synced; others it may not change.
            "authorizer.group('external-secrets.io')"
            ".resource('externalsecrets').namespace(request.namespace)"
            ".name(variables.newAbout.name).check('patch').allowed()"
        ),
        "the event is not as the rotator writes it": (
            "object.reason in variables.reasons && "
            f"variables.source == {cel({'component': contract.EVENT_SOURCE})} && "
            f"variables.whole.all(field, field in {cel(fields)})"
        ),
    }
