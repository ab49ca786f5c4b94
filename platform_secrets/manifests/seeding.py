"""Who may write to stores as *seed*: the people of a group, once, from one Secret to one store.
They alone write the records of migrations, too.

Admission says so, since RBAC knows no content of an object. Which entries may be written is bounded
by that identity's rights at the provider.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.account_tokens import account_token_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.manifests.store_admission import SPEC, is_seeder, may_write, store_policy
from platform_secrets.settings import Settings

_COMPONENT = "seeding"
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
    is_member = is_seeder(settings)
    pushes = {"only the groups of `seeding` in the stack file may write as seed": is_member}
    reads = {"nothing is read as seed: name the store of the read identity": "false"}
    policies = [
        _policy(settings, "pushsecrets", may_write(stores), pushes | _one_shot(stores)),
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
    policies += _records(settings, is_member)
    return policies + [naming.admission_binding(policy["metadata"]) for policy in policies] + tokens


def _records(settings: Settings, is_member: str) -> list[Manifest]:
    """The policy of the migrations' records, whose gate is a template that the operator runs over
    the values: with another one than the empty one, a text goes into the Secret, and with one that
    fails, a value into an Event. None where nothing is migrated."""
    secrets = [
        settings.catalogue.bundles[bundle].secret
        for bundle in settings.bundles
        if bundle in settings.environment.migrating
    ]
    if not secrets:
        return []
    records = cel([naming.migration(secret) for secret in secrets])
    data, before = (f"dyn({one}).?data.orValue({{}})" for one in ("object", "oldObject"))
    gate, opened = cel(naming.MIGRATION_GATE), cel(naming.OPEN_GATE)
    is_as_before = f"{data} == (oldObject == null ? {{}} : {before})"
    rules = {
        "only the groups of `seeding` in the stack file may write a migration's record": (
            f"{is_as_before} || {is_member}"
        ),
        f"its {naming.MIGRATION_GATE} is not {naming.OPEN_GATE}: delete this ConfigMap, "
        "which somebody else wrote": (
            f"{data}.all(name, !name.startsWith({gate}) || {data}[name] == {opened})"
        ),
    }
    policy = naming.admission_policy(
        _metadata(settings, "migrations"),
        {"configmaps": ""},
        ["CREATE", "UPDATE"],
        {"record": f"object.metadata.name in {records}"},
        rules,
        namespaces=[settings.namespace],
    )
    return [policy]


def _may_read(stores: list[str]) -> str:
    """Whether an ExternalSecret names one of these SecretStores anywhere."""
    is_named = f'orValue("") in {cel(stores)}'
    parts = [
        f"{SPEC}.?{each}.orValue([]).exists(one, one.?sourceRef.?storeRef.?name.{is_named})"
        for each in ("data", "dataFrom")
    ]
    return " || ".join([f"{SPEC}.?secretStoreRef.?name.{is_named}", *parts])


def _one_shot(stores: list[str]) -> dict[str, str]:
    is_store = (
        f'store.?kind.orValue("") == "SecretStore" && store.?name.orValue("") in {cel(stores)}'
    )
    # Its message about what is wrong in a text may show what is in the Secret: people write none.
    ours = [naming.migration(""), naming.new_value(""), naming.value_before("")]
    is_comparison = f'{cel(ours)}.exists(ours, one.?secret.?name.orValue("").startsWith(ours))'
    texts = f"{SPEC}.?template.?templateFrom.orValue([])"
    return {
        "it would be pushed again, or its entry deleted": (
            f'{SPEC}.refreshInterval == "0s" && {SPEC}.deletionPolicy == "None"'
        ),
        "its source is not one Secret by name": (
            f'{SPEC}.selector.all(field, field == "secret") && '
            f'{SPEC}.selector.secret.all(field, field == "name")'
        ),
        "it names more than one seed store": (
            f"{SPEC}.secretStoreRefs.size() == 1 && "
            f"{SPEC}.secretStoreRefs.all(store, !has(store.labelSelector) && {is_store})"
        ),
        "its template takes another object's texts": f"{texts}.all(one, {is_comparison})",
        "it has a field that no write as seed has": (f"{SPEC}.all(field, field in {cel(_FIELDS)})"),
    }


def _policy(settings: Settings, resource: str, condition: str, rules: dict[str, str]) -> Manifest:
    metadata = _metadata(settings, resource)
    return store_policy(metadata, [settings.namespace], resource, condition, rules)


def _metadata(settings: Settings, name: str) -> Manifest:
    return {
        "name": f"{settings.namespace}-seeding-{name}",
        "labels": naming.labels(settings, _COMPONENT),
    }
