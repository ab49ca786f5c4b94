"""What Prometheus is told, by objects or by files."""

import json
import re
from itertools import combinations

import pytest

from platform_secrets.manifests.monitoring.objects import monitoring_manifests, prometheus_files
from platform_secrets.settings import SettingsError
from tests.declaring import PROJECT

BY_OPERATOR, BY_FILES = {"prometheus": "operator"}, {"prometheus": "files"}
PAGE = "https://wiki.example.com/secrets"


def rules(files):
    return [rule for group in files["rules.yaml"]["groups"] for rule in group["rules"]]


def named(objects):
    return [(one["kind"], one["metadata"]["namespace"]) for one in objects]


@pytest.fixture
def monitored(settings_with):
    """Settings of the shop with these words about monitoring."""
    return lambda monitoring, **changes: settings_with(monitoring=monitoring, **changes)


def test_nothing_watches_unless_it_is_asked_for(settings_with):
    assert monitoring_manifests(settings_with()) == []
    assert prometheus_files(settings_with()) == {}


def test_the_owner_of_the_operator_has_it_scraped(monitored):
    objects = monitoring_manifests(monitored(BY_OPERATOR, operator="install"))
    assert named(objects) == [
        ("PodMonitor", "external-secrets-system"),
        ("PrometheusRule", "shop-test"),
        ("PrometheusRule", "external-secrets-system"),
    ]


def test_who_shares_an_operator_has_rules_of_its_own_alone(monitored):
    settings = monitored(BY_OPERATOR, operator="existing")
    assert named(monitoring_manifests(settings)) == [("PrometheusRule", "shop-test")]
    assert prometheus_files(monitored(BY_FILES, operator="existing")).keys() == {"rules.yaml"}


def test_files_and_objects_have_the_same_rules(monitored):
    objects = monitoring_manifests(monitored(BY_OPERATOR, operator="install"))
    files = prometheus_files(monitored(BY_FILES, operator="install"))
    in_objects = [group for one in objects[1:] for group in one["spec"]["groups"]]
    assert in_objects == files["rules.yaml"]["groups"]


def test_objects_have_the_labels_by_which_prometheus_chooses(monitored):
    asked = {**BY_OPERATOR, "labels": {"release": "prometheus"}}
    for one in monitoring_manifests(monitored(asked, operator="install")):
        assert one["metadata"]["labels"]["release"] == "prometheus"


def test_pods_of_another_name_are_scraped_too(monitored):
    chart = {"values": {"nameOverride": "eso"}}
    [pods, *_] = monitoring_manifests(monitored(BY_OPERATOR, operator="install", chart=chart))
    [chosen] = pods["spec"]["selector"]["matchExpressions"]
    assert chosen["values"] == ["eso", "eso-webhook", "eso-cert-controller"]


def test_every_alert_has_a_heading_of_its_own_and_leads_to_it(monitored):
    files = prometheus_files(monitored({**BY_FILES, "runbook-url": PAGE}, operator="install"))
    text = (PROJECT / "docs" / "monitoring.md").read_text()
    headings = {*re.findall(r"^## ([A-Za-z]+)$", text, re.MULTILINE)}
    found = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules(files)}
    assert headings == found.keys()
    assert found == {name: f"{PAGE}#{name.lower()}" for name in headings}


def test_every_alert_says_what_to_run_first(monitored):
    for rule in rules(prometheus_files(monitored(BY_FILES, operator="install"))):
        assert rule["annotations"]["description"].startswith("First: kubectl ")


def test_a_bundle_with_an_interval_of_its_own_is_stale_by_that(monitored):
    bundles = {"billing": {"refresh-interval": "12h"}, "shared": {"refresh-interval": 0}}
    files = prometheus_files(monitored(BY_FILES, bundles=bundles))
    stale = [rule["expr"] for rule in rules(files) if rule["alert"] == "ExternalSecretStale"]
    names = "shop-billing|shop-billing-overlap"
    short_lived = "(rotation|migration|new-value|value-before|older-version)-.*|.+[.]seeding-look"
    assert [re.findall(r"increase\(.*?,name(.*?)\}\[(.*?)\]", one) for one in stale] == [
        [
            (
                f'!~"{short_lived}|shop-secrets|shop-secrets-overlap|{names}"',
                "8160s",
            )
        ],
        [(f'=~"{names}"', "91320s")],
    ]


def test_every_namespace_of_the_environment_is_watched(monitored, shop):
    shop["services"]["billing"]["reads"] = ["billing"]
    namespaces = {"money": {"bundles": ["billing"]}}
    settings = monitored(BY_FILES, catalogue=shop, namespaces=namespaces)
    found = rules(prometheus_files(settings))
    absent = [rule["expr"] for rule in found if rule["alert"] == "ExternalSecretsOperatorAbsent"]
    assert [re.findall(r'namespace="(.*?)"', one) for one in absent] == [["shop-test"], ["money"]]
    assert 'namespace=~"shop-test|money"' in found[0]["expr"]


@pytest.fixture
def drawn(monitored):
    """The dashboard's JSON of an environment with these settings."""

    def of(**changes):
        [config_map] = monitoring_manifests(monitored({**BY_FILES, "grafana": True}, **changes))
        assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
        [text] = config_map["data"].values()
        return json.loads(text)

    return of


def queries(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_a_dashboard_is_there_where_it_is_asked_for(monitored):
    found = [
        monitoring_manifests(monitored({**one, "grafana": True})) for one in (BY_FILES, BY_OPERATOR)
    ]
    assert [("ConfigMap", "shop-test") in named(one) for one in found] == [True, True]
    without = monitoring_manifests(monitored(BY_OPERATOR))
    assert "ConfigMap" not in [kind for kind, _ in named(without)]


def test_the_dashboard_asks_for_what_the_alerts_ask_for_and_is_about_this_environment_alone(
    drawn, monitored
):
    """Whether programs tell these metrics is proved for the alerts."""
    asked = " ".join(queries(drawn()))
    alerts = " ".join(one["expr"] for one in rules(prometheus_files(monitored(BY_FILES))))
    of_alerts = {*re.findall(r"[a-z_]{12,}(?=[{[])", alerts)} | {
        "externalsecret_provider_api_calls_count"
    }
    assert {*re.findall(r"[a-z_]{12,}(?=[{[])", asked)} <= of_alerts
    selected = re.findall(r"[{](.*?)[}]", asked)
    assert len(selected) > 6
    for one in selected:
        assert re.search(r'namespace=~?"shop-test"|environment="test"', one)


def test_panels_cover_nothing_of_each_other(drawn):
    def covered(panel):
        x, y, w, h = (panel["gridPos"][side] for side in "xywh")
        assert x + w <= 24
        return {(x + right, y + down) for right in range(w) for down in range(h)}

    places = [covered(one) for one in drawn()["panels"]]
    assert len(places) > 6
    assert not any(one & other for one, other in combinations(places, 2))


def test_without_rotation_the_dashboard_shows_none(drawn):
    assert "kube_job" in " ".join(queries(drawn()))
    assert "kube_job" not in " ".join(queries(drawn(rotation="follower")))


def test_basic_secrets_have_nothing_to_watch(monitored):
    with pytest.raises(SettingsError) as raised:
        monitored(BY_FILES, secrets="basic", stores={})
    assert "monitoring: has no meaning with `secrets: basic`" in str(raised.value)
