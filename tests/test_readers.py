"""Readers of every kind: what may run as what, what is restarted, and what a report says of the
rest."""

import pytest

from platform_secrets.manifests.access import service_manifests
from platform_secrets.manifests.rotation.plan import plan_config_maps, rotation_plan
from platform_secrets.manifests.rotation.rights import rotation_rights
from platform_secrets.rotator import plan as plans
from platform_secrets.rotator.keys import Generated
from tests.rotator_world import World, generated
from tests.settings_files import CATALOGUE, REMOVED, changed, lines

OTHERS = {
    "CronJob/nightly": "its next run reads the new value",
    "Cluster/orders-db": "whoever runs it restarts it",
}


@pytest.fixture
def with_others(shop):
    """The shop's catalogue with a CronJob and a custom resource that read, and two workloads of
    one service."""
    shop["services"] = {
        "web": {"workloads": ["Deployment/web", "StatefulSet/web-queue"], "reads": ["shared"]},
        "nightly": {"workload": "CronJob/nightly", "reads": ["shared"]},
        "orders-db": {"workload": "Cluster/orders-db", "reads": ["shared"]},
    }
    return shop


def of(settings, name):
    found = service_manifests(settings, name, settings.catalogue.services[name])
    return {one["kind"]: one for one in found}


def planned(settings):
    text = plan_config_maps(settings, rotation_plan(settings))[0]["data"]["plan.json"]
    key = plans.parse(text).keys["signing-key"]
    assert isinstance(key, Generated)
    return key


def test_a_rotation_restarts_what_it_can_and_the_plan_names_the_rest(with_others, settings_with):
    key = planned(settings_with(with_others))
    assert key.readers == ["Deployment/web", "StatefulSet/web-queue"]
    assert key.not_restarted == OTHERS


def test_the_rotator_may_touch_only_what_it_restarts(with_others, settings_with):
    role = rotation_rights(settings_with(with_others), rotation_plan(settings_with(with_others)))[0]
    named = {
        name: rule["apiGroups"][0]
        for rule in role["rules"]
        for name in rule.get("resourceNames", [])
        if rule["resources"][0] not in ("configmaps", "externalsecrets", "pushsecrets", "rotations")
    }
    assert named == {"web": "apps", "web-queue": "apps"}


def test_workloads_of_a_service_run_as_one_account(with_others, settings_with):
    found = of(settings_with(with_others), "web")
    assert found["ServiceAccount"]["metadata"]["name"] == "web"
    [subject] = found["RoleBinding"]["subjects"]
    assert subject["name"] == "web"


def test_a_job_has_an_account_and_a_custom_resource_has_none(with_others, settings_with):
    settings = settings_with(with_others)
    assert of(settings, "nightly").keys() == {"ServiceAccount", "Role", "RoleBinding"}
    assert of(settings, "orders-db") == {}


def test_a_custom_resource_may_name_the_account_of_its_pods(with_others, settings_with):
    named = {"service-account": "existing", "service-account-name": "orders-db"}
    with_others["services"]["orders-db"] |= named
    found = of(settings_with(with_others), "orders-db")
    assert found.keys() == {"Role", "RoleBinding"}
    assert found["RoleBinding"]["subjects"][0]["name"] == "orders-db"


def test_services_that_share_an_account_make_it_once_and_each_has_its_role(
    with_others, settings_with
):
    for name in ("web", "nightly"):
        with_others["services"][name]["service-account-name"] = "shop"
    settings = settings_with(with_others)
    assert of(settings, "web").keys() == {"ServiceAccount", "Role", "RoleBinding"}
    assert of(settings, "nightly").keys() == {"Role", "RoleBinding"}
    assert of(settings, "nightly")["RoleBinding"]["subjects"][0]["name"] == "shop"


def test_a_catalogue_needs_no_services(tmp_path):
    assert lines(tmp_path, changed(CATALOGUE, "services", REMOVED)) == []


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ({}, "needs workload, or workloads where there are several, and not both"),
        (
            {"workload": "Deployment/a", "workloads": ["Deployment/b"]},
            "needs workload, or workloads where there are several, and not both",
        ),
        (
            {"workload": "Cluster/a", "service-account-name": "b"},
            "service-account-name needs `service-account: create` or `existing`",
        ),
        ({"workloads": []}, "must not be empty"),
        ({"workloads": ["Deployment/a", "Deployment/a"]}, "Deployment/a is named twice"),
    ],
)
def test_a_service_that_can_t_be_is_one_clear_line(service, sentence, tmp_path):
    found = lines(tmp_path, changed(CATALOGUE, "services.web", {**service, "reads": []}))
    assert sentence in found[0]


def test_services_that_share_an_account_agree_on_who_makes_it(tmp_path):
    catalogue = changed(CATALOGUE, "services.web.service-account-name", "app")
    catalogue = changed(catalogue, "services.worker.service-account-name", "app")
    assert lines(tmp_path, catalogue) == []
    found = lines(tmp_path, changed(catalogue, "services.web.service-account", "existing"))
    assert found
    assert all("must be alike for web, worker, which share app" in one for one in found)


def test_the_report_of_a_rotation_says_who_restarts_the_rest(capsys):
    key = generated("token", readers=["Deployment/web"], not_restarted=OTHERS)
    world = World({"token": key}, {"Deployment/web": ["shared"]}).age()
    assert world.run("--dry-run") == 0
    assert world.run() == 0
    said = capsys.readouterr().out
    rest = "not restarted: CronJob/nightly (its next run reads the new value), "
    rest += "Cluster/orders-db (whoever runs it restarts it)"
    assert f"would rotate token: promote, restart Deployment/web; {rest}" in said
    assert f"rotated: token; {rest}" in said
    assert world.cluster.restarts == {"Deployment/web": 1}
    [event] = [one for one in world.cluster.events if one["reason"] == "Rotated"]
    assert rest in event["message"]


def test_a_run_that_rotates_nothing_says_nothing_of_readers(capsys):
    key = generated("token", readers=[], not_restarted=OTHERS)
    world = World({"token": key}, {}).age()
    assert "not restarted" not in capsys.readouterr().out
    assert world.cluster
