"""What the catalogue says of a Secret besides its keys, and what is refused."""

import base64
import json
import secrets
from pathlib import Path

import pulumi
import pytest
import yaml

from platform_secrets.components.layer import Layer
from platform_secrets.manifests.basic_secret import kustomization
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.rotation.cron_jobs import generator_manifests
from platform_secrets.secretsctl.basic_files import write_env_files
from platform_secrets.secretsctl.rendering import rendered_files, retyped
from platform_secrets.settings import Document, load
from platform_secrets.settings.texts import filled
from tests.declaring import CLUSTER_UID, declare
from tests.settings_files import BASIC, CATALOGUE, STACK, changed, lines

BUNDLE = {
    "secret": "ledger-env",
    "keys": {
        "DB_USER": {"description": "account", "hidden": True},
        "DB_PASSWORD": {"description": "its password", "hidden": True},
        "apiToken": {"description": "a token"},
        "keystore.p12": {"description": "a keystore", "stored-as": "base64"},
    },
    "texts": {
        "DATABASE_URL": "postgresql://${DB_USER|url}:${DB_PASSWORD|url}@db/ledger",
        "app.json": '{"password":${DB_PASSWORD|json},"constant":"{{ x }}"}',
    },
    "labels": {"example.org/kind": "repository"},
    "annotations": {"example.org/note": "{{ x }}"},
}
PULL = {
    "secret": "pull",
    "registries": {"registry.example.com": {"username-text": "robot", "password": "PASS"}},
    "keys": {"PASS": {"description": "a password", "hidden": True}},
}


def settings_of(stack=STACK, **bundles):
    catalogue = {"platform": "shop", "services": {}, "bundles": bundles}
    [found] = load([Document("stack.yaml", stack)], Document("catalogue.yaml", catalogue))
    return found


def bundle_of(path, value):
    return changed(BUNDLE, path, value)


OVERLAPPING = {"by": "generate", "every": "9d", "overlap": "1h"}
WRONG = [
    ({**BUNDLE, "texts": {"URL": "${NOBODY}"}}, "made of NOBODY, which is no key of this bundle"),
    ({**BUNDLE, "texts": {"URL": "${DB_USER|htpasswd}"}}, "may hold ${KEY}, ${KEY|url}"),
    ({**BUNDLE, "texts": {"URL": "${DB_USER"}}, "a literal ${ is written $${"),
    ({**BUNDLE, "texts": {"apiToken": "x"}}, "apiToken is a key and a text"),
    ({**BUNDLE, "texts": {"URL": '{"a": "${DB_USER|json}"}'}}, "writes its own quotes"),
    ({**BUNDLE, "texts": {"URL": "x" * 70_000}}, "must have at most 64 KiB"),
    ({**BUNDLE, "texts": {}}, "DB_USER is `hidden` and no text is made of it"),
    ({**BUNDLE, "type": "kubernetes.io/tls"}, "this type needs tls.crt and tls.key"),
    ({**BUNDLE, "type": "kubernetes.io/basic-auth"}, "this type needs username or password"),
    ({**BUNDLE, "type": "kubernetes.io/ssh-auth"}, "this type needs ssh-privatekey"),
    ({**BUNDLE, "type": "kubernetes.io/dockerconfigjson"}, "this type needs .dockerconfigjson"),
    ({**BUNDLE, "type": "kubernetes.io/dockercfg"}, "this type needs .dockercfg"),
    ({**BUNDLE, "type": "kubernetes.io/service-account-token"}, "made by Kubernetes alone"),
    ({**BUNDLE, "type": "bootstrap.kubernetes.io/token"}, "works in the namespace kube-system"),
    ({**BUNDLE, "type": "kubernetes.io/tsl"}, "Kubernetes has no such type"),
    ({**BUNDLE, "labels": {"app.kubernetes.io/managed-by": "x"}}, "not one of Kubernetes'"),
    ({**BUNDLE, "labels": {"platform-secrets/x": "x"}}, "not one of Kubernetes'"),
    ({**BUNDLE, "annotations": {"reconcile.external-secrets.io/x": "x"}}, "not one of Kubernetes'"),
    ({**BUNDLE, "labels": {"example.org/kind": "two words"}}, "must be a label's value"),
    ({**PULL, "type": "kubernetes.io/tls"}, "`registries` make a Secret of type"),
    (changed(PULL, "registries", {"r.example.com": {"password": "PASS"}}), "needs either"),
    (
        bundle_of(
            "keys",
            {
                **BUNDLE["keys"],
                "apiTokenNext": {"description": "x"},
                "apiToken": {"description": "x", "rotate": OVERLAPPING},
            },
        ),
        "key apiTokenNext has the name of a value of apiToken's rotation",
    ),
    (
        bundle_of(
            "keys.DB_USER",
            {"description": "x", "hidden": True} | {"rotate": {"by": "generate", "every": "9d"}},
        ),
        "proves its value in a text that is made of no other key, and there is none",
    ),
    (
        bundle_of("keys.DB_USER", {"description": "x", "hidden": True, "rotate": OVERLAPPING}),
        "`hidden` takes no `overlap`: services read the next and previous value",
    ),
    (
        bundle_of(
            "keys.DB_USER",
            {"description": "x", "hidden": True} | {"rotate": {"by": "database", "every": "9d"}},
        ),
        "a rotation proves the URL in the Secret: it takes no `hidden`",
    ),
    (
        {
            **BUNDLE,
            "type": "kubernetes.io/dockerconfigjson",
            "texts": {**BUNDLE["texts"], ".dockerconfigjson": "{auths: ${apiToken}}"},
        },
        "this type needs JSON in .dockerconfigjson",
    ),
]


@pytest.mark.parametrize(("bundle", "message"), WRONG, ids=lambda one: str(one)[:40])
def test_what_can_not_be_is_refused_with_its_reason(tmp_path, bundle, message):
    found = lines(tmp_path, {**CATALOGUE, "bundles": {"ledger": bundle}, "services": {}})
    assert [line for line in found if message in line], found


@pytest.mark.parametrize(
    "text",
    [
        "git.example.com ssh-ed25519 AAAA{0}",
        "-----BEGIN CERTIFICATE-----\n{0}\n-----END CERTIFICATE-----",
    ],
)
def test_a_text_may_hold_a_public_key_or_a_certificate(tmp_path, text):
    random = "".join(f"{one}aB7" for one in secrets.token_hex(8))
    bundle = {**BUNDLE, "texts": {**BUNDLE["texts"], "PUBLIC": text.format(random)}}
    found = lines(tmp_path, {**CATALOGUE, "bundles": {"ledger": bundle}, "services": {}})
    assert not [one for one in found if "looks like a secret value" in one]


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\n{0}",
        "token = {1}",
        "postgresql://shop:{0}@db/shop",
        "sk_live_{0}",
        "AKIAABCDEFGHIJKLMNOP",
    ],
)
def test_a_text_that_holds_what_looks_like_a_value_is_refused_and_not_shown(tmp_path, text):
    secret, random = secrets.token_hex(6), "".join(f"{one}aB7" for one in secrets.token_hex(8))
    bundle = {**BUNDLE, "texts": {**BUNDLE["texts"], "BAD": text.format(secret, random)}}
    found = lines(tmp_path, {**CATALOGUE, "bundles": {"ledger": bundle}, "services": {}})
    [line] = [one for one in found if "looks like a secret value" in one]
    assert "bundles.ledger.texts.BAD" in line
    assert not [one for one in found if secret in one or random in one]


@pytest.mark.parametrize(
    "text",
    [
        "/etc/ssl/certs/ServiceAccountAuthority2.pem",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "com.example.platform.configuration.DefaultSessionFactory1",
        "https://user@host.example.com/a/long/path/with-words-and-2-numbers",
        "postgresql://${DB_USER}:${DB_PASSWORD}@db/x",
    ],
)
def test_names_paths_and_parts_look_like_no_value(tmp_path, text):
    bundle = {**BUNDLE, "texts": {**BUNDLE["texts"], "FINE": text}}
    assert lines(tmp_path, {**CATALOGUE, "bundles": {"ledger": bundle}, "services": {}}) == []


def test_a_text_is_a_line_with_a_guard_for_each_part():
    [found] = external_secret_manifests(settings_of(ledger=BUNDLE), "ledger")
    template = found["spec"]["target"]["template"]
    assert template["data"].keys() == {"apiToken", "keystore.p12", "DATABASE_URL", "app.json"}
    line = template["data"]["DATABASE_URL"]
    for key in ("DB_USER", "DB_PASSWORD"):
        assert f'index . "{key}" }}}}{{{{ if not $p' in line
        assert f'{{{{ fail "shop/test/ledger has no {key}" }}}}' in line
    assert '"constant":"{{ "{{" }} x }}"}' in template["data"]["app.json"]
    assert template["metadata"]["annotations"] == {"example.org/note": '{{ "{{" }} x }}'}
    assert template["metadata"]["labels"]["example.org/kind"] == "repository"
    assert "example.org/kind" not in found["metadata"]["labels"]


def test_a_part_that_the_environment_leaves_out_is_refused(tmp_path):
    catalogue = {**CATALOGUE, "bundles": {"ledger": BUNDLE}, "services": {}}
    found = lines(tmp_path, catalogue, {**STACK, "without": {"keys": ["ledger/DB_USER"]}})
    assert found == [
        "stack.yaml:24: without.keys: of bundle ledger leaves what can't be a Secret: "
        "text DATABASE_URL is made of DB_USER, which is no key of this bundle"
    ]


def test_a_generated_value_has_the_length_that_its_rotation_names(tmp_path):
    def key(length):
        rotate = {"by": "generate", "every": "90d", "length": length}
        return {"description": "a token", "min-length": 24, "rotate": rotate}

    settings = settings_of(ledger={"secret": "ledger-env", "keys": {"token": key(32)}})
    [generator] = generator_manifests(settings, "token")
    assert generator["spec"]["length"] == 32
    wrong = changed(CATALOGUE, "bundles.shared.keys.token", key(20))
    assert [one for one in lines(tmp_path, wrong) if "must not be less than min-length" in one]


def test_deletion_and_the_interval_are_the_operator_s_own_fields():
    stack = {**STACK, "bundles": {"ledger": {"refresh-interval": 0}}}
    spec = external_secret_manifests(
        settings_of(stack, ledger={**BUNDLE, "deletion": "delete"}), "ledger"
    )[0]["spec"]
    assert spec["target"]["deletionPolicy"] == "Delete"
    assert (spec["refreshPolicy"], spec["refreshInterval"]) == ("OnChange", "0s")
    spec = external_secret_manifests(settings_of(ledger=BUNDLE), "ledger")[0]["spec"]
    assert spec["target"]["deletionPolicy"] == "Retain"


@pytest.mark.parametrize("name", ["name", "instance", "version", "component", "part-of"])
def test_a_label_that_kubernetes_recommends_is_people_s_own(name):
    """Argo CD takes Secrets with `part-of: argocd` into its configuration."""
    label = f"app.kubernetes.io/{name}"
    settings = settings_of(mail={**BUNDLE, "labels": {label: "argocd"}})
    [external_secret] = external_secret_manifests(settings, "mail")
    assert external_secret["spec"]["target"]["template"]["metadata"]["labels"][label] == "argocd"


@pytest.mark.parametrize("creation", ["owner", "orphan"])
def test_whether_the_secret_goes_with_its_external_secret_is_the_operator_s_own_field(creation):
    found = settings_of(STACK, ledger={**BUNDLE, "creation": creation})
    spec = external_secret_manifests(found, "ledger")[0]["spec"]
    assert spec["target"]["creationPolicy"] == creation.capitalize()


def test_the_filters_write_what_the_operator_s_do():
    value = 'a b+/\u2028"<ü>'.encode()
    assert filled("${K|url}", {"K": value}) == b"a%20b%2B%2F%E2%80%A8%22%3C%C3%BC%3E"
    assert filled("${K|json}", {"K": value}) == '"a b+/\\u2028\\"<ü>"'.encode()
    assert filled("${K|base64} $${K}", {"K": b"\xff"}) == b"/w== ${K}"


def basic_values():
    values = {key: secrets.token_hex(8) for key in (*BUNDLE["keys"], "PASS")}
    return values | {"keystore.p12": base64.b64encode(secrets.token_bytes(20)).decode()}


def test_a_basic_secret_is_the_same_by_pulumi_and_by_kustomize(tmp_path):
    basic = settings_of({**BASIC, "cluster": {"uid": CLUSTER_UID}}, ledger=BUNDLE, pull=PULL)
    values, ids = basic_values(), basic.catalogue.spellings
    by_id = {ids[key]: value for key, value in values.items()}

    def program():
        secret = {id: pulumi.Output.secret(value) for id, value in by_id.items()}
        Layer("secrets", settings=basic, values=secret, rotator={})

    found = declare(program)
    declared = {
        one.inputs["metadata"]["name"]: {
            key: base64.b64decode(kept.value) for key, kept in one.inputs["data"].items()
        }
        for one in found.of_kind("Secret")
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization(basic)))
    write_env_files(tmp_path, basic, by_id)
    made = {}
    for one in kustomization(basic)["secretGenerator"]:
        fields = {}
        for name in one.get("envs", []):
            lines = (tmp_path / name).read_bytes().splitlines()
            fields |= {key.decode(): value for key, _, value in (x.partition(b"=") for x in lines)}
        for field, _, file in (x.partition("=") for x in one.get("files", [])):
            fields[field] = (tmp_path / file).read_bytes()
        made[one["name"]] = fields
    assert made == declared
    assert declared["ledger-env"]["keystore.p12"] == base64.b64decode(values["keystore.p12"])
    auths = json.loads(declared["pull"][".dockerconfigjson"])["auths"]
    assert auths["registry.example.com"]["password"] == values["PASS"]
    types = {one["name"]: one["type"] for one in kustomization(basic)["secretGenerator"]}
    assert types["pull"] == "kubernetes.io/dockerconfigjson"


def test_a_type_that_changes_is_told_with_what_it_takes(settings_with):
    """Kubernetes lets the type of a Secret that lives not change."""
    before, after = (
        rendered_files(settings_with(changed(CATALOGUE, "bundles.mail.type", one)), Path("c.yaml"))
        for one in ("Opaque", "example.com/login")
    )
    [line] = retyped(before, after)
    assert "Secret/shop-mail: becomes example.com/login, and was Opaque" in line
    assert "kubectl delete secret shop-mail --namespace=shop-test" in line
    assert not retyped(after, after)
    assert not retyped({}, after)
