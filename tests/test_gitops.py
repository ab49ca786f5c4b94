"""The entry points for Argo CD and Flux: waves in order, and never given up."""

import pytest
import yaml

from platform_secrets.manifests.eso import chart_values
from platform_secrets.manifests.layer import kustomizations, waves
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import SettingsError
from tests.declaring import PROJECT

REPOSITORY = "https://git.example.com/shop/secrets.git"
ROOT = "shop-test"


@pytest.fixture
def entry_points(settings_with):
    """The objects of one tool's entry point, by kind and name."""

    def objects(wave, gitops=None, **changes):
        gitops = {"repository": REPOSITORY, **(gitops or {})}
        settings = settings_with(gitops=gitops, **changes)
        found = kustomizations(settings, [wave.name for wave in waves(settings, rotator_source())])
        folders = (f"gitops/{wave}", f"gitops/{wave}/waves")
        own = [each for one in found if one.name in folders for each in one.objects]
        return {(one["kind"], one["metadata"]["name"]): one for one in own}

    return objects


def test_an_argo_cd_application_is_this(entry_points):
    assert entry_points("argocd")["Application", "shop-test-stores"] == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "shop-test-stores",
            "namespace": "argocd",
            "labels": {
                "app.kubernetes.io/component": "gitops",
                "app.kubernetes.io/managed-by": "platform-secrets",
                "app.kubernetes.io/part-of": "shop",
                "platform-secrets/environment": "test",
            },
            "annotations": {
                "argocd.argoproj.io/sync-wave": "4",
                "argocd.argoproj.io/compare-options": "ServerSideDiff=true",
            },
        },
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop-test"},
            "source": {
                "repoURL": REPOSITORY,
                "targetRevision": "main",
                "path": "rendered/test/3-stores",
            },
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true", "SkipDryRunOnMissingResource=true"],
                "retry": {
                    "limit": -1,
                    "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"},
                },
            },
        },
    }


def sources(applications):
    """What each Application takes, in the order of the sync waves."""
    waves = {
        int(one["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]): one["spec"]["source"]
        for one in applications.values()
    }
    assert len(waves) == len(applications), "two Applications in one wave have no order"
    return [waves[wave].get("chart") or waves[wave]["path"] for wave in sorted(waves)]


def test_argo_cd_takes_the_operator_before_stores_and_external_secrets_and_rotation_last(
    entry_points,
):
    assert sources(entry_points("argocd")) == [
        "rendered/test/1-operator",
        "external-secrets",
        "rendered/test/2-access",
        "rendered/test/3-stores",
        "rendered/test/4-external-secrets",
        "rendered/test/5-rotation",
        "rendered/test/gitops/argocd",
    ]


def test_argo_cd_tries_every_wave_without_end_and_without_a_dry_run_of_missing_kinds(entry_points):
    for one in entry_points("argocd").values():
        policy = one["spec"]["syncPolicy"]
        assert policy["retry"]["limit"] == -1
        assert policy["syncOptions"] == ["ServerSideApply=true", "SkipDryRunOnMissingResource=true"]


def test_argo_cd_installs_the_chart_with_the_program_s_values(entry_points, settings_with):
    [chart] = [one for one in entry_points("argocd").values() if "chart" in one["spec"]["source"]]
    assert chart["spec"]["destination"]["namespace"] == "external-secrets-system"
    assert chart["spec"]["source"] == {
        "repoURL": "https://charts.external-secrets.io",
        "chart": "external-secrets",
        "targetRevision": "2.9.0",
        "helm": {"releaseName": "external-secrets", "valuesObject": chart_values(settings_with())},
    }


def test_an_oci_chart_has_no_scheme_in_argo_cd_and_a_type_in_flux(entry_points):
    oci = {"chart": {"repository": "oci://ghcr.example.com/charts"}}
    [application] = [
        one for one in entry_points("argocd", **oci).values() if "chart" in one["spec"]["source"]
    ]
    assert application["spec"]["source"]["repoURL"] == "ghcr.example.com/charts"
    repository = entry_points("flux/operator", **oci)["HelmRepository", "external-secrets"]
    assert repository["spec"] == {
        "type": "oci",
        "interval": "1h",
        "url": "oci://ghcr.example.com/charts",
    }


def test_the_settings_say_where_argo_cd_and_the_tree_are(entry_points):
    gitops = {
        "branch": "release",
        "path": "deploy/secrets",
        "argocd": {
            "namespace": "argo",
            "project": "shop",
            "destination": "https://cluster.example.com",
        },
    }
    one = entry_points("argocd", gitops)["Application", "shop-test-access"]
    assert one["metadata"]["namespace"] == "argo"
    assert one["spec"]["project"] == "shop"
    assert one["spec"]["destination"]["server"] == "https://cluster.example.com"
    assert one["spec"]["source"] == {
        "repoURL": REPOSITORY,
        "targetRevision": "release",
        "path": "deploy/secrets/test/2-access",
    }


def steps(flux):
    """The paths of Flux's Kustomizations, each after the one that it depends on."""
    kustomizations = {name: one for (kind, name), one in flux.items() if kind == "Kustomization"}
    del kustomizations[ROOT]
    after = {}
    for name, one in kustomizations.items():
        [before] = [each["name"] for each in one["spec"].get("dependsOn", [{"name": None}])]
        assert before not in after, "a chain, not a tree"
        after[before] = name
    found, name = [], after.get(None)
    while name:
        found.append(kustomizations[name]["spec"]["path"])
        name = after.get(name)
    assert len(found) == len(kustomizations)
    return found


def test_flux_waits_for_each_wave_before_the_next(entry_points):
    assert steps(entry_points("flux")) == [
        "./rendered/test/1-operator",
        "./rendered/test/gitops/flux/operator",
        "./rendered/test/2-access",
        "./rendered/test/3-stores",
        "./rendered/test/4-external-secrets",
        "./rendered/test/5-rotation",
    ]


def test_flux_installs_the_chart_with_the_program_s_values(entry_points, settings_with):
    found = entry_points("flux/operator")
    source = {"kind": "HelmRepository", "name": "external-secrets"}
    release = found["HelmRelease", "external-secrets"]
    assert release["metadata"]["namespace"] == "external-secrets-system"
    assert release["spec"].pop("values") == chart_values(settings_with())
    assert release["spec"] == {
        "interval": "1h",
        "timeout": "10m",
        "releaseName": "external-secrets",
        "chart": {"spec": {"chart": "external-secrets", "version": "2.9.0", "sourceRef": source}},
        "install": {"remediation": {"retries": -1}},
        "upgrade": {"remediation": {"retries": 3}},
    }
    assert found["HelmRepository", "external-secrets"]["spec"] == {
        "interval": "1h",
        "url": "https://charts.external-secrets.io",
    }


def test_flux_does_not_wait_for_values_that_nobody_has_seeded_yet(entry_points):
    waits = {
        one["spec"]["path"].rpartition("/")[2]: one["spec"]["wait"]
        for (kind, name), one in entry_points("flux").items()
        if kind == "Kustomization" and name != ROOT
    }
    assert waits.pop("4-external-secrets") is False
    assert set(waits.values()) == {True}


def test_flux_tries_again_every_minute(entry_points):
    found = [one for one in entry_points("flux").values() if one["kind"] == "Kustomization"]
    assert {one["spec"]["retryInterval"] for one in found} == {"1m"}
    assert {one["spec"]["prune"] for one in found} == {True}


def test_flux_gets_only_addresses_that_it_accepts(entry_points):
    """Its GitRepository wants a scheme: https://fluxcd.io/flux/components/source/gitrepositories/#url"""
    try:
        found = entry_points("flux", {"repository": "git@git.example.com:shop/secrets.git"})
    except SettingsError:
        return
    url = found["GitRepository", "shop-test"]["spec"]["url"]
    assert url.startswith(("https://", "ssh://"))


def test_where_the_operator_exists_neither_tool_installs_it(entry_points):
    found = entry_points("argocd", operator="existing")
    assert sources(found)[0] == "rendered/test/2-access"
    assert "external-secrets" not in sources(found)
    assert steps(entry_points("flux", operator="existing")) == [
        "./rendered/test/2-access",
        "./rendered/test/3-stores",
        "./rendered/test/4-external-secrets",
        "./rendered/test/5-rotation",
    ]


def test_without_a_repository_there_is_no_entry_point(settings_with):
    assert kustomizations(settings_with(), []) == []


def test_every_path_of_an_entry_point_is_a_folder_of_the_tree(any_stack):
    folders = {name.rpartition("/")[0] for name in any_stack.tree}
    root = f"rendered/{any_stack.content['environment']}/"
    for name, one in any_stack.tree.items():
        spec = one.get("spec", {})
        path = spec.get("source", {}).get("path") or spec.get("path")
        if name.startswith("gitops/") and path:
            assert path.removeprefix("./").removeprefix(root) in folders


@pytest.mark.parametrize(
    ("tool", "kind", "path"),
    [
        ("argocd", "Application", ["source", "path"]),
        ("flux", "Kustomization", ["path"]),
    ],
)
def test_the_root_keeps_the_entry_point_and_so_itself_as_it_is_in_git(
    tool, kind, path, entry_points
):
    spec = entry_points(tool)[kind, ROOT]["spec"]
    found = spec
    for part in path:
        found = found[part]
    assert found.removeprefix("./") == f"rendered/test/gitops/{tool}"
    assert spec.get("prune") or spec["syncPolicy"]["automated"]["prune"]


def test_argo_cd_never_waits_for_the_root_s_own_health(entry_points):
    root = entry_points("argocd")["Application", ROOT]
    assert root["metadata"]["annotations"]["argocd.argoproj.io/ignore-healthcheck"] == "true"


def test_a_wave_that_goes_leaves_what_secrets_hang_on_and_a_rotation_goes_whole(entry_points):
    argocd = {
        name
        for (_, name), one in entry_points("argocd").items()
        if one["metadata"].get("finalizers")
    }
    flux = {
        name
        for (kind, name), one in entry_points("flux").items()
        if kind == "Kustomization" and one["spec"].get("deletionPolicy") != "Orphan"
    }
    assert argocd == {"shop-test-rotation"}
    assert flux == {"shop-test-rotation", ROOT}


def test_the_example_of_an_application_set_makes_the_root_that_is_rendered(entry_points):
    root = entry_points("argocd")["Application", ROOT]
    text = (PROJECT / "examples/delivery/applicationset.yaml").read_text()
    path = "rendered/test/gitops/argocd"
    for expression, value in (("index .path.segments 1", "test"), (".path.path", path)):
        text = text.replace("{{" + expression + "}}", value)
    spec = yaml.safe_load(text)["spec"]
    assert spec["template"]["spec"] == root["spec"]
    made = spec["template"]["metadata"]
    assert made["name"] == root["metadata"]["name"]
    assert made["annotations"].items() <= root["metadata"]["annotations"].items()
    [generator] = spec["generators"]
    assert generator["git"]["repoURL"] == REPOSITORY
    assert generator["git"]["directories"] == [{"path": path.replace("test", "*")}]
