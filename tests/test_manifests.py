"""The core's other objects: namespaces, network policies, and the operator's chart."""

import copy

import pytest

from platform_secrets.manifests.eso import chart_values, operator_namespace
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.namespace import namespace_manifests
from platform_secrets.manifests.network import operator_policies
from platform_secrets.secretsctl.projects import rotator_source

AWS = {"provider": "aws", "region": "eu-central-1", "account-id": "123456789012"}
LEVELS = ("enforce", "audit", "warn")
NEVER_PRUNED = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def security(namespace):
    """The Pod Security levels that a Namespace enforces, audits and warns of."""
    labels = namespace["metadata"]["labels"]
    return [labels[f"pod-security.kubernetes.io/{level}"] for level in LEVELS]


def labels(component):
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "platform-secrets",
        "app.kubernetes.io/part-of": "shop",
        "platform-secrets/environment": "test",
    }


def test_the_environment_s_namespace_admits_what_runs_there_and_warns_of_the_rest(settings_with):
    [namespace] = namespace_manifests(settings_with())
    assert namespace["metadata"]["name"] == "shop-test"
    assert security(namespace) == ["baseline", "restricted", "restricted"]
    assert labels("namespace").items() <= namespace["metadata"]["labels"].items()


def test_the_pod_security_levels_are_a_setting(settings_with):
    levels = {"enforce": "restricted", "audit": "baseline", "warn": "privileged"}
    [namespace] = namespace_manifests(settings_with(pod_security=levels))
    assert security(namespace) == ["restricted", "baseline", "privileged"]


def test_a_namespace_of_somebody_else_is_not_declared(settings_with):
    assert namespace_manifests(settings_with(namespace="existing")) == []


def test_everything_is_in_the_namespace_that_the_settings_name(settings_with):
    settings = settings_with(namespace="existing", namespace_name="theirs", operator="existing")
    objects = [one for wave in waves(settings, rotator_source()) for one in wave.objects]
    assert {one["metadata"].get("namespace", "theirs") for one in objects} == {"theirs"}
    cluster_wide = [
        one["metadata"]["name"] for one in objects if "namespace" not in one["metadata"]
    ]
    assert cluster_wide
    assert not [name for name in cluster_wide if not name.startswith("theirs-rotation-")]


def test_no_namespace_is_ever_pruned(any_stack):
    namespaces = [one for one in any_stack.rendered_objects if one["kind"] == "Namespace"]
    assert namespaces
    assert all(one["metadata"]["annotations"] == NEVER_PRUNED for one in namespaces)


def test_the_operator_s_namespace_is_restricted(settings_with):
    namespace = operator_namespace(settings_with(operator_namespace="eso"))
    assert namespace["metadata"]["name"] == "eso"
    assert security(namespace) == ["restricted"] * 3


def test_every_object_carries_the_labels_that_find_it(any_stack):
    for one in any_stack.rendered_objects:
        found = one["metadata"]["labels"]
        assert found["app.kubernetes.io/managed-by"] == "platform-secrets"
        assert found["app.kubernetes.io/part-of"] == any_stack.settings.catalogue.platform
        assert found["platform-secrets/environment"] == any_stack.content["environment"]


def test_the_operator_s_pods_reach_dns_and_the_api_server_and_the_controller_the_stores(
    settings_with,
):
    metadata = {"namespace": "external-secrets-system", "labels": labels("network")}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    dns = {
        "to": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
            {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}
                }
            },
            {"ipBlock": {"cidr": "169.254.0.0/16"}},
        ],
        "ports": [
            {"protocol": protocol, "port": port}
            for port in (53, 5353)
            for protocol in ("UDP", "TCP")
        ],
    }
    api_server = {"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]}
    listening = (8080, 8081, 8082, 10250)
    incoming = {"ports": [{"protocol": "TCP", "port": port} for port in listening]}
    assert operator_policies(settings_with()) == [
        {
            **policy,
            "metadata": {"name": "external-secrets", **metadata},
            "spec": {
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [incoming],
                "egress": [dns, api_server],
            },
        },
        {
            **policy,
            "metadata": {"name": "external-secrets-stores", **metadata},
            "spec": {
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": "external-secrets"}},
                "policyTypes": ["Egress"],
                "egress": [{"ports": [{"protocol": "TCP", "port": 8200}]}],
            },
        },
    ]


def test_the_addresses_of_api_server_and_stores_are_settings(settings_with):
    network = {
        "api-server": {"cidrs": ["10.0.0.1/32"], "ports": [6443]},
        "providers": {"cidrs": ["10.1.0.0/16", "fd00::/64"], "ports": [443]},
    }
    everything, controller = operator_policies(settings_with(network=network))
    assert everything["spec"]["egress"][1] == {
        "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
        "ports": [{"protocol": "TCP", "port": 6443}],
    }
    assert controller["spec"]["egress"] == [
        {
            "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}, {"ipBlock": {"cidr": "fd00::/64"}}],
            "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 8200}],
        }
    ]


@pytest.mark.parametrize(
    ("server", "ports"),
    [("https://vault.example.com", [443]), ("https://vault.example.com:8200/path", [443, 8200])],
)
def test_the_controller_reaches_each_store_at_its_own_port(server, ports, settings_with, vault):
    stores = {"vault": vault | {"server": server}, "aws": AWS}
    places = {"default_store": "vault", "bundles": {"billing": {"store": "aws"}}}
    _, controller = operator_policies(settings_with(stores=stores, **places))
    [rule] = controller["spec"]["egress"]
    assert [one["port"] for one in rule["ports"]] == ports


def test_the_operator_s_rights_and_duties_are_cut_to_what_is_used(settings_with):
    values = chart_values(settings_with())
    assert values["rbac"] == {
        "aggregateToAdmin": False,
        "aggregateToEdit": False,
        "aggregateToView": False,
        "serviceAccountTokenCreate": False,
        "servicebindings": {"create": False},
    }
    off = ("ClusterExternalSecret", "ClusterGenerator", "ClusterPushSecret", "ClusterStore")
    assert {f"process{kind}": values[f"process{kind}"] for kind in off} == {
        f"process{kind}": False for kind in off
    }
    kinds = ("ExternalSecret", "Generator", "PushSecret", "SecretStore")
    assert values["crds"] == {"annotations": {"helm.sh/resource-policy": "keep"}} | {
        f"createCluster{kind}": False for kind in kinds
    }


def test_the_operator_survives_a_lost_node_and_a_drain(settings_with):
    values = chart_values(settings_with())
    assert (values["replicaCount"], values["leaderElect"]) == (2, True)
    assert (values["webhook"]["replicaCount"], values["webhook"]["failurePolicy"]) == (2, "Fail")
    budget = {"enabled": True, "minAvailable": 1}
    assert values["podDisruptionBudget"] == values["webhook"]["podDisruptionBudget"] == budget
    assert not {"replicaCount", "podDisruptionBudget"} & values["certController"].keys()


def test_each_of_the_operator_s_pods_has_requests_and_a_memory_limit(settings_with):
    values = chart_values(settings_with())
    for pod in (values, values["webhook"], values["certController"]):
        assert pod["resources"]["requests"].keys() == {"cpu", "memory"}
        assert pod["resources"]["limits"].keys() == {"memory"}
    assert values["livenessProbe"] == values["readinessProbe"] == {"enabled": True}
    assert values["metrics"] == {"service": {"enabled": True}}


def test_the_operator_runs_as_the_account_that_the_token_roles_are_bound_to(settings_with):
    settings = settings_with(operator_service_account="eso-controller")
    assert chart_values(settings)["serviceAccount"] == {"name": "eso-controller"}
    subjects = [
        one["subjects"][0]["name"]
        for wave in waves(settings, rotator_source())
        for one in wave.objects
        if one["kind"] == "RoleBinding" and one["metadata"]["name"].endswith("-token")
    ]
    assert subjects == ["eso-controller"] * 2


def test_vault_s_tokens_are_kept_where_there_is_a_vault(settings_with):
    assert chart_values(settings_with())["vault"] == {"enableTokenCache": True}
    assert "vault" not in chart_values(settings_with(stores={"aws": AWS}))


def test_values_of_the_settings_are_laid_over_and_leave_the_rest(settings_with):
    above = {
        "webhook": {"replicaCount": 3},
        "resources": {"limits": {"memory": "1Gi"}},
        "replicaCount": 4,
        "tolerations": [{"key": "system"}],
    }
    plain, laid = (
        copy.deepcopy(chart_values(settings_with())),
        chart_values(settings_with(chart={"values": above})),
    )
    assert laid["webhook"] == {**plain["webhook"], "replicaCount": 3}
    assert laid["resources"]["limits"] == {"memory": "1Gi"}
    assert laid["resources"]["requests"] == plain["resources"]["requests"]
    assert laid["tolerations"] == [{"key": "system"}]
    assert laid | dict.fromkeys(above) == plain | dict.fromkeys(above)
    assert chart_values(settings_with()) == plain, "the values below are the same for the next"


@pytest.mark.parametrize(
    ("elsewhere", "size"),
    [(0, ("20", "200", "400")), (498, ("20", "200", "400")), (499, ("50", "1000", "2000"))],
)
def test_the_operator_is_sized_to_the_external_secrets_that_it_serves(
    elsewhere, size, settings_with
):
    values = chart_values(settings_with(expected_external_secrets=elsewhere))
    flags = values["extraArgs"]
    assert (str(values["concurrent"]), flags["client-qps"], flags["client-burst"]) == size


def test_secrets_of_derived_keys_count_for_the_operator_s_size(settings_with):
    """Where each key is an entry, the shop has three ExternalSecrets for its two bundles."""
    settings = settings_with(stores={"aws": AWS}, expected_external_secrets=498)
    assert chart_values(settings)["concurrent"] == 50


@pytest.mark.parametrize("rotation", ["leader", "follower"])
def test_what_guards_data_comes_last_for_who_deletes_a_tree_in_its_order(settings_with, rotation):
    settings = settings_with(refuse_deletion=True, rotation=rotation)
    objects = [obj for wave in waves(settings, {}) for obj in wave.objects]
    names = [(obj["kind"], obj["metadata"]["name"]) for obj in objects]
    guard = names.index(("ValidatingAdmissionPolicy", "shop-test-deletion"))
    kept = [place for place, obj in enumerate(objects) if is_never_pruned(obj)]
    assert len(kept) > 2
    assert max(kept) < guard


def is_never_pruned(obj):
    return NEVER_PRUNED.items() <= obj["metadata"].get("annotations", {}).items()
