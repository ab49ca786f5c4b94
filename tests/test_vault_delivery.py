"""How a Vault that a stack installs is delivered: before what needs it, never waited for, never
taken away; and what can't be installed."""

import pytest

from platform_secrets.components.layer import Layer
from platform_secrets.manifests.layer import kustomizations, waves
from platform_secrets.manifests.vault_server import chart_values
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import SettingsError
from tests.declaring import CLUSTER_UID, declare
from tests.test_rendered_equals_declared import by_identity
from tests.test_vault_server import AWS, server

RELEASE = "kubernetes:helm.sh/v3:Release"
GITOPS = {"repository": "https://git.example.com/shop/secrets.git"}


@pytest.fixture
def declared(settings_with, vault):
    """All that a stack declares which installs its Vault and configures it too."""
    stores = {"vault": vault | {"backend": "declare", "shared": "own"}}
    settings = settings_with(
        stores=stores, vault_server={}, protect=False, cluster={"uid": CLUSTER_UID}
    )
    found = declare(
        lambda: Layer("secrets", settings=settings, values={}, rotator=rotator_source())
    )
    return settings, found


def release_in(found):
    [release] = [
        one for one in found.declared if one.type == RELEASE and one.inputs["name"] == "vault"
    ]
    return release


def test_the_release_is_not_waited_for_since_people_initialise_the_servers(declared):
    settings, found = declared
    assert release_in(found).inputs == {
        "name": "vault",
        "namespace": "vault-system",
        "chart": "vault",
        "version": "0.34.1",
        "repositoryOpts": {"repo": "https://helm.releases.hashicorp.com"},
        "values": chart_values(settings.environment.vault_server),
        "timeout": 600,
        "skipAwait": True,
        "compat": "true",
    }


def test_servers_and_namespace_are_protected_in_every_environment(declared):
    _, found = declared
    [servers] = found.components("platform-secrets:vault:VaultServers")
    assert [one.type.rpartition(":")[2] for one in found.children(servers)] == [
        "Namespace",
        "Release",
    ]
    assert all(one.protect and one.retain_on_delete for one in found.children(servers))


def test_what_configures_vault_and_what_reads_it_come_after_the_release(declared):
    _, found = declared
    release = release_in(found)
    half = [one for one in found.declared if one.type.startswith("vault:")]
    later = [*half, *found.of_kind("SecretStore")]
    assert len(later) > len(half) > 5
    assert all(release.urn in found.before(one) for one in later)
    assert not release.depends_on & {one.urn for one in half}


def test_the_program_declares_what_is_rendered(declared):
    settings, found = declared
    rendered = [one for wave in waves(settings, rotator_source()) for one in wave.objects]
    assert by_identity([one.manifest for one in found.objects()]) == by_identity(rendered)


@pytest.fixture
def entry_points(settings_with):
    """The objects of one tool's entry point, by kind and name."""

    def objects(folder):
        settings = settings_with(gitops=GITOPS, vault_server={"product": "openbao"})
        names = [wave.name for wave in waves(settings, rotator_source())]
        folders = (f"gitops/{folder}", f"gitops/{folder}/waves")
        found = [one for one in kustomizations(settings, names) if one.name in folders]
        own = [each for one in found for each in one.objects]
        return {(one["kind"], one["metadata"]["name"]): one for one in own}

    return objects


def test_argo_cd_installs_the_servers_before_the_stores_and_never_prunes_them(entry_points):
    found = entry_points("argocd")
    order = {
        one["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]: name
        for (_, name), one in found.items()
    }
    assert [order[place].removeprefix("shop-test-") for place in sorted(order, key=int)] == [
        "operator",
        "operator-chart",
        "vault",
        "vault-chart",
        "access",
        "stores",
        "external-secrets",
        "rotation",
        "shop-test",
    ]
    chart = found["Application", "shop-test-vault-chart"]
    annotations = chart["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
    compared = annotations["argocd.argoproj.io/compare-options"]
    assert compared == "ServerSideDiff=true,IgnoreExtraneous"
    assert chart["spec"]["destination"]["namespace"] == "vault-system"
    assert chart["spec"]["source"] == {
        "repoURL": "https://openbao.github.io/openbao-helm",
        "chart": "openbao",
        "targetRevision": "0.29.2",
        "helm": {"releaseName": "vault", "valuesObject": chart_values(server(product="openbao"))},
    }


def test_flux_installs_the_servers_before_the_stores_and_never_uninstalls_them(entry_points):
    steps = {
        one["metadata"]["name"]: one["spec"].get("dependsOn", [{}])[0].get("name")
        for (kind, _), one in entry_points("flux").items()
        if kind == "Kustomization"
    }
    assert steps["shop-test-vault-chart"] == "shop-test-vault"
    assert steps["shop-test-vault"] == "shop-test-operator-chart"
    assert steps["shop-test-access"] == "shop-test-vault-chart"
    release = entry_points("flux/vault")["HelmRelease", "vault"]
    annotations = release["metadata"]["annotations"]
    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    # Flux uninstalls a release that is not ready in time, and these wait for people.
    assert release["spec"]["install"] == {"disableWait": True, "remediation": {"retries": -1}}
    assert release["spec"]["upgrade"] == {"disableWait": True, "remediation": {"retries": 3}}
    assert release["spec"]["values"] == chart_values(server(product="openbao"))


OURS = {"server": "https://vault.vault-system.svc:8200", "backend": "declare", "shared": "own"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vault_server": {"namespace": "shop-test"}}, "vault-server.namespace: is in use"),
        (
            {"vault_server": {}, "operator_namespace": "vault-system"},
            "vault-server.namespace: is in use",
        ),
        (
            {
                "vault_server": {"chart": {"path": "vault.tgz"}},
                "delivery": "gitops",
                "gitops": GITOPS,
            },
            "vault-server.chart.path: is for `delivery: pulumi`",
        ),
        (
            {"vault_server": {}, "secrets": "basic", "stores": None},
            "vault-server: has no meaning with `secrets: basic`",
        ),
        (
            {
                "vault_server": {"product": "openbao"},
                "stores": {"vault": {"provider": "vault", **OURS}},
            },
            "stores.vault.audit: OpenBao's audit device is in its configuration",
        ),
        (
            {"vault_server": {"seal": {"provider": "transit"}}},
            "vault-server.seal.provider: must be one of: aws, gcp, azure",
        ),
        ({"vault_server": {"data-size": "10"}}, "vault-server.data-size: must be a size such as"),
        (
            {"vault_server": {"seal": {**AWS, "key": "alias/unseal"}}},
            "vault-server.seal.key: must be a key's ARN",
        ),
    ],
)
def test_what_can_t_be_installed_is_said(settings_with, changes, message):
    with pytest.raises(SettingsError) as error:
        settings_with(**changes)
    assert message in str(error.value)


def test_of_an_audit_device_that_exists_the_provider_half_declares_none(settings_with, vault):
    stores = {"vault": vault | OURS | {"audit": "existing"}}
    settings = settings_with(
        stores=stores, vault_server={"product": "openbao"}, cluster={"uid": CLUSTER_UID}
    )
    found = declare(
        lambda: Layer("secrets", settings=settings, values={}, rotator=rotator_source())
    )
    types = {one.type for one in found.declared}
    assert "vault:index/mount:Mount" in types
    assert "vault:index/audit:Audit" not in types
