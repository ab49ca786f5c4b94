"""Which SecretStores and generators there may be in a namespace, and with what in them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from platform_secrets.manifests import naming
from platform_secrets.manifests.admission.policy import Policy, rule, rules_where
from platform_secrets.manifests.database import database_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.manifests.rotation.copies import copies_manifests
from platform_secrets.manifests.rotation.cron_jobs import generator_manifests
from platform_secrets.manifests.rotation.names import operator_keys
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.manifests.store_admission import CHANGES, SPEC, is_seeder
from platform_secrets.settings import Settings
from platform_secrets.settings.operator_releases import GENERATORS_API

_UNKNOWN = (
    "no such store or generator is declared here: there are those of `stores` in the stack file, "
    "and what `rotate` in the catalogue needs"
)
_OTHER = (
    "server, role, account or another field is not the declared one: change it in the stack file"
)
# The API server adds them where they are absent; none says whom the operator asks, or as whom.
_DEFAULTED = [
    "allowEmptyResponse",
    "encoding",
    "secretVersionSelectionPolicy",
    "sessionTagsPolicy",
    "useAzureSDK",
]
_OTHERS = "of-others"
_OLDER = f"VaultDynamicSecret/{naming.older_version('')}"


class _Declared(NamedTuple):
    """What an object is called, and what it has in it."""

    address: str
    shape: str
    leaves: str
    """The expression of every field with its content, as a list of texts."""
    contents: tuple[str, ...]
    """What that gives of the declared object."""


def store_policy(settings: Settings, view: Settings) -> Policy:
    """Of the SecretStores and generators in a namespace.

    What they have in them stands in a ClusterRole, not here: a changed policy is in force a second
    later, a changed ClusterRole at once.
    """
    declared = [*_all(settings, view)]
    forms = dict.fromkeys((one.shape, one.leaves) for one in declared)
    is_right = " || ".join(
        f"({shape} && variables.rules.exists(rule, rule.resourceNames.size() == {leaves}.size() && "
        f"{leaves}.all(leaf, leaf in rule.resourceNames)))"
        for shape, leaves in forms
    )
    others = f"variables.rules.exists(rule, {cel(_OTHERS)} in rule.verbs)"
    is_older = f"variables.called.startsWith({cel(_OLDER)}) && {is_seeder(view)}"
    return Policy(
        resources={"secretstores": "external-secrets.io", "*": GENERATORS_API.partition("/")[0]},
        conditions={
            "changes": CHANGES,
            # The operator notes in one what it has to take away again.
            "declared-by-people": 'request.resource.resource != "generatorstates"',
        },
        variables={
            "spec": SPEC,
            "defaulted": cel(_DEFAULTED),
            "kind": "string(dyn(object).kind)",
            "called": (
                f"variables.kind + {cel('/')} + "
                f"string(dyn(object.metadata).?name.orValue({cel('')}))"
            ),
            "address": f"{is_older} ? {cel(_OLDER)} : variables.called",
            "rules": rules_where("variables.address in rule.resources"),
        },
        refusals={
            _UNKNOWN: "variables.rules.size() > 0",
            _OTHER: f"variables.rules.size() == 0 || {others} || {is_right or 'false'}",
        },
        details=dict.fromkeys((_UNKNOWN, _OTHER), "variables.called"),
        rules=[*_rules(declared, view)],
    )


def _rules(declared: list[_Declared], view: Settings) -> Iterator[Manifest]:
    """One for all that have the same in them: of what draws values there may be thousands."""
    called: dict[tuple[str, ...], list[str]] = {}
    for one in declared:
        called.setdefault(one.contents, []).append(one.address)
    for contents, addresses in called.items():
        yield rule(addresses, [*contents], ["declared"])
    for name, store in view.environment.stores.items():
        reference = provider_of(store).reference(name)
        if store.is_others and reference["kind"] == "SecretStore":
            yield rule([f"SecretStore/{reference['name']}"], [reference["name"]], [_OTHERS])


def _all(settings: Settings, view: Settings) -> Iterator[_Declared]:
    for one in _objects(settings, view):
        yield _declared(f"{one['kind']}/{one['metadata']['name']}", one["spec"])
    for store in view.environment.stores:
        if "seed" in view.identities(store):
            yield from _of_older_versions(view, store)


def _declared(address: str, spec: Manifest) -> _Declared:
    kind = address.partition("/")[0]
    leaves = ['"kind=" + variables.kind', *(expression for _, expression, _ in _leaves(spec))]
    contents = (f"kind={kind}", *(f"{path}={text}" for path, _, text in _leaves(spec)))
    return _Declared(address, _shape("variables.spec", spec), f"[{', '.join(leaves)}]", contents)


def _objects(settings: Settings, view: Settings) -> Iterator[Manifest]:
    """Every SecretStore and generator that is declared in the namespace."""
    found: list[Manifest] = []
    for store in view.environment.stores:
        for identity in view.identities(store):
            found += store_manifests(view, store, identity)
    for bundle in view.bundles:
        found += database_manifests(view, bundle)
    if settings.has_rotation:
        for key in operator_keys(settings):
            found += generator_manifests(settings, key)
        found += copies_manifests(settings, rotation_plan(settings))
    for one in found:
        is_one = one["kind"] == "SecretStore" or one["apiVersion"] == GENERATORS_API
        if is_one and one["metadata"]["namespace"] == view.namespace:
            yield one


def _of_older_versions(view: Settings, store: str) -> Iterator[_Declared]:
    """What `secretsctl set` asks for the version of an entry with, whichever entry it is."""
    account, identity = naming.secret_store(store, "read"), view.identity_name(store, "read")
    provider = provider_of(view.environment.stores[store])
    if spec := provider.newest_version(account, identity, "*"):
        found = _declared(_OLDER, spec)
        path, any_entry = f"string(variables.spec.?path.orValue({cel('')}))", spec["path"]
        below = any_entry.removesuffix("*")
        leaf = (
            f"({path}.startsWith({cel(below)}) && !{path}.contains({cel('..')}) ? "
            f"{cel(any_entry)} : {path})"
        )
        yield found._replace(leaves=found.leaves.replace(path, leaf))


def _shape(path: str, declared: Mapping[str, Any]) -> str:
    """Whether a mapping has no other fields than these, and harmless ones."""
    fields = f"field in variables.defaulted || field in {cel([*declared])}"
    parts = [f"{path}{'' if path == 'variables.spec' else '.orValue({})'}.all(field, {fields})"]
    parts += [
        _shape(f"{path}.?{name}", content)
        for name, content in declared.items()
        if isinstance(content, Mapping)
    ]
    return " && ".join(parts)


def _leaves(declared: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str, str]]:
    """Each field that is no mapping: its path, the expression of both as a text, and its content as
    a text."""
    for name, content in declared.items():
        at = f"{path}.{name}" if path else name
        if isinstance(content, Mapping):
            yield from _leaves(content, at)
            continue
        found = f"variables.spec.?{at.replace('.', '.?')}.orValue({cel(type(content)())})"
        is_list = isinstance(content, list)
        text = f'{found}.map(one, string(one)).join(",")' if is_list else f"string({found})"
        yield at, f"{cel(f'{at}=')} + {text}", ",".join(content) if is_list else _text(content)


def _text(content: object) -> str:
    """As CEL writes it."""
    return str(content).lower() if isinstance(content, bool) else str(content)
