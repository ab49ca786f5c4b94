"""`secretsctl import` of another environment of a platform whose catalogue is there."""

import json
from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main
from tests.test_import import TEAM, deployment, external_secret, reference

SPACES = ("shop", "billing")


def app_env(space, environment, keys=("user", "password"), **spec):
    """A Secret of the same name in each namespace, whose entries are the environment's own."""
    found = external_secret("app-env", f"{space}-{environment}", **spec)
    found["spec"]["data"] = [reference(one, f"{environment}/{space}", property=one) for one in keys]
    return found


def url(environment, text="db://{{ .user }}:{{ .password }}@db/x", name="ledger-env", **more):
    names = ("user", "password")
    values = [reference(one, f"{environment}/db", property=one) for one in names]
    template = {"data": {"URL": text, **more}}
    namespace = f"shop-{environment}"
    return external_secret(name, namespace, data=values, target={"template": template})


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("manifests").mkdir()

    def run(environment, *manifests, arguments=()):
        Path("manifests", "all.yaml").write_text(yaml.safe_dump_all([*manifests, TEAM]))
        options = ["--from", "manifests", "--name", "shop", "--env", environment, "--json"]
        capsys.readouterr()
        code = main(["import", *options, *arguments])
        output = capsys.readouterr()
        return code, json.loads(output.out) if output.out else output.err

    return run


def catalogue():
    return yaml.safe_load(Path("catalogue.yaml").read_text())


def stack(environment):
    text = Path(f"Pulumi.{environment}.yaml").read_text()
    return yaml.safe_load(text)["config"]["platform-secrets:environment"]


def outcomes(report):
    return {(one["namespace"], one["name"]): one["outcome"] for one in report["manifests"]}


def test_the_same_platform_elsewhere_is_a_stack_file_of_its_own(run):
    for environment in ("production", "staging"):
        there = [app_env(space, environment) for space in SPACES]
        there += [deployment("web", f"{space}-{environment}", "app-env") for space in SPACES]
        there.append(url(environment))
        code, report = run(environment, *there)
        assert (code, {*outcomes(report).values()}) == (0, {"exact"}), report
    assert [*map(Path, report["wrote"])] == [Path("Pulumi.staging.yaml")]
    assert {*catalogue()["services"]} == {f"{space}-web-deployment" for space in SPACES}
    own = stack("staging")["bundles"]["billing-app-env"]
    assert own["keys"]["user"] == {"entry": "staging/billing", "property": "user"}
    assert stack("staging")["namespaces"]["billing-staging"]["bundles"] == ["billing-app-env"]
    assert main(["render", "--all"]) == 0
    assert run("staging", *there)[1]["wrote"] == []


def test_what_is_new_there_is_left_out_elsewhere(run):
    run("production", app_env("shop", "production"))
    before = Path("catalogue.yaml").read_text()
    more = app_env("shop", "staging", ("user", "password", "debug"))
    new = external_secret("tools", "shop-staging", data=[reference("token", "staging/tools")])
    code, report = run("staging", more, new)
    assert (code, {*outcomes(report).values()}) == (0, {"exact"})
    assert Path("catalogue.yaml").read_text().startswith(before.rstrip())
    assert stack("production")["without"] == {"bundles": ["tools"], "keys": ["app-env/debug"]}
    assert report["left-out-in-others"] == {
        "Pulumi.production.yaml": {"bundles": ["tools"], "keys": ["app-env/debug"]}
    }
    assert "without" not in stack("staging")
    assert main(["render", "--all"]) == 0


def test_what_is_not_there_is_left_out_there(run):
    old = external_secret("tools", "shop-production", data=[reference("token", "prod/tools")])
    run("production", app_env("shop", "production"), old)
    code, report = run("staging", app_env("shop", "staging", ("user",)))
    assert (code, {*outcomes(report).values()}) == (0, {"exact"})
    assert stack("staging")["without"] == {"bundles": ["tools"], "keys": ["app-env/password"]}
    assert report["left-out-here"] == ["tools"]
    assert main(["render", "--all"]) == 0


@pytest.mark.parametrize(
    ("there", "field"),
    [
        (url("staging", "db://{{ .user }}:{{ .password }}@db.staging/x"), "texts.URL"),
        (url("staging", MODE="staging"), "texts.MODE"),
        (app_env("shop", "staging", target={"template": {"type": "example.org/x"}}), "type"),
    ],
)
def test_what_no_stack_file_can_say_is_not_taken_and_told(there, field, run):
    run("production", app_env("shop", "production"), url("production"))
    same = external_secret("same", "shop-staging", data=[reference("A", "staging/a")])
    code, report = run("staging", there, same)
    [told] = [one for one in report["manifests"] if one["outcome"] == "left out"]
    assert (code, told["details"][0]["field"]) == (1, field)
    assert there["metadata"]["name"] in stack("staging")["without"]["bundles"]
    assert main(["render", "--all"]) == 0


def test_a_plain_secret_there_is_left_out_until_it_has_a_store(run):
    run("production", app_env("shop", "production"), url("production"))
    metadata = {"name": "app-env", "namespace": "shop-staging"}
    plain = {"kind": "Secret", "metadata": metadata, "data": {"user": "", "password": ""}}
    code, report = run("staging", plain, url("staging"))
    assert (code, outcomes(report)["shop-staging", "app-env"]) == (0, "different")
    assert stack("staging")["without"] == {"bundles": ["app-env"]}
    assert "app-env" not in stack("staging")["bundles"]
    assert main(["render", "--all"]) == 0


def test_nothing_is_written_where_nothing_is_taken(run):
    run("production", app_env("shop", "production"))
    before = Path("catalogue.yaml").read_text()
    code, report = run("staging", url("staging", "{{ if .user }}a{{ end }}"))
    assert (code, report["wrote"]) == (1, [])
    assert not Path("Pulumi.staging.yaml").exists()
    assert Path("catalogue.yaml").read_text() == before


def test_an_environment_has_one_stack_file(run):
    run("production", app_env("shop", "production"))
    Path("Pulumi.production.yaml").rename("Pulumi.prod.yaml")
    code, message = run("production", app_env("shop", "production"))
    assert code == 2
    assert "Pulumi.prod.yaml is of this environment already" in message
    assert not Path("Pulumi.production.yaml").exists()


def test_a_key_that_only_one_environment_gets_later_is_left_out_in_the_other(run):
    for environment in ("production", "staging"):
        run(environment, app_env("shop", environment))
    run("staging", app_env("shop", "staging", ("user", "password", "debug")))
    assert stack("production")["without"] == {"keys": ["app-env/debug"]}
    assert "debug" in catalogue()["bundles"]["app-env"]["keys"]
    assert main(["render", "--all"]) == 0


def test_a_text_that_one_environment_alone_has_is_told(run):
    """No stack file can leave it out elsewhere."""
    for environment in ("production", "staging"):
        run(environment, url(environment))
    before = Path("catalogue.yaml").read_text()
    _, report = run("staging", url("staging", MODE="staging"))
    [told] = [one for one in report["manifests"] if one["details"]]
    assert (told["details"][0]["field"], told["outcome"]) == ("data.MODE", "different")
    assert Path("catalogue.yaml").read_text() == before


def test_new_texts_are_added_with_the_keys_they_are_made_of(run):
    run("production", url("production"))
    more = url("production", MODE="loud", DSN="{{ .user }}/{{ .host }}")
    more["spec"]["data"].append(reference("host", "production/db", property="host"))
    code, report = run("production", more)
    assert (code, {*outcomes(report).values()}) == (0, {"exact"})
    bundle = catalogue()["bundles"]["ledger-env"]
    assert bundle["texts"]["DSN"] == "${user}/${host}"
    assert bundle["texts"]["MODE"] == "loud"
    assert bundle["keys"]["host"] == {"description": "host of production/db", "hidden": True}
    assert run("production", more)[1]["wrote"] == []
    assert main(["render"]) == 0


def test_a_value_of_a_bundle_that_is_not_there_is_told(run):
    """What borrows it is not taken either."""
    user = reference("user", "production/shop", property="user")
    tools = external_secret("tools", "shop-production", data=[user])
    run("production", app_env("shop", "production"), tools)
    text = Path("catalogue.yaml").read_text()
    borrowed = yaml.safe_load(text)
    borrowed["bundles"]["tools"]["keys"]["user"] = {"description": "a", "same-as": "app-env/user"}
    Path("catalogue.yaml").write_text(yaml.safe_dump(borrowed, sort_keys=False))
    written = stack("production")
    del written["bundles"]["tools"]
    content = {"config": {"platform-secrets:environment": written}}
    Path("Pulumi.production.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    tools["metadata"]["namespace"] = "shop-staging"
    same = external_secret("same", "shop-staging", data=[reference("A", "staging/a")])
    code, report = run("staging", tools, same)
    [told] = [one for one in report["manifests"] if one["outcome"] == "left out"]
    assert (code, told["name"], told["details"][0]["field"]) == (1, "tools", "same-as")
    assert main(["render", "--all"]) == 0


def test_a_stack_that_follows_is_of_the_same_environment_and_gets_what_is_new(run):
    run("production", app_env("shop", "production"), url("production"))
    own, follower = Path("Pulumi.production.yaml"), Path("Pulumi.production-b.yaml")
    follows = "    rotation: follower\n"
    follower.write_text(own.read_text() + follows)
    late = [app_env("billing", "production"), url("production", MODE="{{ .user }}-x")]
    code, report = run("production", app_env("shop", "production"), *late)
    assert (code, {*outcomes(report).values()}) == (0, {"exact"}), report
    assert report["left-out-in-others"] == {}
    assert {*map(Path, report["wrote"])} == {Path("catalogue.yaml"), own, follower}
    assert stack("production-b") == {**stack("production"), "rotation": "follower"}
    assert "billing-app-env" in stack("production")["bundles"]
