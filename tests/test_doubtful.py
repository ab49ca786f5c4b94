"""What is allowed and seldom meant is a warning: it stops nothing, and is said once."""

import pytest

from platform_secrets.components.layer import Layer
from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import Document, load, warning_lines
from tests.declaring import declare
from tests.settings_files import BASIC, CATALOGUE, changed, stack, text_of

REAL = {
    "stores.vault.server": "https://vault.shop.internal:8200",
    "gitops.repository": "https://git.shop.internal/shop/secrets.git",
    "gitops.argocd.project": "shop",
}
BY_ENGINE = {"by": "database", "every": "180d"}
ENGINE = {
    "host": "db.shop.internal",
    "name": "shop",
    "admin-user": "admin",
    "users": ["shop_a", "shop_b"],
}
ENGINE["grants"] = ["shop_people"]


def a_stack(**changes):
    content = stack("vault")
    for path, value in {**REAL, **changes}.items():
        content = changed(content, path, value)
    return content


def warnings(content, catalogue=CATALOGUE, file="stack.yaml"):
    return warning_lines(load([Document(file, content)], Document("catalogue.yaml", catalogue)))


def test_there_are_none_of_settings_that_are_meant():
    assert warnings(a_stack()) == []
    assert warnings(BASIC) == []


@pytest.mark.parametrize(
    "server",
    [
        "https://vault.example.com:8200",
        "https://example.org",
        "https://vault.example.net/path",
        "https://vault.shop.example",
        "https://vault.invalid:8200",
    ],
)
def test_an_address_at_which_nothing_answers_is_told(server):
    assert warnings(a_stack(**{"stores.vault.server": server})) == [
        "stack.yaml: stores.vault.server: is a placeholder, where nothing answers; set your own"
    ]


@pytest.mark.parametrize(
    "server",
    ["https://vault.myexample.com", "https://example.company.com", "https://example-vault"],
)
def test_a_name_that_only_looks_like_it_is_none(server):
    assert warnings(a_stack(**{"stores.vault.server": server})) == []


TOKENS = (
    "stack.yaml: chart.version: does not know `rbac.serviceAccountTokenCreate`, so the operator"
)


@pytest.mark.parametrize("version", ["0.20.4", "2.4.1"])
def test_a_chart_that_lets_the_operator_ask_for_everybody_s_token_is_told(version):
    [line] = warnings(a_stack(**{"chart.version": version}))
    assert line.startswith(TOKENS)
    assert "take 2.5.0 or later" in line


@pytest.mark.parametrize(
    "changes",
    [
        {"chart.version": "2.5.0"},
        {"chart.version": "2.9.7"},
        {"chart.version": "0.20.4", "chart.path": "./chart"},
        {"chart.version": "0.20.4", "operator": "existing"},
        {"chart.version": "0.15.1", "chart.path": "./chart"},
        {"chart.version": "0.15.1", "operator": "existing"},
    ],
)
def test_a_chart_that_does_not_or_that_is_not_known_is_not_told(changes):
    assert warnings(a_stack(**changes)) == []


@pytest.mark.parametrize("version", ["2.10.0", "3.0.0"])
def test_a_chart_that_is_newer_than_what_is_known_is_told_and_taken(version):
    [line] = warnings(a_stack(**{"chart.version": version}))
    assert line.startswith("stack.yaml: chart.version: is newer than 2.9.0, the newest that")
    for unused in ({"chart.path": "./chart"}, {"operator": "existing"}):
        assert warnings(a_stack(**{"chart.version": version}, **unused)) == []


def test_a_project_of_argo_cd_that_allows_everything_is_told_where_it_is_protected():
    for named in ({"gitops.argocd": {}}, {"gitops.argocd.project": "default"}):
        [line] = warnings(a_stack(**named))
        assert line.startswith("stack.yaml: gitops.argocd.project: is `default`, which in Argo CD")
        assert warnings(a_stack(**named, protect=False)) == []


def test_a_platform_that_names_flux_alone_is_told_nothing_of_argo_cd():
    assert warnings(a_stack(**{"gitops.flux": {}})) == []
    assert len(warnings(a_stack(**{"gitops.flux": {}, "gitops.argocd": {}}))) == 1


def test_servers_on_disks_that_may_be_plain_are_told_where_they_are_protected():
    [line] = warnings(a_stack(**{"vault-server": {"product": "vault"}}))
    assert line.startswith("stack.yaml: vault-server.storage-class: is not set, and the cluster's")
    assert warnings(a_stack(**{"vault-server": {"product": "vault"}}, protect=False)) == []
    encrypted = {"product": "vault", "storage-class": "encrypted"}
    assert warnings(a_stack(**{"vault-server": encrypted})) == []


def test_a_bundle_that_no_service_reads_is_told():
    catalogue = changed(CATALOGUE, "services.web.reads", ["shared"])
    assert warnings(a_stack(), catalogue) == ["catalogue.yaml: bundles.mail: no service reads it"]


def test_what_the_kubelet_pulls_with_needs_no_service():
    pull = {
        "secret": "pull",
        "registries": {"registry.shop.internal": {"username-text": "shop", "password": "TOKEN"}},
        "keys": {"TOKEN": {"description": "may pull", "hidden": True}},
    }
    assert warnings(a_stack(), changed(CATALOGUE, "bundles.pull", pull)) == []


def test_a_database_s_key_in_a_store_without_an_engine_is_told():
    catalogue = changed(CATALOGUE, "bundles.shared.keys.database-url.rotate", BY_ENGINE)
    [line] = warnings(a_stack(), catalogue)
    assert line.startswith("stack.yaml: stores.vault: database-url is `by: database`")
    assert line.endswith("people must rotate it")
    declared = a_stack(**{"stores.vault.backend": "declare", "stores.vault.database": ENGINE})
    assert warnings(declared, catalogue) == []
    assert warnings(BASIC, catalogue) == []


def test_one_message_is_one_line_for_all_environments_with_its_first_places():
    stacks = [
        Document(f"{name}.yaml", {**stack("vault"), "environment": name, "protect": False})
        for name in ("a", "b")
    ]
    [line] = warning_lines(load(stacks, Document("catalogue.yaml", CATALOGUE)))
    assert line.startswith(
        "a.yaml: stores.vault.server, a.yaml: gitops.repository, b.yaml: stores.vault.server"
        " and 1 more: is a placeholder"
    )


def test_render_warns_with_the_line_and_does_its_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "catalogue.yaml").write_text(text_of(CATALOGUE))
    content = {"config": {"platform-secrets:environment": stack("vault")}}
    (tmp_path / "Pulumi.test.yaml").write_text(text_of(content))
    assert main(["render"]) == 0
    out, err = capsys.readouterr()
    assert "files" in out
    assert err.startswith("warning: Pulumi.test.yaml:8: stores.vault.server, ")
    assert main(["render", "--check"]) == 0
    assert capsys.readouterr().err == ""


def test_pulumi_shows_the_same_lines():
    [settings] = load([Document("stack.yaml", stack("vault"))], Document("c", CATALOGUE))
    found = declare(
        lambda: Layer("secrets", settings=settings, values={}, rotator={}), preview=True
    )
    assert set(warning_lines([settings])) <= set(found.warnings)
