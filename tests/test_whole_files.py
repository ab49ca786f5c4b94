"""Commands that write files of people's write all of them whole, or change nothing."""

import errno
from pathlib import Path

import pytest

from platform_secrets.secretsctl.commands import main
from platform_secrets.secretsctl.tree import TreeError
from platform_secrets.secretsctl.whole_files import replace_files
from tests.failing_paths import fail_at


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


FULL = OSError(errno.ENOSPC, "No space left on device", "second")


@pytest.mark.parametrize("call", ["write_bytes", "replace"])
@pytest.mark.parametrize(
    ("error", "raised"), [(FULL, TreeError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_a_run_that_fails_at_its_second_file_leaves_the_first(
    tmp_path, monkeypatch, call, error, raised
):
    (tmp_path / "first").write_text("before")
    fail_at(monkeypatch, call, 1, error)
    with pytest.raises(raised):
        replace_files({tmp_path / "first": b"after", tmp_path / "second": b"after"})
    assert _texts(tmp_path) == {"first": "before"}


def test_a_link_stays_a_link_and_a_file_keeps_its_mode(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    replace_files({link: b"after"})
    assert link.is_symlink()
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("after", 0o640)


def test_a_value_goes_to_its_owner_alone_and_never_where_a_link_leads(tmp_path):
    elsewhere, link, file = (tmp_path / name for name in ("elsewhere", "link", "file"))
    elsewhere.write_text("before")
    file.write_text("before")
    link.symlink_to(elsewhere)
    replace_files({link: b"after", file: b"after"}, only_for_owner=True)
    assert elsewhere.read_text() == "before"
    assert not link.is_symlink()
    assert [path.stat().st_mode & 0o777 for path in (link, file)] == [0o600, 0o600]


@pytest.mark.parametrize(
    "command", [["init", "shop"], ["schema", "--out", "shop"]], ids=["init", "schema"]
)
def test_a_full_disk_leaves_nothing_of_a_command_s_files(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    fail_at(monkeypatch, "replace", 1, FULL)
    assert main(command) == 2
    assert _texts(tmp_path) == {}
    assert "second: can't be written: No space left on device" in capsys.readouterr().err
