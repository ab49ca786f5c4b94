"""An operator of one namespace: what its chart is told, what is refused, what else follows."""

import pytest

from platform_secrets.components.layer import Layer
from platform_secrets.describing.described import described
from platform_secrets.describing.readers import OPERATOR, readers
from platform_secrets.manifests.eso import chart_values, operator_bounds
from platform_secrets.manifests.layer import charts, waves
from platform_secrets.manifests.monitoring.objects import prometheus_files
from platform_secrets.manifests.network import operator_policies
from tests.declaring import CLUSTER_UID, declare
from tests.network_rules import Pod, answers
from tests.settings_files import BASIC, STACK, changed, lines, stack
from tests.test_operator import RELEASE
from tests.test_rendered_equals_declared import by_identity

SCOPED = {"operator_scope": "namespace", "operator_namespace": "external-secrets-test"}
CONTROLLER = Pod("external-secrets-test", {"app.kubernetes.io/name": "external-secrets"})
WEBHOOK_PORT = 10250


@pytest.fixture
def scoped(settings_with):
    """Settings of the shop with an operator of its own namespace."""
    return lambda **changes: settings_with(**(SCOPED | changes))


def scoped_stack(*stores):
    found = stack(*(stores or ("vault",)))
    return found | {name.replace("_", "-"): value for name, value in SCOPED.items()}


def test_an_operator_serves_the_cluster_unless_it_is_told_to(settings_with):
    values = chart_values(settings_with())
    assert not {"scopedNamespace", "scopedRBAC"} & values.keys()
    assert values["installCRDs"] is True


def test_the_chart_is_told_the_environment_s_namespace(scoped):
    values = chart_values(scoped(namespace_name="shop-special"))
    assert (values["scopedNamespace"], values["scopedRBAC"]) == ("shop-special", True)


def test_it_has_no_webhook_and_nobody_who_reads_all_secrets_for_one(scoped):
    values = chart_values(scoped())
    assert values["webhook"] == values["certController"] == {"create": False}


def test_all_else_is_as_of_an_operator_of_the_cluster(scoped, settings_with):
    of_cluster, of_namespace = chart_values(settings_with()), chart_values(scoped())
    apart = ("scopedNamespace", "scopedRBAC", "webhook", "certController")
    assert {name: one for name, one in of_namespace.items() if name not in apart} == {
        name: one for name, one in of_cluster.items() if name not in apart
    }


@pytest.mark.parametrize("scope", ["cluster", "namespace"])
def test_the_kinds_of_a_cluster_may_come_with_another(scope, scoped):
    values = chart_values(scoped(operator_scope=scope, operator_crds="existing"))
    assert values["installCRDs"] is False


def test_its_namespace_is_there_before_the_roles_that_its_chart_makes_in_it(scoped):
    found = {wave.name: wave.objects for wave in waves(scoped(), {})}
    namespaces = {
        wave: {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
        for wave, objects in found.items()
    }
    assert namespaces.pop("1-operator") == {"external-secrets-test", "shop-test"}
    assert not any(namespaces.values())
    assert charts(scoped()).keys() == {"1-operator"}


def test_pulumi_installs_it_after_the_environment_s_namespace(scoped):
    found = scoped(cluster={"uid": CLUSTER_UID})
    run = declare(lambda: Layer("secrets", settings=found, values={}, rotator={}))
    [release] = [one for one in run.declared if one.type == RELEASE]
    names = {one.inputs["metadata"]["name"]: one for one in run.of_kind("Namespace")}
    rendered = [one for wave in waves(found, {}) for one in wave.objects]
    declared = [one.manifest for one in run.objects() if one.manifest]
    assert by_identity(rendered) == by_identity(declared)
    assert names["shop-test"].urn in run.before(release)


def test_what_is_cluster_wide_of_two_has_two_names(scoped):
    """All else of an operator is in its own namespace, or comes with the chart."""
    found = [
        {(one["kind"], one["metadata"]["name"]) for one in operator_bounds(scoped(**changes))}
        for changes in ({}, {"operator_namespace": "external-secrets-other"})
    ]
    assert not found[0] & found[1]


def test_nothing_answers_at_a_webhook_s_port(scoped, settings_with):
    of_cluster = Pod("external-secrets-system", CONTROLLER.labels)
    anybody = Pod("kube-system")
    assert answers(operator_policies(settings_with()), of_cluster, anybody, WEBHOOK_PORT)
    assert not answers(operator_policies(scoped()), CONTROLLER, anybody, WEBHOOK_PORT)
    for port in (8080, 8081, 8082):
        assert answers(operator_policies(scoped()), CONTROLLER, anybody, port)


def test_no_alert_and_no_scraping_is_of_a_webhook(scoped):
    files = prometheus_files(scoped(monitoring={"prometheus": "files"}))
    rules = [rule["alert"] for group in files["rules.yaml"]["groups"] for rule in group["rules"]]
    assert "ProviderCallsFail" in rules
    assert not {"ExternalSecretsWebhookUnreachable", "ExternalSecretsCertificateNotRenewed"} & {
        *rules
    }
    [scraping] = files["scrape.yaml"]["scrape_configs"]
    assert scraping["relabel_configs"][0]["regex"] == "(external-secrets)"


@pytest.mark.parametrize(
    ("changes", "by", "what"),
    [
        (
            {"operator_scope": "cluster"},
            "ClusterRole of its chart",
            ["every Secret", "every entry that a SecretStore reads"],
        ),
        (
            {},
            "Role of its chart",
            ["every Secret in shop-test", "every entry that a SecretStore reads in shop-test"],
        ),
    ],
)
def test_it_is_said_what_the_operator_can_read(scoped, changes, by, what):
    settings = scoped(**changes)
    found = readers(settings, described(settings), ["billing/bank-password"])
    assert [(one.by, one.what) for one in found if one.kind == OPERATOR] == [(by, what)]


def test_it_needs_a_namespace_of_its_own(tmp_path):
    given = scoped_stack()
    del given["operator-namespace"]
    [line] = lines(tmp_path, stack=given)
    assert "operator-namespace: is missing" in line
    assert "such as external-secrets-test" in line


def test_several_namespaces_are_refused(tmp_path):
    given = changed(scoped_stack(), "namespaces", {"mail": {"bundles": ["mail"]}})
    [line] = lines(tmp_path, stack=given)
    assert "namespaces: would be served by nobody" in line
    assert "an environment for each of them, or `operator-scope: cluster`" in line


def test_a_clustersecretstore_is_refused(tmp_path):
    team = {"provider": "existing", "kind": "ClusterSecretStore", "name": "team"}
    team |= {"entry-pattern": "{environment}/{key}"}
    given = changed(scoped_stack(), "stores.team", team)
    given |= {"default-store": "vault", "bundles": {"mail": {"store": "team"}}}
    [line] = lines(tmp_path, stack=given)
    assert "stores.team.kind: is a ClusterSecretStore" in line
    assert lines(tmp_path, stack=changed(given, "stores.team.kind", "SecretStore")) == []


@pytest.mark.parametrize(
    ("setting", "value"), [("operator-scope", "namespace"), ("operator-crds", "existing")]
)
def test_what_an_operator_of_others_serves_is_not_said_here(tmp_path, setting, value):
    given = STACK | {"operator": "existing", setting: value}
    [line] = lines(tmp_path, stack=given)
    assert f"{setting}: is up to whoever installs the operator" in line
    assert lines(tmp_path, stack=given | {"operator": "install"} | scoped_stack()) == []


def test_basic_secrets_have_no_operator_to_bound(tmp_path):
    [line] = lines(tmp_path, stack=BASIC | {"operator-scope": "namespace"})
    assert "operator-scope: has no meaning with `secrets: basic`" in line
