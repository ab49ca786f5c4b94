"""The objects of a JSON file as a cdk8s chart: `cdk8s_objects.py OBJECTS FOLDER`."""

import json
import sys
from pathlib import Path

import cdk8s


def main(objects: str, folder: str) -> None:
    app = cdk8s.App(outdir=folder)
    chart = cdk8s.Chart(app, "bench", disable_resource_name_hashes=True)
    for manifest in json.loads(Path(objects).read_text()):
        metadata = cdk8s.ApiObjectMetadata(**manifest["metadata"])
        name = f"{manifest['kind']}-{metadata.name}"
        declared = cdk8s.ApiObject(
            chart,
            name,
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=metadata,
        )
        rest = manifest.keys() - {"apiVersion", "kind", "metadata"}
        patches = [cdk8s.JsonPatch.add(f"/{key}", manifest[key]) for key in sorted(rest)]
        declared.add_json_patch(*patches)
    app.synth()


main(*sys.argv[1:])
