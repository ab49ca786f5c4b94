"""Who may write to stores as *seed*: the people of a group, once, from one Secret to one store.

Admission says so, since RBAC knows no content of an object. Which entries may be written is bounded
by that identity's rights at the provider.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.account_tokens import account_token_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.settings import Settings

_COMPONENT = "seeding"
_SPEC = "dyn(object.spec)"
_FIELDS = [
    "data",
    "deletionPolicy",
    "refreshInterval",
    "secretStoreRefs",
    "selector",
    "template",
    "updatePolicy",
]


def seeding_manifests(settings: Settings) -> list[Manifest]:
    """The bounds in a namespace; none where it has no store that can be seeded."""
    seeding = settings.environment.seeding
    stores = [
        naming.secret_store(store, "seed")
        for store in settings.environment.stores
        if "seed" in settings.identities(store)
    ]
    if seeding is None or not stores:
        return []
    is_member = f"request.userInfo.groups.exists(group, group in {cel(seeding.groups)})"
    pushes = {"only the groups of `seeding` in the stack file may write as seed": is_member}
    reads = {"nothing is read as seed: name the store of the read identity": "false"}
    policies = [
        _policy(settings, "pushsecrets", _may_write(stores), pushes | _one_shot(stores)),
        _policy(settings, "externalsecrets", _may_read(stores), reads),
    ]
    # To seed takes the right to create Secrets.
    tokens = account_token_manifests(
        settings,
        f"{settings.namespace}-seeding-account-tokens",
        _COMPONENT,
        seeding.groups,
        namespace=settings.namespace,
    )
    return policies + [naming.admission_binding(policy["metadata"]) for policy in policies] + tokens


def _may_write(stores: list[str]) -> str:
    """Whether a PushSecret may reach one of these SecretStores."""
    reached = f'has(store.labelSelector) || store.?name.orValue("") in {cel(stores)}'
    return f"{_SPEC}.secretStoreRefs.exists(store, {reached})"


def _may_read(stores: list[str]) -> str:
    """Whether an ExternalSecret names one of these SecretStores anywhere."""
    is_named = f'orValue("") in {cel(stores)}'
    parts = [
        f"{_SPEC}.?{each}.orValue([]).exists(one, one.?sourceRef.?storeRef.?name.{is_named})"
        for each in ("data", "dataFrom")
    ]
    return " || ".join([f"{_SPEC}.?secretStoreRef.?name.{is_named}", *parts])


def _one_shot(stores: list[str]) -> dict[str, str]:
    is_store = (
        f'store.?kind.orValue("") == "SecretStore" && store.?name.orValue("") in {cel(stores)}'
    )
    # Its message about what is wrong in a text may show what is in the Secret: people write none.
    ours = [naming.migration(""), naming.new_value(""), naming.value_before("")]
    is_comparison = f'{cel(ours)}.exists(ours, one.?secret.?name.orValue("").startsWith(ours))'
    texts = f"{_SPEC}.?template.?templateFrom.orValue([])"
    return {
        "it would be pushed again, or its entry deleted": (
            f'{_SPEC}.refreshInterval == "0s" && {_SPEC}.deletionPolicy == "None"'
        ),
        "its source is not one Secret by name": (
            f'{_SPEC}.selector.all(field, field == "secret") && '
            f'{_SPEC}.selector.secret.all(field, field == "name")'
        ),
        "it names more than one seed store": (
            f"{_SPEC}.secretStoreRefs.size() == 1 && "
            f"{_SPEC}.secretStoreRefs.all(store, !has(store.labelSelector) && {is_store})"
        ),
        "its template takes another object's texts": f"{texts}.all(one, {is_comparison})",
        "it has a field that no write as seed has": (
            f"{_SPEC}.all(field, field in {cel(_FIELDS)})"
        ),
    }


def _policy(settings: Settings, resource: str, condition: str, rules: dict[str, str]) -> Manifest:
    """About objects that are new, or that are to do something else than before."""
    is_new = 'request.operation == "CREATE"'
    matched = {
        "apiGroups": ["external-secrets.io"],
        "apiVersions": ["*"],
        "resources": [resource],
        "operations": ["CREATE", "UPDATE"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {
            "name": f"{settings.namespace}-seeding-{resource}",
            "labels": naming.labels(settings, _COMPONENT),
        },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": naming.namespace_selector(settings.namespace),
                "resourceRules": [matched],
            },
            "matchConditions": [
                {"name": "changes", "expression": f"{is_new} || {_SPEC} != dyn(oldObject.spec)"},
                {"name": "seed", "expression": condition},
            ],
            "validations": [
                {"expression": text, "message": sentence} for sentence, text in rules.items()
            ],
        },
    }
