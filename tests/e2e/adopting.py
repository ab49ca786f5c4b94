"""`pulumi import` of what a stack would make, with the real engine.

The command asks for the program's language host even where it writes no program.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.e2e.deployment import Deployment
from tests.e2e.language_host import language_host


def adopt(made: Deployment, ids: Mapping[str, str]) -> None:
    """Imports resources by name as docs/adopting.md says: components first, then what has an ID,
    with the providers under which that stands."""
    _import_only(made, lambda one: one.get("component", False), {})
    _import_only(made, lambda one: one["name"] in ids or one["name"].endswith("-provider"), ids)


def _import_only(
    made: Deployment, wanted: Callable[[dict[str, Any]], bool], ids: Mapping[str, str]
) -> None:
    """The preview writes what it would make, by name; what is wanted of that is imported."""
    file = made.folder / "adopt.json"
    made.stack.preview(import_file=str(file))
    found = json.loads(file.read_text(encoding="utf-8"))
    kept = [one for one in found["resources"] if wanted(one)]
    for one in kept:
        if one["name"] in ids:
            one["id"] = ids[one["name"]]
    file.write_text(json.dumps(found | {"resources": kept}), encoding="utf-8")
    with language_host() as port:
        made.stack.import_by_command(file, language_port=port)
