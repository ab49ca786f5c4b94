"""No run ends in a traceback: wrong inputs, readers that go away, full disks, strange places."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from platform_secrets.secretsctl.commands import main
from tests.conftest import made_up_values
from tests.declaring import PROJECT
from tests.platform import CATALOGUE_FILE, OWN_STACK_FILES


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the platform as the working directory; nothing is rendered."""
    for file in (CATALOGUE_FILE, *OWN_STACK_FILES):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _without_stacks() -> None:
    for file in Path().glob("Pulumi.*.yaml"):
        file.unlink()


def _write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _replace(name: str, old: str, new: str) -> None:
    text = Path(name).read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))


def _folder_for_catalogue() -> None:
    Path("catalogue.yaml").unlink()
    Path("catalogue.yaml").mkdir()


PRODUCTION = "Pulumi.production.yaml"
NOTHING = None
_IN_ANOTHER_NAMESPACE = "environment: production\n    namespace-name: other"
WRONG = {
    "no stack file": (_without_stacks, "render", "Pulumi.<stack>.yaml: no stack file here; run"),
    "a stack that is not there": (NOTHING, "render --stack no.yaml", "no.yaml: no such file"),
    "a folder as stack": (NOTHING, "render --stack .", ".: can't be read: Is a directory"),
    "a catalogue that is not there": (
        NOTHING,
        "render --catalogue no.yaml",
        "no.yaml: no such file",
    ),
    "a folder as catalogue": (
        _folder_for_catalogue,
        "render",
        "catalogue.yaml: can't be read: Is a directory",
    ),
    "an empty catalogue": (
        lambda: _write("catalogue.yaml", ""),
        "example",
        "catalogue.yaml: is empty",
    ),
    "an unknown environment": (
        NOTHING,
        "render --env test",
        "--env: no stack file is of this environment; there are: development, production, staging",
    ),
    "an environment with a slip": (
        NOTHING,
        "render --env stagging",
        "--env: no stack file is of this environment (did you mean staging?); there are: "
        "development, production, staging",
    ),
    "an environment whose file is no YAML": (
        lambda: _write(PRODUCTION, "config: [\n"),
        "render --env production",
        f"{PRODUCTION}:2: invalid YAML in column 1",
    ),
    "an environment in two stack files": (
        lambda: _write("Pulumi.b.yaml", f"{Path(PRODUCTION).read_text()}    rotation: follower\n"),
        "render",
        f"{PRODUCTION}: environment: Pulumi.b.yaml has the same environment",
    ),
    "a check of one stream": (
        NOTHING,
        "render --out - --check",
        "--check: compares a folder, and `--out -` writes none",
    ),
    "another stack's tree in the same folder": (
        lambda: (
            main(["render", "--env", "production"]),
            _write("Pulumi.b.yaml", Path(PRODUCTION).read_text()),
            _replace("Pulumi.b.yaml", "environment: production", _IN_ANOTHER_NAMESPACE),
        ),
        "render --stack Pulumi.b.yaml",
        "rendered/production: holds what was rendered from catalogue.yaml and "
        "Pulumi.production.yaml (The tree of environment production of platform wren); give each",
    ),
    "another platform's tree in the same folder": (
        lambda: (
            main(["render", "--env", "production"]),
            _replace("catalogue.yaml", "platform: wren", "platform: shop"),
        ),
        "render --env production",
        "rendered/production: holds what was rendered from catalogue.yaml and ",
    ),
    "a tree within another": (
        lambda: main(["render", "--env", "production"]),
        "render --env staging --out rendered/production",
        "{here}/rendered/production: is another tree; give each stack an --out beside the others'",
    ),
    "a tree around another": (
        lambda: main(["render", "--env", "staging", "--out", "rendered/production"]),
        "render --env production",
        "rendered/production/staging: is another tree; give each stack an --out beside the others'",
    ),
    "values beside another platform's tree": (
        lambda: (
            main(["render", "--env", "development"]),
            _replace("catalogue.yaml", "platform: wren", "platform: shop"),
            _write("secrets.env", "".join(f"{k}={v}\n" for k, v in made_up_values().items())),
        ),
        "basic-secrets --env development",
        "rendered/development: holds what was rendered from catalogue.yaml and ",
    ),
    "a port that is none": (
        lambda: _replace(PRODUCTION, ":8200", ":82000"),
        "render",
        f"{PRODUCTION}:9: stores.vault.server: must be an https:// address",
    ),
    "a file as the place to write to": (
        NOTHING,
        "render --out catalogue.yaml",
        "catalogue.yaml: can't be written: ",
    ),
    "a file as the parent of that place": (
        NOTHING,
        "render --out catalogue.yaml/rendered",
        "catalogue.yaml/rendered: can't be written: ",
    ),
    "a file in the way in the last environment": (
        lambda: _write("rendered/staging/kustomization.yaml", "not: ours\n"),
        "render",
        "rendered/staging/kustomization.yaml: was not rendered by secretsctl and is in the way",
    ),
    "a file as the place for schemas": (
        NOTHING,
        "schema --out catalogue.yaml",
        "catalogue.yaml: can't be written: ",
    ),
    "basic Secrets of an environment with stores": (
        NOTHING,
        "basic-secrets --env production",
        f"{PRODUCTION}: secrets: must be `basic`",
    ),
    "basic Secrets without values": (
        NOTHING,
        "basic-secrets --env development",
        "secrets.env: no such file; copy secrets.env.example",
    ),
}


def _tree() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_run_says_why_in_a_line_and_writes_nothing(project, capsys, what):
    prepare, command, expected = WRONG[what]
    if prepare:
        prepare()
    capsys.readouterr()
    before, expected = _tree(), expected.replace("{here}", str(project))
    assert main(command.split()) == 2
    out, err = capsys.readouterr()
    *lines, last = err.splitlines()
    assert [line for line in lines if line.startswith(expected)] == lines
    assert last == f"secretsctl: {len(lines)} problem{'s' * (len(lines) > 1)}, nothing done"
    assert out == ""
    assert _tree() == before


def test_another_environments_name_is_shown_only_if_it_looks_like_one(project, capsys):
    _replace("Pulumi.staging.yaml", "environment: staging", 'environment: "Hunter 2"')
    assert main(["render", "--env", "test"]) == 2
    assert "Hunter" not in capsys.readouterr().err


def test_another_environments_broken_file_does_not_stop_one(project, capsys):
    _write(PRODUCTION, "config: [\n")
    assert main(["render", "--env", "staging"]) == 0


@pytest.mark.parametrize(
    "command",
    [
        "rendr",
        "render --env x --all",
        "rotate jwt-secret --env x --dry-run --wait",
        "render --env",
        "basic-secrets",
        "render --stack x --all",
        "set jwt-secret --env x --previous --version {{.x}}",
    ],
)
def test_a_command_line_that_is_none_ends_with_its_usage(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: secretsctl")


def _run(*arguments: object, env: dict | None = None, **options) -> subprocess.CompletedProcess:
    """A real process with an environment of its own; `options` as for subprocess.run."""
    found = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), **(env or {})}
    line = [sys.executable, *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(line, check=False, env=found, **options)  # noqa: S603


def _secretsctl(*arguments: object, **options) -> subprocess.CompletedProcess:
    return _run("-m", "platform_secrets.secretsctl", *arguments, **options)


def test_the_command_line_loads_neither_pulumi_nor_an_sdk():
    program = """
import sys
import platform_secrets.secretsctl.commands
print(*sorted(sys.modules))
"""
    names = _run("-c", program).stdout.decode().split()
    loaded = {name.removeprefix("platform_secrets.").partition(".")[0] for name in names}
    assert {"settings", "manifests", "secretsctl", "pydantic"} <= loaded
    unwanted = ("pulumi", "grpc", "google", "boto", "azure", "hvac", "kubernetes", "components")
    assert not [name for name in loaded if name.startswith(unwanted)]


def test_the_tree_is_the_same_in_every_place_and_language(project):
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    runs = [
        _secretsctl("render", "--out", "one", env={"PYTHONHASHSEED": "1", "TZ": "UTC"}),
        _secretsctl(
            *("render", "--stack", project / PRODUCTION),
            *("--catalogue", project / "catalogue.yaml", "--out", project / "two"),
            env={"PYTHONHASHSEED": "2", "TZ": "Pacific/Auckland", **ascii_only},
            cwd=elsewhere,
        ),
    ]
    assert [run.returncode for run in runs] == [0, 0]
    one, two = (project / name / "production" for name in ("one", "two"))
    files = [path.relative_to(one) for path in one.rglob("*.yaml")]
    assert len(files) > 30
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


def test_what_is_printed_is_the_same_in_every_language(project):
    _replace(PRODUCTION, "[wren-secrets-production]", "[Prüfer]")
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    run = _secretsctl("render", "--env", "production", "--out", "-", env=ascii_only)
    assert run.returncode == 0
    assert all(line.startswith(b"warning: ") for line in run.stderr.splitlines())
    assert "Prüfer".encode() in run.stdout


@pytest.mark.parametrize(
    ("command", "code"),
    [("example", 0), ("render --out -", 0), ("render --check", 1)],
)
def test_a_reader_that_has_gone_is_no_error_and_changes_no_verdict(project, command, code):
    reader, writer = os.pipe()
    os.close(reader)
    run = _secretsctl(*command.split(), stdout=writer)
    os.close(writer)
    assert run.returncode == code
    assert b"Error" not in run.stderr


def _watched_by_nobody(*options: str) -> subprocess.CompletedProcess:
    program = f"""
import sys
from platform_secrets.secretsctl import commands, status_command
from platform_secrets.secretsctl.kubectl import ClusterError

def nothing(*_):
    raise ClusterError("no answer")

status_command._found = nothing
sys.exit(commands.main(["status", "--env", "production", "--watch", *{options}]))
"""
    reader, writer = os.pipe()
    os.close(reader)
    run = _run("-c", program, stdout=writer)
    os.close(writer)
    return run


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["lines", "objects"])
def test_a_watch_ends_without_an_error_when_its_reader_has_gone(project, options):
    run = _watched_by_nobody(*options)
    assert (run.returncode, run.stderr) == (0, b"")


def test_a_watch_gives_back_the_memory_of_what_it_has_seen(project):
    program = """
import gc, sys
from platform_secrets.secretsctl import __main__, status_command

def found(*_):
    print(gc.isenabled())
    raise BrokenPipeError

status_command._found = found
sys.argv = ["secretsctl", "status", "--env", "production", "--watch"]
sys.exit(__main__.start())
"""
    run = _run("-c", program)
    assert (run.returncode, run.stdout) == (0, b"True\n")


def test_a_command_that_could_not_go_on_is_no_success_whoever_reads(project):
    program = """
import sys
from platform_secrets.secretsctl import commands

def example(_):
    raise BrokenPipeError(32, "Broken pipe")

commands._FUNCTIONS["example"] = example
sys.exit(commands.main(["example"]))
"""
    run = _run("-c", program)
    assert (run.returncode, run.stderr) == (2, b"secretsctl: Broken pipe\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_behind_the_output_is_one_line(project):
    with Path("/dev/full").open("wb") as full:
        run = _secretsctl("render", "--out", "-", stdout=full)
    assert run.returncode != 0
    assert b"No space left on device" in run.stderr
    assert b"Traceback" not in run.stderr


def test_a_file_nested_beyond_every_stack_does_not_crash_the_interpreter(project):
    _write("catalogue.yaml", "[" * 200_000)
    run = _secretsctl("example")
    assert run.returncode == 2
    assert run.stderr.startswith(b"catalogue.yaml")


def test_a_folder_s_name_in_no_encoding_is_shown_and_one_too_long_refused(project):
    odd = os.fsdecode(b"x\xff")
    run = _secretsctl("render", "--env", "staging", "--out", odd)
    assert run.returncode == 0
    assert all(line.startswith(b"warning: ") for line in run.stderr.splitlines())
    assert run.stdout.startswith(b"x\\udcff/staging: ")
    run = _secretsctl("render", "--out", "x" * 300)
    assert run.returncode == 2
    assert run.stderr.endswith(b": File name too long\n")
    assert run.stderr.count(b"\n") == 1


def test_an_empty_argument_is_not_taken_for_none(project, capsys):
    before = _tree()
    for command in (
        *(["render", "--out", ""], ["render", "--stack", ""], ["render", "--catalogue", ""]),
        *(["schema", "--out", ""], ["example", "--catalogue", ""]),
        *(["sync", "", "--env", "production"], ["put-commands", "", "--env", "production"]),
        ["rotated", "jwt-secret", "--on", "", "--env", "production"],
        ["basic-secrets", "--env", "development", "--secrets-file", ""],
    ):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
        assert capsys.readouterr().err.endswith(": must not be empty\n")
    assert _tree() == before
