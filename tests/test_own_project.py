"""A project of one's own has a name of its own, and sets all by it."""

import json
from pathlib import Path

import pytest
import yaml

from platform_secrets import program
from platform_secrets.secretsctl.commands import main
from platform_secrets.secretsctl.pinning import with_image
from platform_secrets.settings import stack_document
from tests.conftest import SHOP, VAULT
from tests.declaring import CLUSTER_UID, declare, run

STACK = {"environment": "test", "operator": "install", "stores": {"vault": VAULT}}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch) -> Path:
    """The working directory: a project called `shop`."""
    monkeypatch.chdir(tmp_path)
    Path("Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    Path("catalogue.yaml").write_text(yaml.safe_dump(SHOP))
    _write_stack("shop")
    return tmp_path


def _write_stack(project, **beside):
    config = {f"{project}:environment": STACK, **beside}
    Path("Pulumi.test.yaml").write_text(yaml.safe_dump({"config": config}))


def test_its_stack_files_are_rendered_and_its_program_declares_the_same():
    assert main(["render", "--all"]) == 0
    rendered = [
        yaml.safe_load(path.read_text()) for path in Path("rendered/test").glob("[1-5]-*/*.yaml")
    ]
    found = declare(
        program.run,
        project="shop",
        config={"shop:environment": json.dumps({**STACK, "cluster": {"uid": CLUSTER_UID}})},
    )
    names = {(one.inputs["kind"], one.inputs["metadata"]["name"]) for one in found.objects()}
    assert names == {
        (one["kind"], one["metadata"]["name"]) for one in rendered if one["kind"] != "Kustomization"
    }


def test_settings_of_another_project_are_none_of_its_own(capsys):
    _write_stack("platform-secrets")
    assert main(["render", "--all"]) == 2
    assert (
        "Pulumi.test.yaml: holds no settings: `config` with the key `shop:environment` is missing"
        in capsys.readouterr().err
    )


def test_a_value_in_plain_text_beside_its_settings_is_refused(capsys):
    _write_stack("shop", **{"shop:api-token": "x", "aws:region": "eu-central-1"})
    assert main(["render", "--all"]) == 2
    said = capsys.readouterr().err
    assert "config.shop:api-token: is in plain text; only `pulumi config set --secret api-t" in said
    assert "1 problem," in said


def test_its_stack_file_gets_the_image_that_is_pinned():
    Path("Pulumi.test.yaml").write_bytes(with_image(Path("Pulumi.test.yaml"), "example.com/a:1"))
    assert stack_document(Path("Pulumi.test.yaml")).content == {
        **STACK,
        "rotator": {"image": "example.com/a:1"},
    }


def test_its_schema_is_of_its_own_stack_files():
    assert main(["schema"]) == 0
    schema = json.loads(Path("schemas/stack.schema.json").read_text())
    assert schema["properties"]["config"]["required"] == ["shop:environment"]


def test_its_program_tells_what_is_wrong_without_a_traceback():
    config = {"shop:environment": json.dumps({**STACK, "stors": {}})}
    error = run(program.run, project="shop", config=config).error
    assert str(error).startswith("Pulumi.test.yaml: stors: unknown key (did you mean stores?)")
