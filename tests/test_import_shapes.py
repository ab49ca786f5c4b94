"""Manifests as whole platforms have them: each is taken exactly, or with a difference that is told,
or told with what to do."""

import json
from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main

API = "external-secrets.io/v1"
GENERATORS = "generators.external-secrets.io/v1alpha1"
TEAM = {"kind": "ClusterSecretStore", "name": "team"}


def named(kind, name, namespace: str | None = "shop", api=API, **content):
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **place}, **content}


def external_secret(name="app", namespace: str | None = "shop", **spec):
    spec = {"refreshInterval": "1h", "secretStoreRef": TEAM, **spec}
    return named("ExternalSecret", name, namespace, spec=spec)


def reference(name, key, **more):
    return {"secretKey": name, "remoteRef": {"key": key, **more}}


def template(type=None, **data):
    return {"template": {"data": data, **({"type": type} if type else {})}}


def extract(key, *rules, **more):
    rewrite = [{"regexp": {"source": source, "target": target}} for source, target in rules]
    return {"extract": {"key": key, **more}, **({"rewrite": rewrite} if rules else {})}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Of files, each with its manifests: the exit code and, by name, what became of each."""
    monkeypatch.chdir(tmp_path)

    def run(files, *arguments):
        for file, manifests in files.items():
            path = Path("manifests", file)
            path.parent.mkdir(parents=True, exist_ok=True)
            is_text = isinstance(manifests, str)
            path.write_text(
                manifests if is_text else yaml.safe_dump_all(manifests, sort_keys=False)
            )
        code = main(["import", "--from", "manifests", "--name", "shop", "--json", *arguments])
        report = json.loads(capsys.readouterr().out)
        assert report["unread"] == []
        if report["wrote"]:
            assert main(["render"]) == 0
            capsys.readouterr()
        return code, report["manifests"]

    return run


def outcomes(manifests):
    return {
        one["name"]: (one["outcome"], [each["field"] for each in one["details"]])
        for one in manifests
    }


def whys(manifests):
    return " ".join(each["why"] for one in manifests for each in one["details"])


def catalogue():
    return yaml.safe_load(Path("catalogue.yaml").read_text())


def stack():
    text = Path("Pulumi.production.yaml").read_text()
    return yaml.safe_load(text)["config"]["platform-secrets:environment"]


CERTIFICATE = external_secret(
    "wildcard",
    refreshPolicy="CreatedOnce",
    target={
        "creationPolicy": "Orphan",
        "template": {
            "type": "kubernetes.io/tls",
            "metadata": {"annotations": {"cert-manager.io/common-name": ""}},
        },
    },
    dataFrom=[extract("wildcard-tls", decodingStrategy="Base64")],
)


def test_a_home_platform_of_flux_with_one_item_for_each_program(run):
    flux = "kustomize.toolkit.fluxcd.io/v1"
    values = {
        "controllers": {
            "photos": {
                "containers": {"app": {"envFrom": [{"secretRef": {"name": "photos-secret"}}]}}
            }
        }
    }
    files = {
        "flux/apps.yaml": [
            named(
                "Kustomization",
                "photos",
                "flux-system",
                flux,
                spec={"path": "./apps/photos", "targetNamespace": "media"},
            )
        ],
        "apps/photos/secret.yaml": [
            external_secret(
                "photos",
                None,
                refreshInterval="5m",
                target={
                    "name": "photos-secret",
                    **template(
                        PHOTOS_DB="{{ .PHOTOS_PASSWORD }}",
                        URL="postgres://photos:{{ .PHOTOS_PASSWORD }}@{{ .POSTGRES_HOST }}/photos",
                    ),
                },
                dataFrom=[extract("photos"), extract("postgres")],
            )
        ],
        "apps/photos/release.yaml": [
            named(
                "HelmRelease", "photos", None, "helm.toolkit.fluxcd.io/v2", spec={"values": values}
            )
        ],
        "apps/photos/store.yaml": [
            named("ClusterSecretStore", "team", None, spec={"provider": {"onepassword": {}}})
        ],
    }
    code, found = run(files)
    assert (code, outcomes(found)) == (0, {"photos": ("exact", [])})
    assert stack()["namespace-name"] == "media"
    assert catalogue()["services"]["photos"]["reads"] == ["photos-secret"]


def test_a_certificate_of_which_every_property_is_decoded_has_its_two_keys(run):
    """What a pair of PushSecret and ExternalSecret moves from cluster to cluster."""
    code, found = run({"a.yaml": [CERTIFICATE]})
    assert (code, outcomes(found)) == (0, {"wildcard": ("different", ["dataFrom.extract"])})
    assert "only tls.crt and tls.key are read" in whys(found)
    keys = catalogue()["bundles"]["wildcard"]["keys"]
    assert {name: key["stored-as"] for name, key in keys.items()} == {
        "tls.crt": "base64",
        "tls.key": "base64",
    }


def test_where_a_template_names_what_is_decoded_nothing_is_different(run):
    decoded = external_secret(
        target=template(cert='{{ index . "tls.crt" }}'),
        dataFrom=[extract("wildcard-tls", decodingStrategy="Base64")],
    )
    store = named("ClusterSecretStore", "team", None, spec={"provider": {"onepassword": {}}})
    assert outcomes(run({"a.yaml": [decoded, store]})[1]) == {"app": ("exact", [])}
    assert catalogue()["bundles"]["app"]["keys"]["cert"]["stored-as"] == "base64"


def test_a_constant_that_a_template_quotes_is_one(run):
    text = 'path: {{ printf "%q" "{{album}}/{{y}}" }}\nkey: {{ .key }}\n'
    secret = external_secret(target=template(**{"app.yaml": text}), data=[reference("key", "a")])
    assert outcomes(run({"a.yaml": [secret]})[1]) == {"app": ("exact", [])}
    assert catalogue()["bundles"]["app"]["texts"]["app.yaml"] == (
        'path: "{{album}}/{{y}}"\nkey: ${a}\n'
    )


STORES = {
    "doppler": reference("API_KEY", "API_KEY"),
    "bitwardensecretsmanager": reference("API_KEY", "00000000-0000-4000-8000-000000000007"),
    "akeyless": reference("API_KEY", "/production/shop/api-key"),
    "infisical": reference("API_KEY", "/shop/API_KEY"),
    "gitlab": reference("API_KEY", "shop_api_key"),
    "oracle": reference("API_KEY", "shop-api-key", version="2"),
}


@pytest.mark.parametrize("provider", STORES)
def test_stores_of_other_providers_are_read_as_they_are(provider, run):
    store = named("ClusterSecretStore", "team", None, spec={"provider": {provider: {}}})
    code, found = run({"a.yaml": [external_secret(data=[STORES[provider]]), store]})
    assert (code, outcomes(found)) == (0, {"app": ("exact", [])})


def namespace(name, **labels):
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def everywhere(*selectors):
    spec = external_secret(data=[reference("ca.crt", "ca", property="crt")])["spec"]
    return named(
        "ClusterExternalSecret",
        "company-ca",
        None,
        spec={"externalSecretSpec": spec, "namespaceSelectors": [*selectors]},
    )


NAMESPACES = [
    namespace("shop", tier="app"),
    namespace("ops", tier="ops"),
    namespace("billing", tier="app", pci="yes"),
]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({"matchLabels": {"tier": "app"}}, ["billing", "shop"]),
        ({"matchLabels": {"tier": "app", "pci": "yes"}}, ["billing"]),
        ({"matchExpressions": [{"key": "pci", "operator": "DoesNotExist"}]}, ["ops", "shop"]),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["app"]}]}, ["ops"]),
        ({"matchExpressions": [{"key": "pci", "operator": "Exists"}]}, ["billing"]),
        ({}, ["billing", "ops", "shop"]),
    ],
)
def test_a_company_s_secret_is_in_the_namespaces_whose_labels_it_chooses(selector, chosen, run):
    code, found = run({"a.yaml": [everywhere(selector), *NAMESPACES]})
    assert (code, outcomes(found)) == (0, {"company-ca": ("different", ["namespaceSelectors"])})
    assert f"it chooses {', '.join(chosen)}; one that comes later" in whys(found)
    names = [f"{one}-company-ca" if len(chosen) > 1 else "company-ca" for one in chosen]
    assert [*catalogue()["bundles"]] == names


def generated(name, generator, **spec):
    source = {"sourceRef": {"generatorRef": {"apiVersion": GENERATORS, **generator}}}
    return external_secret(name, refreshInterval="0", dataFrom=[source], **spec)


@pytest.mark.parametrize("has_store", [True, False])
def test_what_a_generator_has_made_is_a_bundle_until_a_store_has_it(has_store, run):
    cluster_wide = named(
        "ClusterGenerator", "ids", None, GENERATORS, spec={"kind": "UUID", "generator": {}}
    )
    target = template(USER="admin", LOGIN="{{ .password }}", URL="x://{{ .password }}@db")
    manifests = [
        generated("admin", {"kind": "Password", "name": "long"}, target=target),
        generated("id", {"kind": "ClusterGenerator", "name": "ids"}),
        cluster_wide,
    ]
    manifests += [external_secret(data=[reference("a", "b")])] if has_store else []
    code, found = run({"a.yaml": manifests})
    there = {"app": ("exact", [])} if has_store else {}
    made = {"admin": ("different", ["data"]), "id": ("different", ["data"])}
    assert (code, outcomes(found)) == (0, made | there)
    assert [*catalogue()["bundles"]["admin"]["keys"]] == ["USER", "LOGIN", "URL"]
    assert (stack().get("without") == {"bundles": ["admin", "id"]}) == has_store
    text = Path("catalogue.yaml").read_text()
    assert text.count("# rotate: {by: generate, every: 90d}\n") == 1
    assert text.count("# rotate: {by: generate, every: 90d, alphabet: uuid}\n") == 1
    Path("catalogue.yaml").write_text(text.replace("        # ", "        "))
    assert main(["render"]) == 0


@pytest.mark.parametrize(
    ("generator", "told"),
    [
        ({"kind": "ECRAuthorizationToken", "name": "ecr"}, "`provider: ecr-token`"),
        ({"kind": "Webhook", "name": "hook"}, "keep it as it is"),
        ({"kind": "ClusterGenerator", "name": "elsewhere"}, "keep it as it is"),
    ],
)
def test_a_generator_of_what_does_not_last_is_told(generator, told, run):
    code, found = run({"a.yaml": [generated("token", generator)]})
    assert (code, outcomes(found)) == (1, {"token": ("left out", ["dataFrom[0].sourceRef"])})
    assert told in whys(found)


RENAMED = {
    "one of several entries": (
        [extract("other"), extract("actual", ("^password$", "ACTUAL"))],
        "{{ .ACTUAL }}{{ .password }}",
    ),
    "a dot in a name": ([extract("actual", (r"^tls\.key$", "KEY"))], "{{ .KEY }}"),
    "something behind": ([extract("actual", ("(.*)", "${1}_db"))], "{{ .user_db }}"),
    "something around": ([extract("actual", ("^(.*)$", "a_${1}.b"))], '{{ index . "a_user.b" }}'),
}


@pytest.mark.parametrize("way", RENAMED)
def test_names_that_a_rewrite_has_changed_are_known(way, run):
    sources, text = RENAMED[way]
    stores = named("ClusterSecretStore", "team", None, spec={"provider": {"vault": {}}})
    secret = external_secret(target=template(A=text), dataFrom=sources)
    code, found = run({"a.yaml": [secret, stores]})
    assert (code, outcomes(found)) == (0, {"app": ("exact", [])})
    properties = {
        key.get("property", name) for name, key in stack()["bundles"]["app"].get("keys", {}).items()
    }
    assert properties >= (
        {"tls.key"} if "dot" in way else {"password"} if "one" in way else {"user"}
    )


@pytest.mark.parametrize(
    "rules",
    [
        [("^a$", "b"), ("^b$", "c")],
        [("pass", "PASS")],
        [("(.*)", "$1_db")],
        [("^(.)(.*)$", "$2")],
    ],
)
def test_a_rewrite_that_computes_names_is_told(rules, run):
    secret = external_secret(target=template(A="{{ .a }}"), dataFrom=[extract("actual", *rules)])
    assert outcomes(run({"a.yaml": [secret]})[1])["app"] == ("left out", ["dataFrom[0].rewrite"])


def test_references_that_name_the_same_store_themselves_are_of_it(run):
    source = {"sourceRef": {"storeRef": TEAM}}
    own = external_secret("own", data=[{**reference("a", "b"), **source}])
    del own["spec"]["secretStoreRef"]
    files = {"a.yaml": [own, external_secret("app", data=[{**reference("a", "b"), **source}])]}
    code, found = run(files)
    assert (code, outcomes(found)) == (0, {"own": ("exact", []), "app": ("exact", [])})
    other = {"sourceRef": {"storeRef": {"kind": "SecretStore", "name": "team"}}}
    both = external_secret("both", data=[reference("a", "b"), {**reference("c", "d"), **other}])
    assert outcomes(run({"a.yaml": [both]})[1])["both"] == ("left out", ["data[1].sourceRef"])


def test_what_a_base_and_its_overlay_say_alike_is_taken_once(run):
    same = external_secret(data=[reference("a", "b")])
    code, found = run({"base/a.yaml": [same], "overlays/production/a.yaml": [same]})
    assert (code, [one["outcome"] for one in found]) == (0, ["exact", "exact"])
    assert [one["file"] for one in found] == [
        "manifests/base/a.yaml",
        "manifests/overlays/production/a.yaml",
    ]


def test_what_they_say_differently_is_told(run):
    here, there = (external_secret(data=[reference("a", key)]) for key in ("b", "c"))
    code, found = run({"base/a.yaml": [here], "overlays/production/a.yaml": [there]})
    assert (code, [one["outcome"] for one in found]) == (1, ["left out", "exact"])
    assert "its Secret is also manifests/base/a.yaml:1's" in whys(found)


def test_a_plain_secret_has_the_keys_of_its_patches_too(run):
    secrets = [named("Secret", "old", api="v1", stringData={key: "x"}) for key in "ab"]
    assert run({"base/a.yaml": secrets[:1], "overlay/a.yaml": secrets[1:]})[0] == 0
    assert [*catalogue()["bundles"]["old"]["keys"]] == ["a", "b"]


@pytest.mark.parametrize("field", ["envs", "env"])
def test_a_generated_secret_has_the_keys_of_its_env_file(field, run):
    canary = "no-value-of-it"
    Path("manifests").mkdir()
    Path("manifests/.env.production").write_text(
        f"# comment={canary}\n\nDB_USER={canary}\nDB_PASSWORD={canary}=\n"
    )
    files: str | list[str] = ".env.production" if field == "env" else [".env.production"]
    generators = [{"name": "old", "literals": [f"MODE={canary}"], field: files}]
    kustomization = yaml.safe_dump({"namespace": "shop", "secretGenerator": generators})
    code, found = run({"kustomization.yaml": kustomization})
    assert code == 0
    assert [*catalogue()["bundles"]["old"]["keys"]] == ["MODE", "DB_USER", "DB_PASSWORD"]
    written = [path.read_text() for path in Path().glob("*.yaml")]
    assert canary not in json.dumps(found) + "".join(written)


def provider_class(name, **spec):
    spec = {"provider": "vault", "parameters": {"objects": "- objectName: a\n"}, **spec}
    return named("SecretProviderClass", name, api="secrets-store.csi.x-k8s.io/v1", spec=spec)


def test_what_a_csi_driver_syncs_is_a_bundle_with_its_readers(run):
    synced = [
        {"secretName": "db", "type": "Opaque", "data": [{"key": "PASSWORD", "objectName": "a"}]}
    ]
    volume = {
        "name": "a",
        "csi": {
            "driver": "secrets-store.csi.k8s.io",
            "volumeAttributes": {"secretProviderClass": "synced"},
        },
    }
    pod = {"containers": [{"name": "a"}], "volumes": [volume]}
    workload = named("Deployment", "web", api="apps/v1", spec={"template": {"spec": pod}})
    manifests = [provider_class("synced", secretObjects=synced), provider_class("mounted")]
    other = external_secret(data=[reference("a", "b")])
    code, found = run({"a.yaml": [*manifests, workload, other]})
    assert code == 1
    assert outcomes(found) == {
        "app": ("exact", []),
        "synced": ("different", ["data"]),
        "mounted": ("left out", [""]),
    }
    assert "a CSI driver makes it, so the stack file leaves its bundle out" in whys(found)
    assert "has values mounted that are in no Secret; keep it as it is" in whys(found)
    assert catalogue()["services"]["web"]["reads"] == ["db"]


RENDERED_BY_HELM = """\
---
# Source: shop/templates/externalsecret.yaml
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata:
  name: release-shop
  labels: {helm.sh/chart: shop-1.2.3, app.kubernetes.io/managed-by: Helm}
spec:
  refreshInterval: 1h
  secretStoreRef: {name: aws, kind: SecretStore}
  target: {name: release-shop, creationPolicy: Owner}
  data:
    - {secretKey: URL, remoteRef: {key: prod/shop, property: url, conversionStrategy: Default}}
---
# Source: shop/templates/tests/connection.yaml
---
# Source: shop/templates/migrate.yaml
apiVersion: batch/v1
kind: Job
metadata:
  name: "release-shop-migrate"
  annotations: {"helm.sh/hook": pre-upgrade}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - {name: migrate, envFrom: [{secretRef: {name: release-shop, optional: true}}]}
"""


def test_what_helm_prints_is_in_the_namespace_that_is_given(run):
    code, found = run({"rendered.yaml": RENDERED_BY_HELM}, "--default-namespace", "shop-live")
    assert (code, outcomes(found)) == (0, {"release-shop": ("exact", [])})
    assert stack()["namespace-name"] == "shop-live"
    assert catalogue()["services"]["release-shop-migrate"]["reads"] == ["release-shop"]
