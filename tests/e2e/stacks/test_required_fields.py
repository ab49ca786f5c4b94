"""What is rendered has every field that the CRDs require and none that they do not know, as it is
written: tools that check a tree without a cluster fill in no default."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import Stack
from tests.e2e import eso
from tests.e2e.process import Run
from tools.build import build

Validator = jsonschema.Draft7Validator


@pytest.fixture(scope="module")
def schemas(run: Run) -> dict[tuple[str, str], Validator]:
    """The schema of each version of each kind: the operator's, Argo CD's and Flux's."""
    crds = [eso.operator_files() / "crds" / "bundle.yaml"]
    crds += (build("controller-gen").parent / "crds").glob("*.yaml")
    return {which: schema for path in crds for which, schema in schemas_in(path).items()}


def test_no_rendered_object_leaves_out_what_its_schema_requires(
    schemas: dict[tuple[str, str], Validator], stack: Stack
) -> None:
    checked, faults = 0, []
    for name, obj in stack.tree.items():
        # A chart's values are no object.
        schema = schemas.get((obj.get("apiVersion", ""), obj.get("kind", "")))
        if schema:
            checked += 1
            faults += [f"{name}: {error.message}" for error in schema.iter_errors(obj)]
    assert faults == []
    assert checked or stack.settings.environment.secrets == "basic"


def schemas_in(path: Path) -> dict[tuple[str, str], Validator]:
    found = {}
    for crd in yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
        spec = crd["spec"]
        for version in spec["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            which = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            found[which] = Validator(schema)
    return found


def closed(schema: Any) -> Any:
    """A schema whose objects have no other fields than the named ones."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    # Go's formats are not JSON Schema's, and a Go pattern may be none in Python.
    found = {name: closed(one) for name, one in schema.items() if name != "format"}
    is_open = found.keys() & {"additionalProperties", "x-kubernetes-preserve-unknown-fields"}
    if isinstance(found.get("properties"), dict) and not is_open:
        found["additionalProperties"] = False
    return found
