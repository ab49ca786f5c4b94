"""A rendered folder is written as a whole or not at all, and what others put there stays."""

import errno
import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from platform_secrets.secretsctl import tree
from platform_secrets.secretsctl.tree import HEADER, TreeError
from tests.failing_paths import fail_at

ONE = HEADER.format(source="a test") + "one: 1\n"
TWO = HEADER.format(source="a test") + "two: 2\n"
OLD = {"top.yaml": ONE, "wave/object.yaml": ONE, "wave/gone.yaml": ONE}
NEW = {"top.yaml": ONE, "wave/object.yaml": TWO, "wave/deep/new.yaml": TWO}


@pytest.fixture
def root(tmp_path) -> Path:
    """A tree that holds OLD."""
    root = tmp_path / "rendered" / "test"
    tree.write({root: OLD})
    return root


def _texts(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_tree_holds_the_files_and_nothing_is_left_beside_it(root):
    assert _texts(root) == OLD
    assert tree.write({root: NEW}) == {root: 3}
    assert _texts(root) == NEW
    assert [path.name for path in root.parent.iterdir()] == ["test"]


def test_writing_again_changes_nothing_on_disk(root):
    before = {path: path.stat() for path in (root, *root.rglob("*"))}
    assert tree.write({root: OLD}) == {root: 0}
    after = {path: path.stat() for path in (root, *root.rglob("*"))}
    assert {path: (s.st_ino, s.st_mtime_ns) for path, s in after.items()} == {
        path: (s.st_ino, s.st_mtime_ns) for path, s in before.items()
    }


def test_a_folder_that_no_file_is_in_any_more_goes(root):
    tree.write({root: {"top.yaml": ONE}})
    assert [path.name for path in root.iterdir()] == ["top.yaml"]


def test_everybody_may_look_into_the_tree(root):
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_differences_show_what_is_new_changed_and_gone(root):
    (root / "theirs.yaml").write_text("not: ours\n")
    text = "".join(tree.differences(root, NEW))
    assert f"--- {root}/wave/object.yaml\n+++ {root}/wave/object.yaml\n" in text
    assert "-one: 1\n+two: 2\n" in text
    assert f"--- /dev/null\n+++ {root}/wave/deep/new.yaml\n" in text
    assert f"--- {root}/wave/gone.yaml\n+++ /dev/null\n" in text
    assert "top.yaml" not in text
    assert "theirs" not in text
    assert list(tree.differences(root, OLD)) == []
    assert _texts(root) == {**OLD, "theirs.yaml": "not: ours\n"}


def test_a_file_that_only_lacks_its_last_line_end_is_a_difference(root):
    (root / "top.yaml").write_text(ONE.rstrip("\n"))
    assert list(tree.differences(root, OLD))


@pytest.fixture
def foreign(root) -> list[Path]:
    """Files of others: a secret one, one like ours, links, and one in a folder of its own."""
    for name in ("wave/values.env", "wave/theirs.yaml", "notes/deep/README.md"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ONE if path.suffix == ".md" else "not rendered\n")
    (root / "wave/values.env").chmod(0o600)
    (root / "notes").chmod(0o700)
    (root / "link").symlink_to("top.yaml")
    (root / "wave/link.yaml").symlink_to("object.yaml")
    (root / "broken").symlink_to("nowhere")
    (root / "folder-link").symlink_to("wave", target_is_directory=True)
    names = ("wave/values.env", "wave/theirs.yaml", "notes/deep/README.md", "link")
    return [root / name for name in (*names, "wave/link.yaml", "broken", "folder-link")]


def _identity(path: Path) -> tuple:
    found = path.lstat()
    target = path.readlink() if path.is_symlink() else path.read_text()
    return found.st_ino, found.st_mode, found.st_uid, found.st_mtime_ns, target


@pytest.mark.parametrize("files", [NEW, {"top.yaml": TWO}, {}], ids=["new", "one", "none"])
def test_files_of_others_stay_the_same_files(root, foreign, files):
    before = {path: _identity(path) for path in foreign}
    tree.write({root: files})
    assert {path: _identity(path) for path in foreign} == before
    ours = {path for path in root.rglob("*.yaml") if path not in foreign}
    assert ours == {root / name for name in files}


def test_folders_of_others_keep_their_mode(root, foreign):
    tree.write({root: NEW})
    assert stat.S_IMODE((root / "notes").stat().st_mode) == 0o700


IN_THE_WAY = {
    "a file": lambda path: path.write_text("not: ours\n"),
    "a link": lambda path: path.symlink_to("../top.yaml"),
    "a folder": lambda path: path.mkdir() or path.joinpath("x").write_text("x"),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_is_in_the_way_is_named_and_nothing_is_written(root, what):
    IN_THE_WAY[what](root / "wave/other.yaml")
    before = _texts(root)
    with pytest.raises(TreeError) as caught:
        tree.write({root: {**NEW, "wave/other.yaml": ONE}})
    assert str(caught.value).startswith(f"{root}/wave/other.yaml")
    assert _texts(root) == before
    assert [path.name for path in root.parent.iterdir()] == ["test"]


def test_a_file_where_a_folder_is_needed_is_named_and_nothing_is_written(root):
    (root / "wave/deep").write_text("not ours\n")
    with pytest.raises(TreeError, match="wave/deep"):
        tree.write({root: NEW})
    assert _texts(root) == {**OLD, "wave/deep": "not ours\n"}


def test_a_file_in_place_of_the_tree_or_of_its_parent_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("not ours\n")
    with pytest.raises(TreeError, match=f"^{file}: is not a folder"):
        tree.write({file: NEW})
    with pytest.raises(TreeError, match=f"^{file}.*: can't be written: "):
        tree.write({file / "test": NEW})
    assert file.read_text() == "not ours\n"


@pytest.mark.parametrize("call", ["write_text", "rename"])
@pytest.mark.parametrize("calls_before", [0, 1])
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a file"), TreeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["full disk", "interrupted"],
)
def test_a_write_that_fails_leaves_the_old_tree(
    root, foreign, monkeypatch, call, calls_before, error, raised
):
    """For `rename`: the old tree can't be put aside, or the new one can't take its place."""
    before = {path: _identity(path) for path in (*foreign, *(root / name for name in OLD))}
    fail_at(monkeypatch, call, calls_before, error)
    match = "can't be written: No space left on device" if raised is TreeError else None
    with pytest.raises(raised, match=match):
        tree.write({root: NEW})
    assert {path: _identity(path) for path in before} == before
    assert [path.name for path in root.parent.iterdir()] == ["test"]


@pytest.mark.parametrize("call", ["write_text", "rename"])
@pytest.mark.parametrize("calls_before", range(5))
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a file"), TreeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["full disk", "interrupted"],
)
def test_of_several_trees_all_are_written_or_none(
    root, monkeypatch, call, calls_before, error, raised
):
    """The first one is there, the second is new, of the third nothing changes."""
    same = root.with_name("same")
    tree.write({same: OLD})
    fail_at(monkeypatch, call, calls_before, error)
    trees = {root: NEW, root.with_name("new"): OLD, same: OLD}
    if (call, calls_before) in [("rename", 3), ("rename", 4)]:
        assert tree.write(trees) == {root: 3, root.with_name("new"): 3, same: 0}
        return
    with pytest.raises(raised):
        tree.write(trees)
    assert _texts(root) == _texts(same) == OLD
    assert {path.name for path in root.parent.iterdir()} == {"test", "same"}


def _killed_at(root: Path, call: str, calls_before: int) -> None:
    """Writes NEW in a process that is killed at a call of a method of Path."""
    child = os.fork()
    if child == 0:
        real, count = getattr(Path, call), 0

        def killing(*arguments, **options):
            nonlocal count
            if count == calls_before:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            return real(*arguments, **options)

        setattr(Path, call, killing)
        tree.write({root: NEW})
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize(
    ("call", "calls_before"),
    [("write_text", 1), ("rename", 0), ("rename", 1)],
    ids=["while writing", "before the first rename", "between the renames"],
)
def test_the_next_run_mends_what_a_killed_one_left(root, foreign, call, calls_before):
    before = {path: _identity(path) for path in foreign}
    _killed_at(root, call, calls_before)
    tree.write({root: {"top.yaml": TWO}})
    assert {path: _identity(path) for path in foreign} == before
    assert (root / "top.yaml").read_text() == TWO
    assert [path.name for path in root.parent.iterdir()] == ["test"]


def test_the_next_run_takes_away_the_old_tree_that_a_killed_one_left(root):
    """Killed after the swap: both trees are whole."""
    tree.write({root.with_name(".test.old"): OLD})
    tree.write({root: NEW})
    assert _texts(root) == NEW
    assert [path.name for path in root.parent.iterdir()] == ["test"]


def test_a_run_killed_between_the_renames_leaves_the_old_tree_whole_beside(root, foreign):
    _killed_at(root, "rename", 1)
    assert not root.exists()
    assert _texts(root.with_name(".test.old")).items() >= OLD.items()


def test_two_runs_at_once_wait_for_each_other(root):
    """Every moment's tree is one run's or the other's; nothing is mixed, nobody fails."""
    many = [{f"{n}/{place}.yaml": ONE for place in range(20)} for n in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda place: tree.write({root: many[place % 2]}), range(12)))
    assert _texts(root) in many
