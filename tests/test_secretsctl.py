"""The command line: what it writes, what it says, and how it ends."""

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from platform_secrets.manifests.layer import waves
from platform_secrets.secretsctl import commands
from platform_secrets.secretsctl.commands import main
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.secretsctl.rendering import rendered_files
from platform_secrets.secretsctl.schema import schema_texts
from platform_secrets.settings import (
    Problem,
    SettingsError,
    catalogue_document,
    load,
    stack_document,
)
from tests.declaring import PROJECT
from tests.platform import CATALOGUE_FILE, OWN_STACK_FILES, STACK_FILES


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the platform as the working directory; nothing is rendered."""
    for file in (CATALOGUE_FILE, *OWN_STACK_FILES):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Runs a command line in this process; gives its exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def _tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_committed_schemas_are_current(run, tmp_path):
    code, _, _ = run("schema", "--out", tmp_path / "new" / "schemas")
    assert code == 0
    assert _tree(tmp_path / "new" / "schemas") == _tree(PROJECT / "schemas")


def test_the_schemas_accept_every_file_and_refuse_unknown_keys():
    schemas = {name: json.loads(text) for name, text in schema_texts("platform-secrets").items()}
    content = yaml.safe_load(CATALOGUE_FILE.read_text())
    jsonschema.validate(content, schemas["catalogue.schema.json"])
    for file in STACK_FILES.values():
        content = yaml.safe_load(file.read_text())
        jsonschema.validate(content, schemas["stack.schema.json"])
    content["config"]["platform-secrets:environment"]["stors"] = {}
    with pytest.raises(jsonschema.ValidationError, match="stors"):
        jsonschema.validate(content, schemas["stack.schema.json"])


def test_render_writes_all_environments_and_says_what_changed(project, run, stack_named):
    code, out, err = run("render")
    assert code == 0
    assert all(line.startswith("warning: ") for line in err.splitlines())
    assert _tree(project / "rendered") == {
        f"{name}/{path}": text.encode()
        for name in ("development", "production", "staging")
        for path, text in rendered_files(stack_named(name).settings, CATALOGUE_FILE).items()
    }
    first = out.splitlines()[0].split()
    assert first == ["rendered/development:", first[1], "files,", first[1], "changed"]
    assert [line.split(", ")[1] for line in run("render")[1].splitlines()] == ["none changed"] * 3


def test_render_of_one_environment_leaves_the_others(project, run):
    assert run("render", "--env", "staging")[0] == 0
    assert [path.name for path in (project / "rendered").iterdir()] == ["staging"]


@pytest.mark.parametrize(
    "name", [name for name in STACK_FILES if STACK_FILES[name] not in OWN_STACK_FILES]
)
def test_another_stack_file_and_catalogue_are_taken_by_option(project, run, name):
    stack = STACK_FILES[name]
    catalogue = (project / "catalogue.yaml").rename(project / "other.yaml")
    catalogue.write_text(catalogue.read_text().replace("platform: wren", "platform: other"))
    code, _, err = run("render", "--stack", stack, "--catalogue", "other.yaml", "--out", "out/x")
    assert code == 0
    assert all(line.startswith("warning: ") for line in err.splitlines())
    [settings] = load([stack_document(stack)], catalogue_document(catalogue))
    [rendered] = (project / "out/x").iterdir()
    assert rendered.name == settings.environment.environment
    wanted = [manifest for wave in waves(settings, rotator_source()) for manifest in wave.objects]
    found = [yaml.safe_load(path.read_text()) for path in rendered.glob("[0-9]-*/*.yaml")]
    assert sorted(map(str, wanted)) == sorted(
        str(content) for content in found if content["kind"] != "Kustomization"
    )


def test_one_stream_holds_the_objects_in_apply_order_and_writes_nothing(project, run):
    code, out, err = run("render", "--env", "production", "--out", "-")
    assert code == 0
    assert all(line.startswith("warning: ") for line in err.splitlines())
    file = project / "Pulumi.production.yaml"
    [settings] = load([stack_document(file)], catalogue_document(project / "catalogue.yaml"))
    wanted = [manifest for wave in waves(settings, rotator_source()) for manifest in wave.objects]
    assert list(yaml.safe_load_all(out)) == wanted
    assert not (project / "rendered").exists()


def test_check_shows_the_difference_and_writes_nothing(project, run):
    run("render")
    role = project / "rendered/staging/2-access/role-secrets-reader.yaml"
    role.write_text(role.read_text().replace("- get", "- list"))
    before = _tree(project)
    code, out, err = run("render", "--check")
    assert code == 1
    assert "-  - list\n+  - get\n" in out
    assert out.count("+++") == 1
    assert err == "secretsctl: stale: rendered/staging; run `secretsctl render`\n"
    assert run("render", "--check", "--env", "production") == (0, "", "")
    assert _tree(project) == before


def test_a_service_taken_out_of_the_catalogue_takes_its_files_along(project, run):
    run("render", "--env", "production")
    catalogue = project / "catalogue.yaml"
    text = catalogue.read_text()
    catalogue.write_text(
        "".join(t for t in text.splitlines(True) if not t.startswith("  frontend"))
    )
    run("render", "--env", "production")
    assert not [name for name in _tree(project / "rendered") if "frontend" in name]


def test_render_mends_a_tree_in_which_a_merge_has_left_its_marks(project, run):
    run("render", "--env", "production")
    part = project / "rendered/production/4-external-secrets"
    left = next(part.glob("externalsecret-*.yaml"))
    header, _, rest = left.read_text().partition("\n")
    (part / "externalsecret-old.yaml").write_text(f"{header}\n<<<<<<< HEAD\n{rest}")
    assert run("render", "--env", "production")[0] == 0


def test_render_names_what_is_gone_from_the_tree_and_stays_in_the_cluster(project, run):
    run("render", "--env", "production")
    catalogue = yaml.safe_load((project / "catalogue.yaml").read_text())
    del catalogue["bundles"]["chat-server"]
    catalogue["services"]["chat-server"]["reads"].remove("chat-server")
    (project / "catalogue.yaml").write_text(yaml.safe_dump(catalogue))
    code, out, _ = run("render", "--env", "production")
    name = "wren-chat-server-secrets"
    assert code == 0
    assert out.splitlines()[1:] == [
        f"ExternalSecret/{name}: stays in the cluster until: "
        f"kubectl delete externalsecret {name} --namespace=wren-production"
    ]
    assert run("render", "--env", "production")[1].count("\n") == 1


def test_what_moves_to_another_folder_of_the_tree_is_not_gone(project, run):
    run("render", "--env", "production")
    wave = project / "rendered/production/4-external-secrets"
    wave.rename(wave.with_name("3-external-secrets"))
    code, out, _ = run("render", "--env", "production")
    assert (code, out.count("\n")) == (0, 1)


def _write_values(project: Path, values: dict[str, str]) -> None:
    text = "".join(f"{key}={value}\n" for key, value in values.items())
    (project / "secrets.env").write_text(text)


def test_basic_secrets_go_into_one_file_per_secret_for_the_owner_alone(project, run, values):
    run("render")
    _write_values(project, values)
    folder = project / "rendered/development/basic-secrets"
    (folder / "wren-secrets.env").write_text("old\n")
    (folder / "wren-secrets.env").chmod(0o644)
    code, out, err = run("basic-secrets", "--env", "development")
    assert (code, err) == (0, "")
    bundles = yaml.safe_load((project / "catalogue.yaml").read_text())["bundles"].values()
    paths = [folder / f"{bundle['secret']}.env" for bundle in bundles]
    assert out == "".join(f"{path.relative_to(project)}\n" for path in paths)
    for path, bundle in zip(paths, bundles, strict=True):
        assert path.read_text() == "".join(f"{key}={values[key]}\n" for key in bundle["keys"])
        assert path.stat().st_mode & 0o777 == 0o600
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert kustomization["generatorOptions"] == {"disableNameSuffixHash": True}
    assert [
        (generated["name"], generated["envs"]) for generated in kustomization["secretGenerator"]
    ] == [(path.stem, [path.name]) for path in paths]


def test_values_are_split_only_into_a_rendered_tree(project, run, values):
    folder = Path("rendered/development/basic-secrets")
    folder.mkdir(parents=True)
    _write_values(project, values)
    code, out, err = run("basic-secrets", "--env", "development")
    assert (code, out) == (2, "")
    assert err.startswith(f"{folder}: is not rendered yet; run `secretsctl render` first\n")
    assert list(folder.iterdir()) == []


def test_rendering_again_leaves_the_values(project, run, values):
    run("render")
    _write_values(project, values)
    run("basic-secrets", "--env", "development")
    path = project / "rendered/development/basic-secrets/wren-secrets.env"
    before = path.read_text(), path.stat().st_ino, path.stat().st_mode
    (project / "rendered/development/kustomization.yaml").unlink()
    assert run("render")[0] == 0
    assert (path.read_text(), path.stat().st_ino, path.stat().st_mode) == before
    assert run("render", "--check")[0] == 0


def test_git_ignores_every_file_that_holds_values(project, run, values):
    git = shutil.which("git")
    assert git
    run("render")
    shutil.copy(PROJECT / ".gitignore", project)
    subprocess.run([git, "init", "-q"], check=True)  # noqa: S603
    _write_values(project, values)
    run("basic-secrets", "--env", "development")
    listed = subprocess.run(  # noqa: S603
        [git, "ls-files", "--others", "--exclude-standard"], check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    assert "kustomization.yaml" in listed
    assert ".env" not in listed.replace(".env.example", "")


def test_the_example_explains_a_description_of_several_lines_in_comments(project, run):
    catalogue = project / "catalogue.yaml"
    lines = 'description: "connection string\\n\\nof the database"'
    text = catalogue.read_text()
    catalogue.write_text(text.replace("description: PostgreSQL connection string", lines))
    code, out, _ = run("example")
    assert code == 0
    keys = {line for line in out.splitlines() if line and not line.startswith("#")}
    assert keys == {f"{key}=" for key in out.replace("=", " ").split() if f"\n{key}=\n" in out}


def test_problems_of_one_place_are_in_one_order_on_every_run():
    found = [Problem("f", 1, ("a",), f"{number:02}") for number in range(30)]
    assert [problem.message for problem in SettingsError(found).problems] == sorted(
        problem.message for problem in found
    )


def test_without_a_command_all_are_shown_by_what_a_person_wants_to_do(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().out
    with pytest.raises(SystemExit) as asked:
        main(["--help"])
    assert (asked.value.code, capsys.readouterr().out) == (0, shown)
    purposes = ["start:", "change:", "look:", "rotate:", "mend:"]
    assert [line for line in shown.splitlines() if line in purposes] == purposes
    for name in commands._FUNCTIONS:
        assert shown.count(f"\n  {name} ") == 1
