"""Who may do what to which Secret: every question is put to the rendered Roles and bindings."""

from itertools import product

import pytest
import yaml

from platform_secrets.manifests.access import reader_manifests, service_manifests
from tests.platform import CATALOGUE_FILE

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
ENVIRONMENTS = {"development", "staging", "production"}
RAW = yaml.load(CATALOGUE_FILE.read_text(), yaml.CSafeLoader)


def of_kind(stack, kind):
    return [one for one in stack.rendered_objects if one["kind"] == kind]


def is_covered(rule, verb, resource, name):
    """Kubernetes' own reading of a rule: an absent `resourceNames` means every object."""
    names = rule.get("resourceNames")
    return (
        ({"", "*"} & {*rule["apiGroups"]})
        and ({resource, "*"} & {*rule["resources"]})
        and ({verb, "*"} & {*rule["verbs"]})
        and (not names or name in names)
    )


def allowed(stack, resource, names):
    """Every (subject, verb, name) that the tree's RoleBindings grant on a core resource."""
    roles = {one["metadata"]["name"]: one["rules"] for one in of_kind(stack, "Role")}
    granted = set()
    for binding in of_kind(stack, "RoleBinding"):
        rules = roles[binding["roleRef"]["name"]]
        whom = [(one["kind"], one.get("namespace"), one["name"]) for one in binding["subjects"]]
        for verb, name in product(VERBS, names):
            if any(is_covered(rule, verb, resource, name) for rule in rules):
                granted |= {(who, verb, name) for who in whom}
    return granted


def secrets_of(stack):
    """The Secrets that exist in the environment, by the catalogue's bundle."""
    targets = [one["spec"]["target"]["name"] for one in of_kind(stack, "ExternalSecret")]
    generated = stack.tree.get("basic-secrets/kustomization.yaml", {"secretGenerator": []})
    targets += [one["name"] for one in generated["secretGenerator"]]
    return {
        name: [each for each in targets if each in (own["secret"], f"{own['secret']}-overlap")]
        for name, own in RAW["bundles"].items()
    }


def test_exactly_what_the_catalogue_says_is_allowed(stack):
    namespace = f"wren-{stack.content['environment']}"
    secrets = secrets_of(stack)
    every = {each for names in secrets.values() for each in names}
    accounts = {
        ("ServiceAccount", namespace, service["workload"].partition("/")[2]): {
            each for bundle in service["reads"] for each in secrets[bundle]
        }
        for service in RAW["services"].values()
    }
    people = {
        ("Group", None, group): every
        for group in stack.content.get("readers", {}).get("groups", [])
    }
    expected = {(who, "get", secret) for who, own in (accounts | people).items() for secret in own}
    assert len(every) >= len(RAW["bundles"])
    assert allowed(stack, "secrets", every | {"somebody-elses"}) == expected


def test_the_operator_may_ask_for_tokens_of_its_stores_accounts_and_of_no_other(any_stack):
    accounts = {one["metadata"]["name"] for one in of_kind(any_stack, "ServiceAccount")}
    kinds = ("SecretStore", "ECRAuthorizationToken", "GCRAccessToken", "ACRAccessToken")
    stores = {one["metadata"]["name"] for kind in kinds for one in of_kind(any_stack, kind)}
    operator = ("ServiceAccount", "external-secrets-system", "external-secrets")
    assert allowed(any_stack, "serviceaccounts/token", accounts | {"default"}) == {
        (operator, "create", store) for store in stores
    }


def test_every_rule_names_its_objects_and_no_rule_has_a_wildcard(any_stack):
    """A right to create can't name them; admission looks at what the rotator creates."""
    for role in of_kind(any_stack, "Role"):
        for rule in role["rules"]:
            if rule["verbs"] == ["create"] and role["metadata"]["name"] == "secrets-rotation":
                assert "resourceNames" not in rule
                continue
            assert rule["resourceNames"]
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
            assert "*" not in rule["resourceNames"]


def test_nobody_may_list_or_watch_or_change_secrets(any_stack):
    rules = [rule for role in of_kind(any_stack, "Role") for rule in role["rules"]]
    on_secrets = [rule for rule in rules if "secrets" in rule["resources"]]
    assert on_secrets
    assert {verb for rule in on_secrets for verb in rule["verbs"]} == {"get"}


def test_nothing_reaches_beyond_its_namespace(any_stack):
    kinds = {one["kind"] for one in any_stack.rendered_objects if one["kind"].startswith("Cluster")}
    assert kinds <= {"ClusterRole"}
    # They say what may be declared: no API serves their group.
    rules = [rule for role in of_kind(any_stack, "ClusterRole") for rule in role["rules"]]
    assert {group for rule in rules for group in rule["apiGroups"]} <= {"platform-secrets"}
    own = {view.namespace for view in any_stack.settings.by_namespace}
    for one in of_kind(any_stack, "Role") + of_kind(any_stack, "RoleBinding"):
        assert one["metadata"]["namespace"] in own
    for binding in of_kind(any_stack, "RoleBinding"):
        assert binding["roleRef"]["kind"] == "Role"


def test_a_binding_names_the_role_beside_it(any_stack):
    roles = {one["metadata"]["name"] for one in of_kind(any_stack, "Role")}
    bound = {one["roleRef"]["name"] for one in of_kind(any_stack, "RoleBinding")}
    assert bound <= roles
    unbound = set() if any_stack.content.get("readers") else {"secrets-reader"}
    assert roles - bound == unbound


def test_a_service_that_reads_nothing_has_no_role(any_stack):
    assert RAW["services"]["frontend"]["reads"] == []
    names = {one["metadata"]["name"] for one in of_kind(any_stack, "Role")}
    assert not [name for name in names if "frontend" in name]


def test_another_environment_is_nowhere_in_the_tree(stack):
    others = ENVIRONMENTS - {stack.content["environment"]}
    text = repr(stack.tree)
    assert stack.content["environment"] in text
    assert not [other for other in others if other in text]


def test_no_pod_gets_a_token_that_it_did_not_ask_for(any_stack):
    accounts = of_kind(any_stack, "ServiceAccount")
    assert accounts
    assert {one["automountServiceAccountToken"] for one in accounts} == {False}


def test_a_service_account_of_somebody_else_is_bound_but_not_declared(settings_with, shop):
    shop["services"]["web"] |= {"service-account": "existing", "service-account-name": "theirs"}
    settings = settings_with(catalogue=shop)
    role, binding = service_manifests(settings, "web", settings.catalogue.services["web"])
    assert [role["kind"], binding["kind"]] == ["Role", "RoleBinding"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "theirs", "namespace": "shop-test"}
    ]


def test_people_are_bound_as_groups_and_users_to_all_secrets_of_the_environment(settings_with):
    people = {"groups": ["shop-operators"], "users": ["ops@example.com"]}
    role, binding = reader_manifests(settings_with(readers=people))
    group = "rbac.authorization.k8s.io"
    assert binding["subjects"] == [
        {"kind": "Group", "name": "shop-operators", "apiGroup": group},
        {"kind": "User", "name": "ops@example.com", "apiGroup": group},
    ]
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["shop-secrets", "shop-billing"],
            "verbs": ["get"],
        }
    ]


@pytest.mark.parametrize("layout", ["bundle", "per-key"])
def test_the_secret_of_derived_keys_is_read_by_those_who_read_the_current_ones(
    layout, settings_with, vault
):
    settings = settings_with(stores={"vault": {**vault, "layout": layout}})
    _, role, _ = service_manifests(settings, "web", settings.catalogue.services["web"])
    own = {"bundle": ["shop-secrets"], "per-key": ["shop-secrets", "shop-secrets-overlap"]}
    assert role["rules"][0]["resourceNames"] == own[layout]
