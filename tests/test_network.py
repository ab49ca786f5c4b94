"""Whom the pods that this program installs reach, and who reaches them, on the clusters that people
have (docs/network.md)."""

import pytest

from platform_secrets.manifests.network import operator_policies, rotation_policy, vault_policies
from tests.network_rules import Pod, answers, reaches
from tests.settings_files import STACK, changed, lines
from tests.test_aws_rotation import DATABASE
from tests.test_vault_server import AWS as SEAL
from tests.test_vault_server import server

OPERATOR = "external-secrets-system"
CONTROLLER = Pod(OPERATOR, {"app.kubernetes.io/name": "external-secrets"})
WEBHOOK = Pod(OPERATOR, {"app.kubernetes.io/name": "external-secrets-webhook"})
VAULT = Pod("vault-system", {"app.kubernetes.io/instance": "vault", "component": "server"})

# What a pod's question ends at, once the cluster has led it from the Service's address.
DNS_SERVERS = {
    "the cluster's own": (Pod("kube-system"), 53),
    "a cache on the node": ("169.254.20.10", 53),
    "a cache on kubespray's node": ("169.254.25.10", 53),
    "a cache on AKS's node": ("169.254.10.11", 53),
    "Google's Cloud DNS": ("169.254.169.254", 53),
    "OpenShift's": (Pod("openshift-dns"), 5353),
}
# What must not pass as a question.
NO_DNS_SERVERS = {
    "a pod of a tenant": (Pod("shop-other"), 53),
    "a server on the internet": ("198.51.100.53", 53),
    "a cloud's metadata": ("169.254.169.254", 80),
    "the cluster's metrics": (Pod("kube-system"), 9153),
}


def rotator(settings):
    [labels] = rotation_policy(settings)["spec"]["podSelector"].values()
    return Pod(settings.namespace, labels)


@pytest.fixture
def resolving(settings_with, aws_settings):
    """Every pod that asks for names, with its policies."""

    def made(**changes):
        settings, aws = settings_with(**changes), aws_settings(DATABASE, **changes)
        return [
            (operator_policies(settings), CONTROLLER),
            (operator_policies(settings), WEBHOOK),
            (vault_policies(settings, server()), VAULT),
            ([rotation_policy(aws)], rotator(aws)),
        ]

    return made


@pytest.mark.parametrize("by", ["UDP", "TCP"])
@pytest.mark.parametrize("name", DNS_SERVERS)
def test_names_are_resolved_on_every_usual_cluster(resolving, name, by):
    peer, port = DNS_SERVERS[name]
    assert [reaches(policies, pod, peer, port, by) for policies, pod in resolving()] == [True] * 4


@pytest.mark.parametrize("name", NO_DNS_SERVERS)
def test_nothing_else_is_reached_by_the_way_to_names(resolving, name):
    peer, port = NO_DNS_SERVERS[name]
    found = [reaches(policies, pod, peer, port, "UDP") for policies, pod in resolving()]
    assert found == [False] * 4


def test_a_dns_of_one_s_own_is_a_setting_which_replaces_the_usual_ones(resolving):
    dns = {"namespaces": ["dns"], "cidrs": ["172.20.0.10/32"], "ports": [1053]}
    for policies, pod in resolving(network={"dns": dns}):
        assert reaches(policies, pod, Pod("dns"), 1053, "UDP")
        assert reaches(policies, pod, "172.20.0.10", 1053, "UDP")
        for peer, port in DNS_SERVERS.values():
            assert not reaches(policies, pod, peer, port, "UDP")


@pytest.mark.parametrize(
    ("path", "port"),
    [
        ("webhook.port", 9443),
        ("metrics.listen.port", 9090),
        ("webhook.metrics.listen.port", 9090),
        ("certController.metrics.listen.port", 9090),
        ("livenessProbe.spec.httpGet.port", 9082),
        ("webhook.readinessProbe.port", 9081),
        ("certController.readinessProbe.port", 9081),
    ],
)
def test_a_port_that_the_chart_s_values_change_is_open(settings_with, path, port):
    values = changed({}, path, port)
    policies = operator_policies(settings_with(chart={"values": values}))
    assert answers(policies, WEBHOOK, "10.0.0.1", port)
    assert not answers(operator_policies(settings_with()), WEBHOOK, "10.0.0.1", port)


def test_the_port_of_the_webhook_that_is_not_used_any_more_is_closed(settings_with):
    usual = operator_policies(settings_with())
    moved = operator_policies(settings_with(chart={"values": {"webhook": {"port": 9443}}}))
    assert answers(usual, WEBHOOK, "10.0.0.1", 10250)
    assert not answers(moved, WEBHOOK, "10.0.0.1", 10250)


def test_null_in_the_chart_s_values_is_the_chart_s_own_port(settings_with):
    values = {"webhook": None, "metrics": {"listen": {"port": None}}}
    assert operator_policies(settings_with(chart={"values": values})) == operator_policies(
        settings_with()
    )


def test_the_controller_reaches_the_stores_whatever_the_chart_calls_its_pods(settings_with):
    policies = operator_policies(settings_with(chart={"values": {"nameOverride": "eso"}}))
    renamed = Pod(OPERATOR, {"app.kubernetes.io/name": "eso"})
    assert reaches(policies, renamed, "203.0.113.7", 8200)
    assert not reaches(policies, WEBHOOK, "203.0.113.7", 8200)


def test_a_proxy_s_port_is_open_for_all_that_reach_providers(settings_with, aws_settings):
    network = {"providers": {"cidrs": ["10.9.9.9/32"], "ports": [3128]}}
    settings, aws = settings_with(network=network), aws_settings(DATABASE, network=network)
    sealed = vault_policies(settings, server(seal=SEAL))
    assert reaches(operator_policies(settings), CONTROLLER, "10.9.9.9", 3128)
    assert reaches([rotation_policy(aws)], rotator(aws), "10.9.9.9", 3128)
    assert reaches(sealed, VAULT, "10.9.9.9", 3128)
    assert not reaches([rotation_policy(settings)], rotator(settings), "10.9.9.9", 3128)
    assert not reaches(vault_policies(settings, server()), VAULT, "10.9.9.9", 3128)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "chart.values",
            {"webhook": {"port": "http"}},
            "chart.values: webhook.port must be a port, 1 to 65535: a NetworkPolicy opens it",
        ),
        ("chart.values", {"nameOverride": 1}, "chart.values: nameOverride must be text: quote it"),
        (
            "network.dns",
            {"namespaces": [], "cidrs": []},
            "network.dns: needs namespaces or cidrs: without names no store is found",
        ),
    ],
)
def test_what_no_policy_could_be_made_of_is_told(tmp_path, path, value, message):
    [line] = lines(tmp_path, stack=changed(STACK, path, value))
    assert line.endswith(message)
