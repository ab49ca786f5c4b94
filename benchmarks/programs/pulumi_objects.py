"""The objects of a JSON file as a Pulumi program under mocks: `pulumi_objects.py OBJECTS`.

Typed classes where the SDK has them, as its users write them. Prints what was declared, as JSON
documents, which are YAML too.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks, test
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

_CLASSES: dict[str, Any] = {
    "Role": Role,
    "RoleBinding": RoleBinding,
    "ServiceAccount": ServiceAccount,
}


class _Recorder(Mocks):
    def __init__(self) -> None:
        self.declared: list[Any] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared.append(args.inputs)
        return args.name, args.inputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], None]:
        return {}, None


def _declare(manifest: dict[str, Any]) -> pulumi.Resource:
    kind = manifest["kind"]
    name = f"{kind}-{manifest['metadata']['name']}"
    if kind not in _CLASSES:
        fields = {key: manifest[key] for key in ("kind", "metadata", "spec")}
        return CustomResource(name, api_version=manifest["apiVersion"], **fields)
    rest = manifest.keys() - {"apiVersion", "kind"}
    fields = {re.sub("([A-Z])", r"_\1", key).lower(): manifest[key] for key in rest}
    return _CLASSES[kind](name, **fields)


def main(objects: str) -> None:
    recorder = _Recorder()
    set_mocks(recorder)

    @test
    def program() -> None:
        for manifest in json.loads(Path(objects).read_text()):
            _declare(manifest)

    program()
    sys.stdout.writelines(f"---\n{json.dumps(inputs)}\n" for inputs in recorder.declared)


main(*sys.argv[1:])
