"""`secretsctl import`: what stands in manifests, as a catalogue and a stack file that render it."""

import json
import secrets
from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import catalogue_document, load, stack_document

API = "external-secrets.io/v1"


def external_secret(name="ledger", namespace: str | None = "shop", **spec):
    store = {"kind": "ClusterSecretStore", "name": "team"}
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": API,
        "kind": "ExternalSecret",
        "metadata": {"name": name, **place},
        "spec": {"refreshInterval": "1h", "secretStoreRef": store, **spec},
    }


def reference(name, key="apps/ledger", **more):
    return {"secretKey": name, "remoteRef": {"key": key, **more}}


def templated(data, template_data, **template):
    target = {"name": "ledger-env", "template": {"data": template_data, **template}}
    return external_secret(target=target, data=data)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(home, capsys):
    def run(*manifests, arguments=()):
        texts = [one if isinstance(one, str) else yaml.safe_dump(one) for one in manifests]
        Path("manifests").mkdir(exist_ok=True)
        Path("manifests", "all.yaml").write_text("---\n".join(texts))
        code = main(["import", "--from", "manifests", "--name", "shop", "--json", *arguments])
        output = capsys.readouterr()
        return code, json.loads(output.out) if output.out else output.err

    return run


@pytest.fixture
def outcome(run):
    """The one manifest's outcome, and of what field it speaks."""

    def outcome(*manifests):
        _, report = run(*manifests)
        [one] = report["manifests"]
        return one["outcome"], [each["field"] for each in one["details"]]

    return outcome


def forget():
    Path("catalogue.yaml").unlink()
    Path("Pulumi.production.yaml").unlink()


def catalogue():
    return yaml.safe_load(Path("catalogue.yaml").read_text())


def stack():
    text = Path("Pulumi.production.yaml").read_text()
    return yaml.safe_load(text)["config"]["platform-secrets:environment"]


USER, PASSWORD = reference("user", property="user"), reference("pw", property="password")
SHAPES = {
    "a reference for each key": external_secret(data=[USER, PASSWORD]),
    "whole values": external_secret(data=[reference("A", "a"), reference("B", "b", version="7")]),
    "an older version": external_secret(data=[USER])
    | {"apiVersion": "external-secrets.io/v1beta1"},
    "a URL of a template": templated(
        [USER, PASSWORD],
        {
            "URL": "db://{{ .user }}:{{ .pw | urlquery | replace `+` `%20` }}@db/x",
            "PW": "{{ .pw }}",
        },
    ),
    "an entry that a template takes apart": external_secret(
        target={"name": "env", "template": {"data": {"APP_PW": "{{ .password }}"}}},
        dataFrom=[{"extract": {"key": "apps/ledger"}}],
    ),
    "two entries with a prefix each": external_secret(
        target={"template": {"data": {"A": "{{ .a_login }}", "B": "{{ .b_login }}"}}},
        dataFrom=[
            {
                "extract": {"key": f"apps/{side}"},
                "rewrite": [{"regexp": {"source": "(.*)", "target": f"{side}_$1"}}],
            }
            for side in "ab"
        ],
    ),
    "a file with a constant": templated(
        [PASSWORD],
        {"app.ini": "[db]\npassword = {{ .pw | toString }}\n${HOME}\n", "MODE": "production"},
    ),
    "bytes": external_secret(
        data=[reference("tls.crt", decodingStrategy="Base64"), reference("tls.key", "b")],
        target={"template": {"type": "kubernetes.io/tls"}},
    ),
    "a pull secret": templated(
        [USER, PASSWORD],
        {
            ".dockerconfigjson": '{"auths": {"ghcr.io": {"username": "{{ .user }}", '
            '"password": "{{ .pw }}", "auth": "{{ printf "%s:%s" .user .pw | b64enc }}"}}}'
        },
        type="kubernetes.io/dockerconfigjson",
    ),
    "labels, and what becomes of the Secret": external_secret(
        data=[USER],
        target={
            "deletionPolicy": "Delete",
            "template": {"metadata": {"labels": {"team": "ops"}, "annotations": {"note": "a b"}}},
        },
    ),
    "an entry taken whole": external_secret(dataFrom=[{"extract": {"key": "apps/ledger"}}]),
    "an entry taken whole, and more": external_secret(
        data=[reference("EXTRA", "apps/other", property="x")],
        dataFrom=[{"extract": {"key": "apps/ledger"}}],
        target={"template": {"mergePolicy": "Merge", "data": {"U": "{{ .user }}@{{ .EXTRA }}"}}},
    ),
    "several entries under one template": external_secret(
        data=[reference("EXTRA", "apps/other", property="x")],
        dataFrom=[{"extract": {"key": one}} for one in ("apps/ledger", "apps/db", "apps/ledger")],
        target={"template": {"data": {"URL": "db://{{ .user }}@{{ .EXTRA }}", "P": "{{ .pw }}"}}},
    ),
    "several entries under one template, and one with a prefix": external_secret(
        dataFrom=[
            {"extract": {"key": "apps/ledger"}},
            {"extract": {"key": "apps/db"}},
            {
                "extract": {"key": "mail"},
                "rewrite": [{"regexp": {"source": "(.*)", "target": "mail_$1"}}],
            },
        ],
        target={"template": {"data": {"URL": "db://{{ .user }}@{{ .mail_host }}"}}},
    ),
    "a Secret that stays when its ExternalSecret goes": external_secret(
        data=[USER], target={"creationPolicy": "Orphan"}
    ),
    "a text without anything in it": templated([USER], {"A": "", "B": "{{ .user }}"}),
    "several entries taken whole": external_secret(
        dataFrom=[{"extract": {"key": one}} for one in ("apps/ledger", "apps/db")],
        target={"template": {"mergePolicy": "Merge", "data": {"U": "{{ .user }}", "V": "v"}}},
    ),
    "only when asked": external_secret(data=[USER], refreshInterval="0"),
    "half an hour and more": external_secret(data=[USER], refreshInterval="1h30m"),
}
TEAM = {
    "apiVersion": API,
    "kind": "ClusterSecretStore",
    "metadata": {"name": "team"},
    "spec": {"provider": {"vault": {}}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_operator_does_the_same_with_what_is_rendered(shape, run):
    code, report = run(SHAPES[shape], TEAM)
    assert [(one["outcome"], one["details"]) for one in report["manifests"]] == [("exact", [])]
    assert code == 0
    assert main(["render"]) == 0


@pytest.mark.parametrize("way", ["extract", "reference"])
def test_a_store_that_may_know_one_way_alone_is_read_that_way(way, run):
    """That of a provider that is not known, or of which no manifest is there."""
    shapes = {
        "extract": "an entry that a template takes apart",
        "reference": "a reference for each key",
    }
    code, report = run(SHAPES[shapes[way]])
    assert (code, report["manifests"][0]["outcome"]) == (0, "exact")


def test_the_catalogue_has_the_names_that_programs_have(run):
    run(SHAPES["a URL of a template"])
    assert catalogue()["bundles"] == {
        "ledger-env": {
            "secret": "ledger-env",
            "texts": {"URL": "db://${user}:${PW|url}@db/x"},
            "keys": {
                "PW": {"description": "password of apps/ledger"},
                "user": {"description": "user of apps/ledger", "hidden": True},
            },
        }
    }
    assert stack()["bundles"]["ledger-env"]["keys"] == {
        "PW": {"entry": "apps/ledger", "property": "password"},
        "user": {"entry": "apps/ledger", "property": "user"},
    }
    assert stack()["stores"] == {
        "team": {"provider": "existing", "kind": "ClusterSecretStore", "name": "team"}
    }


def test_nothing_is_invented(run):
    run(*SHAPES.values())
    keys = [key for one in catalogue()["bundles"].values() for key in one["keys"].values()]
    assert {name for key in keys for name in key} <= {"description", "stored-as", "hidden"}


def test_what_a_name_lets_suppose_is_a_comment_that_may_become_a_line(run):
    names = ("DATABASE_URL", "redisUri", "MYSQL_URL", "API_KEY", "user", "key", "clientSecret")
    run(external_secret(data=[reference(one, one) for one in names]))
    text = Path("catalogue.yaml").read_text()
    comments = [line.strip() for line in text.splitlines() if line.startswith("        #")]
    rotation = "# rotate: {by: hand, max-age: 180d}"
    assert comments == ["# format: postgres-url", "# format: redis-url", rotation, rotation]
    before = catalogue()["bundles"]["ledger"]["keys"]
    assert {name for key in before.values() for name in key} == {"description"}
    Path("catalogue.yaml").write_text(text.replace("        # ", "        "))
    taken = {
        name: {*key} - {"description"}
        for name, key in catalogue()["bundles"]["ledger"]["keys"].items()
    }
    assert {name: each for name, each in taken.items() if each} == {
        "DATABASE_URL": {"format"},
        "redisUri": {"format"},
        "API_KEY": {"rotate"},
        "clientSecret": {"rotate"},
    }
    assert main(["render"]) == 0


def test_secrets_of_several_namespaces_are_in_them(run):
    many = [external_secret(f"in-{name}", name, data=[USER]) for name in ("shop", "shop", "ops")]
    many[1]["metadata"]["name"] = "another"
    code, _ = run(*many)
    assert code == 0
    assert stack()["namespace-name"] == "shop"
    assert stack()["namespaces"] == {"ops": {"namespace": "existing", "bundles": ["in-ops"]}}


def test_who_reads_is_a_service(run):
    pod = {
        "containers": [
            {"env": [{"valueFrom": {"secretKeyRef": {"name": "ledger", "key": "user"}}}]},
            {"envFrom": [{"secretRef": {"name": "other"}}]},
        ]
    }
    workload = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    run(external_secret(data=[USER]), workload | {"spec": {"template": {"spec": pod}}})
    assert catalogue()["services"] == {
        "web": {"workload": "Deployment/web", "service-account": "none", "reads": ["ledger"]}
    }


def test_what_an_account_has_kubelets_log_in_with_its_pods_read(run):
    account = {"kind": "ServiceAccount", "imagePullSecrets": [{"name": "ledger"}]}
    account["metadata"] = {"name": "puller", "namespace": "shop"}
    pods = {
        "inherits": {"containers": [], "serviceAccountName": "puller"},
        "its own": {
            "containers": [],
            "serviceAccountName": "puller",
            "imagePullSecrets": [{"name": "other"}],
        },
        "another account": {"containers": []},
    }
    workloads = [
        {"kind": "Deployment", "spec": pod}
        | {"metadata": {"name": name.replace(" ", "-"), "namespace": "shop"}}
        for name, pod in pods.items()
    ]
    run(external_secret(data=[USER]), account, *workloads)
    assert [*catalogue()["services"]] == ["inherits"]


def test_a_cluster_tells_which_namespaces_a_cluster_external_secret_is_in(outcome):
    spec = {"externalSecretSpec": external_secret(data=[USER])["spec"]}
    spec |= {"namespaceSelectors": [{"matchLabels": {"team": "ops"}}]}
    everywhere = {"kind": "ClusterExternalSecret", "metadata": {"name": "ledger"}, "spec": spec}
    assert outcome(everywhere) == ("left out", ["namespaceSelectors"])
    status = {"provisionedNamespaces": ["ops", "shop"]}
    assert outcome(everywhere | {"status": status}) == ("exact", [])
    assert {*catalogue()["bundles"]} == {"ops-ledger", "shop-ledger"}


def test_namespaces_that_are_chosen_by_their_names_are_known(run):
    spec = {"externalSecretSpec": external_secret(data=[USER])["spec"]}
    name = "kubernetes.io/metadata.name"
    by_names = {"matchExpressions": [{"key": name, "operator": "In", "values": ["ops", "shop"]}]}
    spec |= {"namespaceSelectors": [{"matchLabels": {name: "billing"}}, by_names]}
    everywhere = {"kind": "ClusterExternalSecret", "metadata": {"name": "ledger"}, "spec": spec}
    assert run(everywhere)[0] == 0
    assert {*catalogue()["bundles"]} == {"ops-ledger", "shop-ledger", "billing-ledger"}
    forget()
    spec["namespaceSelectors"].append({"matchLabels": {name: "billing", "team": "ops"}})
    assert run(everywhere)[1]["manifests"][0]["details"][0]["field"] == "namespaceSelectors"


FROM_CONFIG_MAP = external_secret(
    data=[USER, PASSWORD],
    target={
        "template": {
            "data": {"MODE": "loud"},
            "templateFrom": [{"configMap": {"name": "texts", "items": [{"key": "app.ini"}]}}],
        }
    },
)
CONFIG_MAP = {
    "kind": "ConfigMap",
    "metadata": {"name": "texts", "namespace": "shop"},
    "data": {"app.ini": "user={{ .user }}\npw={{ .pw }}\n", "other": "{{ .nobody }}"},
}


def test_the_template_of_a_config_map_is_texts_from_now_on(run):
    code, report = run(FROM_CONFIG_MAP, CONFIG_MAP)
    [one] = report["manifests"]
    assert (code, one["outcome"]) == (0, "different")
    assert one["details"] == [
        {
            "field": "target.template.templateFrom",
            "why": "the texts of ConfigMap texts are the catalogue's from now on",
        }
    ]
    assert catalogue()["bundles"]["ledger"]["texts"] == {
        "app.ini": "user=${user}\npw=${password}\n",
        "MODE": "loud",
    }
    assert main(["render"]) == 0


def test_a_config_map_that_kustomize_makes_of_a_file_is_that_file(run):
    Path("manifests").mkdir()
    Path("manifests/of.ini").write_text("user={{ .user }}\n")
    generators = [
        {"name": "texts", "files": ["app.ini=of.ini"]},
        {"name": "not asked for", "files": ["../nowhere"]},
    ]
    kustomization = {"namespace": "shop", "configMapGenerator": generators}
    Path("manifests/kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    _, report = run(FROM_CONFIG_MAP)
    assert [one["outcome"] for one in report["manifests"]] == ["different"]
    assert catalogue()["bundles"]["ledger"]["texts"]["app.ini"] == "user=${user}\n"


def test_a_config_map_that_is_not_there_is_named(run):
    _, report = run(FROM_CONFIG_MAP, external_secret("other", data=[USER]))
    [one] = [one for one in report["manifests"] if one["details"]]
    assert "app.ini of ConfigMap texts, which is not among these" in one["details"][0]["why"]


CLEANED = {"regexp": {"source": "[^a-zA-Z0-9 -]", "target": "_"}}
PREFIXED = {"regexp": {"source": "(.*)", "target": "app_$1"}}


@pytest.mark.parametrize(("name", "outcome"), [("token", "exact"), ("api_key", "different")])
def test_names_that_a_rewrite_has_cleaned_are_read_as_they_look(name, outcome, run):
    """It may have put the sign for another one, which is told."""
    extract = {"extract": {"key": "apps/ledger"}, "rewrite": [CLEANED, PREFIXED]}
    template = {"data": {"A": f"{{{{ .app_{name} }}}}"}}
    code, report = run(external_secret(dataFrom=[extract], target={"template": template}))
    [one] = report["manifests"]
    assert (code, one["outcome"]) == (0, outcome)
    assert stack()["bundles"]["ledger"]["keys"] == {"A": {"property": name}}
    told = "".join(each["why"] for each in one["details"])
    assert ("api_key of apps/ledger: correct `property`" in told) == (name == "api_key")


def test_a_token_s_generator_is_told_with_what_this_program_has(run):
    source = {"sourceRef": {"generatorRef": {"kind": "ECRAuthorizationToken", "name": "ecr"}}}
    _, report = run(external_secret(dataFrom=[source]))
    [told] = report["manifests"][0]["details"]
    assert "`provider: ecr-token`" in told["why"]


def test_what_pushes_is_told(outcome):
    push = {"kind": "PushSecret", "metadata": {"name": "a", "namespace": "shop"}, "spec": {}}
    assert outcome(push) == ("left out", [""])


WHOLE = external_secret(dataFrom=[{"extract": {"key": "apps/ledger"}}])


def test_of_an_entry_that_is_taken_whole_the_names_are_those_of_its_secret(outcome):
    assert outcome(WHOLE) == ("exact", [])
    assert catalogue()["bundles"]["ledger"] == {"secret": "ledger", "whole-entry": True}
    forget()
    metadata = {"name": "ledger", "namespace": "shop"}
    secret = {"kind": "Secret", "metadata": metadata, "data": {"DB": "eA==", "MAIL": "eA=="}}
    assert outcome({"kind": "List", "items": [WHOLE, secret]}) == ("exact", [])
    assert [*catalogue()["bundles"]["ledger"]["keys"]] == ["DB", "MAIL"]


def test_of_several_entries_the_later_one_s_value_is_taken_as_before(run):
    keys = ("apps/ledger", "apps/db", "apps/ledger")
    run(external_secret(dataFrom=[{"extract": {"key": one}} for one in keys]), TEAM)
    assert stack()["bundles"]["ledger"] == {"entries": ["apps/db", "apps/ledger"]}


def test_two_sets_of_entries_that_are_read_as_one_are_told(outcome):
    prefixed = [{"regexp": {"source": "(.*)", "target": "b_$1"}}]
    entries = [{"extract": {"key": one}} for one in "ab"]
    entries += [{"extract": {"key": one}, "rewrite": prefixed} for one in "cd"]
    template = {"data": {"A": "{{ .x }}", "B": "{{ .b_x }}"}}
    found = outcome(external_secret(dataFrom=entries, target={"template": template}))
    assert found == ("left out", ["dataFrom"])


def test_no_value_of_a_secret_is_anywhere(run, home):
    value = secrets.token_hex(16)
    metadata = {
        "name": "ledger",
        "namespace": "shop",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": value},
    }
    secret = {"kind": "Secret", "metadata": metadata, "stringData": {"a": value}}
    _, report = run(WHOLE, secret | {"data": {"DB": value}})
    assert [*catalogue()["bundles"]["ledger"]["keys"]] == ["DB"]
    written = [path.read_text() for path in home.glob("*.yaml")]
    assert value not in json.dumps(report) + "".join(written)


METADATA = {"name": "old", "namespace": "shop", "labels": {"team": "ops"}}
SEALED = {"template": {"type": "example.org/x", "metadata": METADATA}, "encryptedData": {"A": "x"}}
PLAIN = {
    "a plain Secret": {
        "kind": "Secret",
        "metadata": METADATA,
        "type": "example.org/x",
        "stringData": {"A": "x"},
    },
    "one that SOPS has encrypted": {
        "kind": "Secret",
        "metadata": METADATA,
        "type": "example.org/x",
        "data": {"A": "ENC[x]"},
        "sops": {"mac": "ENC[x]"},
    },
    "a SealedSecret": {"kind": "SealedSecret", "metadata": METADATA, "spec": SEALED},
    "one that kustomize makes": {
        "kind": "Kustomization",
        "namespace": "shop",
        "secretGenerator": [
            {
                "name": "old",
                "type": "example.org/x",
                "literals": ["A=x"],
                "options": {"labels": {"team": "ops"}},
            }
        ],
    },
}
OLD = {
    "secret": "old",
    "type": "example.org/x",
    "labels": {"team": "ops"},
    "keys": {"A": {"description": "A of the Secret that is there"}},
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_secret_without_a_store_is_in_the_catalogue_and_left_out_until_it_has_one(kind, run):
    code, report = run(PLAIN[kind], external_secret(data=[USER]))
    assert code == 0
    assert catalogue()["bundles"]["old"] == OLD
    assert stack()["without"] == {"bundles": ["old"]}
    [why] = [one["details"][0]["why"] for one in report["manifests"] if one["details"]]
    assert "`secretsctl migrate old` (docs/migrating.md) copies them" in why
    assert main(["render"]) == 0


@pytest.mark.parametrize("kind", PLAIN)
def test_where_no_secret_has_a_store_they_are_basic_ones(kind, run):
    assert run(PLAIN[kind])[0] == 0
    assert catalogue()["bundles"] == {"old": OLD}
    assert stack()["secrets"] == "basic"
    assert main(["render"]) == 0


def test_basic_secrets_keep_their_namespaces(run):
    there = [
        {"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": {"A": ""}}
        for name, namespace in (("web", "shop"), ("mail", "shop"), ("web", "billing"))
    ]
    assert run(*there)[0] == 0
    assert stack()["namespace-name"] == "shop"
    assert stack()["namespaces"] == {
        "billing": {"namespace": "existing", "bundles": ["billing-web"]}
    }
    assert "without" not in stack()
    assert main(["render"]) == 0
    assert main(["example"]) == 0


def test_what_kubernetes_and_the_operator_made_is_no_bundle(run):
    owner = {"kind": "ExternalSecret", "name": "old"}
    made = [
        {"kind": "Secret", "metadata": METADATA | {"ownerReferences": [owner]}, "data": {"A": ""}},
        {"kind": "Secret", "metadata": {"name": "a"}, "type": "helm.sh/release.v1", "data": {}},
    ]
    run(external_secret(data=[USER]), *made)
    assert [*catalogue()["bundles"]] == ["ledger"]


def test_a_kustomization_that_lacks_its_kind_is_told_by_its_own_line(run):
    Path("manifests").mkdir()
    generated = "# mine\n---\n\nsecretGenerator: [{name: old, envs: [a.env]}]\n"
    Path("manifests/kustomization.yaml").write_text(generated)
    _, report = run(external_secret(data=[USER]))
    [one] = [one for one in report["manifests"] if one["kind"] == "Kustomization"]
    assert (one["line"], one["details"][0]["field"]) == (4, "secretGenerator.envs")


def test_an_external_secret_that_gets_its_secret_s_name_is_told(run, capsys):
    _, report = run(templated([USER], {"A": "{{ .user }}"}), external_secret("same", data=[USER]))
    assert {one["name"]: one["becomes"] for one in report["manifests"]} == {
        "ledger": "ledger-env",
        "same": None,
    }
    assert main(["import", "--from", "manifests", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(one.startswith("under another name: 1 (") for one in lines)
    assert "  manifests/all.yaml:1: ExternalSecret shop/ledger: becomes ledger-env" in lines


def test_charts_whose_workloads_are_not_seen_are_told_and_are_no_failure(run, capsys):
    place = {"name": "web", "namespace": "shop"}
    flux = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": place}
    argo = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": place}
    path = {"repoURL": "https://git.example.com/shop.git", "path": "apps"}
    values = {"envFrom": [{"secretRef": {"name": "ledger"}}]}
    there = [
        external_secret(data=[USER]),
        {**flux, "spec": {"chart": {"spec": {"chart": "web"}}, "values": values}},
        {**argo, "spec": {"source": {"chart": "web"}}},
        {**argo, "spec": {"sources": [path, {**path, "helm": {"valuesObject": values}}]}},
        {**argo, "spec": {"source": path}},
        {**argo, "apiVersion": "app.k8s.io/v1beta1", "spec": {"source": {"chart": "web"}}},
    ]
    code, report = run(*there)
    assert (code, [one["outcome"] for one in report["manifests"]]) == (0, ["exact"])
    assert [one["kind"] for one in report["charts"]] == ["HelmRelease", *["Application"] * 2]
    assert {one["why"] for one in report["charts"]} == {
        "what reads Secrets in them: helm template … | secretsctl import --from -"
    }
    assert main(["import", "--from", "manifests", "--check"]) == 0
    said, [line, *_] = capsys.readouterr().out, [one["line"] for one in report["charts"]]
    assert Path("manifests/all.yaml").read_text().splitlines()[line - 2] == "---"
    assert "charts, whose workloads are not seen: 3 (what reads Secrets in them: helm tem" in said
    assert f"  manifests/all.yaml:{line}: HelmRelease shop/web\n" in said


@pytest.mark.parametrize(
    ("kustomization", "file"),
    [
        ("namespace: ops\n", "manifests/kustomization.yaml"),
        (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            "metadata: {name: a}\nspec: {path: ./manifests, targetNamespace: ops}\n",
            "manifests/flux.yaml",
        ),
    ],
)
def test_a_namespace_that_a_tool_fills_in_is_known(kustomization, file, run):
    Path("manifests").mkdir()
    Path(file).write_text(kustomization)
    run(external_secret(namespace=None, data=[USER]))
    assert stack()["namespace-name"] == "ops"


def deployment(name, namespace, *secrets):
    container = {"envFrom": [{"secretRef": {"name": one}} for one in secrets]}
    pod = {"spec": {"containers": [container]}}
    place = {"name": name, "namespace": namespace}
    return {"kind": "Deployment", "metadata": place, "spec": {"template": pod}}


def test_secrets_and_workloads_of_one_name_are_in_several_namespaces(run):
    spaces = ("shop", "shop2", "kube-system")
    found = [external_secret(namespace=name, data=[USER]) for name in spaces]
    found += [deployment("web", name, "ledger") for name in spaces]
    code, report = run(*found, TEAM)
    assert (code, {one["outcome"] for one in report["manifests"]}) == (0, {"exact"})
    assert {*catalogue()["bundles"]} == {f"{name}-ledger" for name in spaces}
    assert {name: one["reads"] for name, one in catalogue()["services"].items()} == {
        f"{name}-web-deployment": [f"{name}-ledger"] for name in spaces
    }
    assert stack()["namespace-name"] == "shop"
    assert run(*found, TEAM)[1]["wrote"] == []
    assert main(["render"]) == 0
    [settings] = load(
        [stack_document(Path("Pulumi.production.yaml"))], catalogue_document(Path("catalogue.yaml"))
    )
    assert settings.readers["shop-ledger"] == ["Deployment/web"]
    assert settings.readers["shop2-ledger"] == ["Deployment/shop2/web"]


def test_secrets_of_one_name_that_no_store_has_are_in_their_namespaces(run):
    """Left out, each is where it is until it has a store."""
    spaces = ("shop", "billing")
    found = [
        {"kind": "Secret", "metadata": {"name": "old", "namespace": one}, "data": {"A": ""}}
        for one in spaces
    ]
    found += [deployment("web", one, "old") for one in spaces]
    external = external_secret(data=[USER])
    assert run(external, *found)[0] == 0
    assert stack()["without"] == {"bundles": ["shop-old", "billing-old"]}
    assert stack()["namespaces"] == {
        "billing": {"namespace": "existing", "bundles": ["billing-old"]}
    }
    assert run(external, *found)[1]["wrote"] == []
    assert main(["render"]) == 0


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (templated([USER], {"A": "{{ if .user }}a{{ else }}b{{ end }}"}), "template.data.A"),
        (templated([USER], {"A": "{{ .user | upper }}"}), "template.data.A"),
        (templated([USER], {"A": "{{ .nobody }}"}), "template.data.A"),
        (templated([USER], {}, templateFrom=[{"literal": "a: b"}]), "template.templateFrom"),
        (external_secret(dataFrom=[{"find": {"name": {"regexp": "a"}}}]), "dataFrom[0].find"),
        (external_secret(dataFrom=[{"sourceRef": {}}]), "dataFrom[0].sourceRef"),
        (external_secret(dataFrom=[{"sourceRef": {}}], secretStoreRef={}), "dataFrom[0].sourceRef"),
        (external_secret(data=[reference("A", decodingStrategy="Auto")]), "decodingStrategy"),
        (external_secret(data=[USER], target={"creationPolicy": "Merge"}), "creationPolicy"),
        (external_secret(data=[USER], secretStoreRef={}), "secretStoreRef"),
        (external_secret(namespace="${TEAM}", data=[USER]), "metadata.namespace"),
        (external_secret(data=[reference("lock")]), "keys.lock"),
    ],
)
def test_what_the_catalogue_can_t_say_is_left_out_and_told(manifest, field, run):
    code, report = run(manifest, external_secret("other", data=[USER]))
    by_name = {one["name"]: one for one in report["manifests"]}
    assert code == 1
    assert by_name["ledger"]["outcome"] == "left out"
    assert by_name["ledger"]["details"][0]["field"].endswith(field)
    assert [*catalogue()["bundles"]] == ["other"]


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (external_secret(data=[USER], target={"immutable": True}), "immutable"),
        (external_secret(data=[USER], refreshInterval="15s"), "refreshInterval"),
        (templated([USER], {"A": "a{{ .user | urlquery }}"}), "data.A"),
    ],
)
def test_what_the_operator_would_do_otherwise_is_told(manifest, field, run):
    code, report = run(manifest)
    [one] = report["manifests"]
    assert (code, one["outcome"]) == (0, "different")
    assert [each["field"].endswith(field) for each in one["details"]] == [True]
    forget()
    assert run(manifest, arguments=["--check"])[0] == 1
    assert not Path("catalogue.yaml").exists()


HELM = """kind: ExternalSecret
metadata:
  name: a
{{- if .Values.on }}
spec: {}
{{- end }}
"""


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [(HELM, 5, "Helm"), ("kind: Secret\nmetadata: [\n", 4, "invalid YAML")],
)
def test_a_document_that_can_t_be_read_is_told_by_its_line_and_the_rest_is_taken(
    text, line, why, run
):
    code, report = run(external_secret(data=[USER]), text)
    [unread] = report["unread"]
    assert (unread["line"] - len(yaml.safe_dump(external_secret(data=[USER])).splitlines())) == line
    assert code == 1
    assert why in unread["why"]
    assert [*catalogue()["bundles"]] == ["ledger"]


ANCHORS = """
kind: ExternalSecret
metadata: {name: ledger, namespace: shop}
spec:
  secretStoreRef: {kind: ClusterSecretStore, name: team}
  data:
    - secretKey: &key user
      remoteRef: {key: apps/ledger, property: *key}
    - secretKey: &key password
      remoteRef: {key: apps/ledger, property: *key}
"""


def test_an_alias_is_of_the_anchor_before_it(run):
    """An anchor may be there twice, as it may for Kubernetes' own parsers."""
    code, report = run(ANCHORS)
    assert (code, report["unread"]) == (0, [])
    places = stack()["bundles"]["ledger"]["keys"]
    assert {name: place["property"] for name, place in places.items()} == {
        "user": "user",
        "password": "password",
    }


def test_a_stack_file_without_its_catalogue_stays_as_it_is(run):
    Path("Pulumi.production.yaml").write_text("# mine\n")
    code, message = run(external_secret(data=[USER]))
    assert (code, Path("Pulumi.production.yaml").read_text()) == (2, "# mine\n")
    assert "Pulumi.production.yaml: is there already" in message


def test_a_folder_that_is_not_there_is_told(home, capsys):
    assert main(["import", "--from", "nowhere"]) == 2
    assert "--from: nowhere: no such file or folder" in capsys.readouterr().err
