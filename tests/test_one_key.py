"""The way of one key, `jwt-secret` of production, from the catalogue to the pod that may read it.

Read it from top to bottom, beside docs/architecture.md; each test is the next step.
"""

import json
from datetime import timedelta

import pytest
import yaml

from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.secretsctl.commands import main
from platform_secrets.settings.entries import Entry
from tests.platform import CATALOGUE_FILE, OWN_STACK_FILES

KEY = "jwt-secret"


@pytest.fixture
def production(stack_named):
    return stack_named("production")


def test_1_it_is_declared_once_in_the_catalogue():
    catalogue = yaml.load(CATALOGUE_FILE.read_text(), yaml.CSafeLoader)
    holders = [name for name, bundle in catalogue["bundles"].items() if KEY in bundle["keys"]]
    assert holders == ["shared"]
    assert not [path for path in OWN_STACK_FILES if KEY in path.read_text()]


def test_2_the_settings_know_its_rules(production):
    key = production.settings.catalogue.keys[KEY]
    assert key.min_length == 32
    assert key.is_generated
    assert key.rotate.every == timedelta(days=90)
    assert key.overlap == timedelta(hours=24)


def test_3_the_store_keeps_it_in_an_entry_of_production_with_its_two_derived_keys(production):
    entries = bundle_entries(production.settings, "shared")
    assert {key: entry for key, entry in entries.items() if key.startswith(KEY)} == {
        "jwt-secret": Entry("wren/production", "jwt-secret"),
        "jwt-secret-next": Entry("wren/production", "jwt-secret-next"),
        "jwt-secret-previous": Entry("wren/production", "jwt-secret-previous"),
    }


def test_4_the_operator_reads_the_entry_as_an_identity_that_cannot_write(production):
    store = production.tree["3-stores/secretstore-vault-store.yaml"]["spec"]["provider"]["vault"]
    external_secret = production.tree["4-external-secrets/externalsecret-wren-secrets.yaml"]
    assert f"{store['path']}/wren/production" == "secret/wren/production"
    assert store["auth"]["kubernetes"]["role"] == "wren-production-read"
    assert external_secret["spec"]["secretStoreRef"]["name"] == "vault-store"
    assert external_secret["spec"]["dataFrom"] == [{"extract": {"key": "wren/production"}}]


def test_5_its_line_in_the_template_fails_the_sync_when_the_value_is_missing(production):
    external_secret = production.tree["4-external-secrets/externalsecret-wren-secrets.yaml"]
    target = external_secret["spec"]["target"]
    assert target["name"] == "wren-secrets"
    assert target["deletionPolicy"] == "Retain"
    assert target["template"]["data"][KEY] == (
        '{{ $v := index . "jwt-secret" }}'
        '{{ if not $v }}{{ fail "wren/production has no jwt-secret" }}{{ end }}'
        "{{ $v }}"
    )


def test_6_the_services_that_read_its_bundle_may_get_its_secret_and_nobody_else(production):
    roles = {
        name: content["rules"]
        for name, content in production.tree.items()
        if content.get("kind") == "Role"
        and "wren-secrets" in content["rules"][0].get("resourceNames", ())
    }
    assert roles.keys() == {
        "2-access/role-backend-api-secrets.yaml",
        "2-access/role-chat-server-secrets.yaml",
        "2-access/role-stream-server-secrets.yaml",
        "2-access/role-secrets-reader.yaml",  # people
    }
    assert {verb for [rule] in roles.values() for verb in rule["verbs"]} == {"get"}


def test_7_the_rendered_tree_holds_it_where_one_would_look(stack_named):
    found = {
        f"{environment}/{file}"
        for environment in ("development", "staging", "production")
        for file, content in stack_named(environment).tree.items()
        if KEY in json.dumps(content)
    }
    assert found == {
        f"{environment}/{file}"
        for environment in ("staging", "production")
        for file in (
            "4-external-secrets/externalsecret-wren-secrets.yaml",
            "5-rotation/configmap-secrets-rotation-plan.yaml",
            "5-rotation/kustomization.yaml",
            "5-rotation/password-rotation-jwt-secret.yaml",
            "5-rotation/role-secrets-rotation.yaml",
            f"5-rotation/validatingadmissionpolicy-wren-{environment}-rotation-config-maps.yaml",
        )
    }


def test_8_pulumi_declares_the_same_after_the_store_and_protects_it(production):
    found = production.declared
    [one] = [each for each in found.objects() if each.name == "wren-secrets-external-secret"]
    assert one.manifest == production.tree["4-external-secrets/externalsecret-wren-secrets.yaml"]
    before = {each.name for each in found.declared if each.urn in found.before(one)}
    assert {"vault-store-secret-store", "operator-release", "namespace-namespace"} <= before
    assert one.protect


def test_9_the_rotator_is_told_of_it_and_its_new_value_is_long_enough(production):
    plan = production.tree["5-rotation/configmap-secrets-rotation-plan.yaml"]["data"]["plan.json"]
    key = json.loads(plan)["keys"][KEY]
    assert key["by"] == "generate"
    assert key["entry"] == {"key": "wren/production", "property": KEY}
    assert key["next"] == {"key": "wren/production", "property": f"{KEY}-next"}
    assert "Deployment/wren-backend-api" in key["readers"]
    generator = production.tree["5-rotation/password-rotation-jwt-secret.yaml"]
    assert generator["spec"]["length"] >= production.settings.catalogue.keys[KEY].min_length


def test_10_in_development_it_is_a_line_of_secrets_env_and_a_plain_secret(stack_named, capsys):
    assert main(["example", "--catalogue", str(CATALOGUE_FILE)]) == 0
    assert f"\n{KEY}=\n" in capsys.readouterr().out
    found = stack_named("development").declared
    [one] = [each for each in found.of_kind("Secret") if KEY in each.inputs["data"]]
    assert one.inputs["metadata"]["name"] == "wren-secrets"
