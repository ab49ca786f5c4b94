"""The input of each release before is still input, and what held data then is there, unmoved."""

import contextlib
from pathlib import Path

import pytest
import yaml

from platform_secrets import __version__
from platform_secrets.secretsctl.commands import main
from tests.releases import RELEASES, TREE, unpack

# What holds values, or what the operator deletes values with; and what stands for a value's age.
DATA = {"Namespace", "ExternalSecret", "SecretStore", "Secret", "ServiceAccount", "ConfigMap"}
# Its name is its content's, and a new one takes its place.
PROGRAM = "secrets-rotation-program-"
Objects = dict[tuple[str, str | None, str], dict]


def objects(folder: Path) -> Objects:
    """Of a rendered tree, by kind, namespace and name."""
    found = [yaml.safe_load(path.read_text()) for path in folder.glob("*/[1-5]-*/*.yaml")]
    return {
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one
        for one in found
        if one["kind"] != "Kustomization"
    }


@pytest.fixture(scope="module", params=RELEASES)
def trees(request, tmp_path_factory) -> tuple[Objects, Objects]:
    """What a release rendered, and what becomes of the same input in the same folder now."""
    folder = tmp_path_factory.mktemp("release")
    unpack(request.param, folder)
    before = objects(folder / TREE)
    with contextlib.chdir(folder):
        assert main(["render", "--all"]) == 0
    return before, objects(folder / TREE)


def test_what_holds_data_is_still_there(trees):
    before, now = trees
    held = {name for name in before if name[0] in DATA and not name[2].startswith(PROGRAM)}
    assert held
    assert held <= now.keys()


def test_each_secret_holds_the_same_of_the_same_entries(trees):
    before, now = trees
    for name, one in before.items():
        if name[0] == "ExternalSecret":
            assert read_by(now[name]) == read_by(one)


def read_by(external_secret):
    """The Secret, what keeps it, and the key of each entry that is read into it."""
    spec = external_secret["spec"]
    entries = [one["remoteRef"] for one in spec.get("data", [])]
    entries += [one["extract"] for one in spec.get("dataFrom", []) if "extract" in one]
    target = {key: spec["target"].get(key) for key in ("name", "creationPolicy", "deletionPolicy")}
    return (
        spec["secretStoreRef"],
        target,
        entries,
        spec["target"]["template"].get("data", {}).keys(),
    )


def test_nothing_of_an_object_changes_that_only_a_new_one_can_have(trees):
    before, now = trees
    for name, one in before.items():
        if name in now:
            assert now[name]["apiVersion"] == one["apiVersion"]
            assert now[name].get("type") == one.get("type")
            assert now[name].get("roleRef") == one.get("roleRef")
            assert now[name].get("immutable") == one.get("immutable")


def test_each_minor_release_before_this_one_is_kept():
    minor = int(__version__.split(".")[1])
    assert [f"0.{number}" for number in range(1, minor)] == RELEASES
