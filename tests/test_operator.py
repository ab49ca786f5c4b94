"""The operator's Helm release under Pulumi, from each kind of place that a chart may come from."""

import pytest

from platform_secrets.components.eso import Operator
from platform_secrets.manifests.eso import chart_values
from tests.declaring import declare

RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.fixture
def release_of(settings_with):
    """The inputs of the release that a stack with these chart settings declares."""

    def inputs(**chart):
        found = declare(lambda: Operator("operator", settings=settings_with(chart=chart)))
        [release] = [one for one in found.declared if one.type == RELEASE]
        return release.inputs

    return inputs


def test_the_chart_comes_from_its_public_repository_by_default(release_of, settings_with):
    assert release_of() == {
        "name": "external-secrets",
        "namespace": "external-secrets-system",
        "chart": "external-secrets",
        "version": "2.9.0",
        "repositoryOpts": {"repo": "https://charts.external-secrets.io"},
        "values": chart_values(settings_with()),
        "timeout": 600,
        "compat": "true",
    }


def test_the_chart_may_come_from_a_private_repository(release_of):
    release = release_of(repository="https://charts.example.com/eso", version="2.9.1")
    assert release["repositoryOpts"] == {"repo": "https://charts.example.com/eso"}
    assert (release["chart"], release["version"]) == ("external-secrets", "2.9.1")


@pytest.mark.parametrize(
    "repository", ["oci://ghcr.example.com/charts", "oci://ghcr.example.com/charts/"]
)
def test_an_oci_chart_is_named_by_its_whole_address(release_of, repository):
    release = release_of(repository=repository)
    assert release["chart"] == "oci://ghcr.example.com/charts/external-secrets"
    assert release["version"] == "2.9.0"
    assert "repositoryOpts" not in release


def test_a_chart_on_disk_has_neither_repository_nor_version(release_of):
    release = release_of(path="charts/external-secrets-2.9.0.tgz")
    assert release["chart"] == "charts/external-secrets-2.9.0.tgz"
    assert not {"repositoryOpts", "version"} & release.keys()


def test_the_release_is_waited_for(release_of):
    """The CRDs exist and the webhook answers only once the release is ready."""
    assert not release_of().get("skipAwait")
    assert not release_of().get("skipCrds")


def test_the_release_brings_the_crds_and_leaves_them_when_it_goes(settings_with):
    values = chart_values(settings_with())
    assert values["installCRDs"] is True
    assert values["crds"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_release_comes_after_its_namespace_which_has_one_owner_and_its_bounds(settings_with):
    found = declare(lambda: Operator("operator", settings=settings_with()))
    [namespace] = found.of_kind("Namespace")
    [release] = [one for one in found.declared if one.type == RELEASE]
    [bounds] = found.of_kind("ValidatingAdmissionPolicyBinding")
    assert {namespace.urn, bounds.urn} <= found.before(release)
    assert not release.inputs.get("createNamespace")
    assert release.inputs["namespace"] == namespace.inputs["metadata"]["name"]
