"""Who reaches the Vault that a stack installs, and what it reaches."""

import pytest

from platform_secrets.manifests.network import operator_policies, vault_policies
from tests.test_vault_server import AWS, GCP, server

PODS = {"matchLabels": {"app.kubernetes.io/instance": "vault", "component": "server"}}


def tcp(*ports):
    return [{"protocol": "TCP", "port": port} for port in ports]


def namespace_of(name):
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def test_the_servers_answer_the_operator_and_each_other_and_nobody_else(settings_with):
    [policy] = vault_policies(settings_with(), server())
    assert policy["metadata"]["namespace"] == "vault-system"
    assert policy["spec"]["podSelector"] == PODS
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["ingress"] == [
        {"from": [namespace_of("external-secrets-system")], "ports": tcp(8200)},
        {"from": [{"podSelector": PODS}], "ports": tcp(8200, 8201)},
    ]


@pytest.mark.parametrize(
    ("seal", "more"),
    [
        (None, []),
        (AWS, [{"ports": tcp(443)}]),
        (
            GCP,
            [
                {"ports": tcp(443)},
                {
                    "to": [
                        {"ipBlock": {"cidr": "169.254.169.254/32"}},
                        {"ipBlock": {"cidr": "169.254.169.252/32"}},
                    ],
                    "ports": tcp(80, 988),
                },
            ],
        ),
    ],
    ids=["none", "aws", "gcp"],
)
def test_the_servers_reach_each_other_the_cluster_and_their_key(settings_with, seal, more):
    [policy] = vault_policies(settings_with(), server(**({"seal": seal} if seal else {})))
    between, dns, api_server, *rest = policy["spec"]["egress"]
    assert between == {"to": [{"podSelector": PODS}], "ports": tcp(8200, 8201)}
    assert dns["to"][0] == namespace_of("kube-system")
    assert api_server == {"ports": tcp(443, 6443)}
    assert rest == more


def test_the_servers_reach_the_databases_and_the_issuer_of_the_stack_s_stores(
    settings_with, shop, vault
):
    shop["bundles"]["billing"]["keys"]["bank-password"] |= {
        "format": "postgres-url",
        "rotate": {"by": "database", "every": "90d"},
    }
    accounts = {"admin-user": "v", "users": ["a", "b"], "grants": ["people"]}
    database = {"host": "db", "port": 6432, "name": "shop", **accounts}
    issuer = {"auth-method": "jwt", "cluster-issuer": "https://issuer.example.com:8443"}
    settings = settings_with(
        catalogue=shop, stores={"vault": vault | issuer | {"database": database}}
    )
    [policy] = vault_policies(settings, server())
    assert policy["spec"]["egress"][3:] == [{"ports": tcp(6432, 8443)}]


def test_the_operator_s_controller_reaches_the_servers_wherever_its_stores_may_be(settings_with):
    network = {"providers": {"cidrs": ["10.1.0.0/16"]}}
    _, controller = operator_policies(settings_with(network=network, vault_server={}))
    to = {**namespace_of("vault-system"), "podSelector": PODS}
    assert controller["spec"]["egress"][1:] == [{"to": [to], "ports": tcp(8200)}]
