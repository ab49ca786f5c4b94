"""A small valid catalogue and stack file, and what is said of them once one thing is changed."""

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from platform_secrets.settings import (
    Problem,
    SettingsError,
    catalogue_document,
    load,
    stack_document,
)

REMOVED = object()
"""A value for `changed`: the entry is taken out."""

CATALOGUE: dict[str, Any] = {
    "platform": "shop",
    "bundles": {
        "shared": {
            "secret": "shop-secrets",
            "keys": {
                "database-url": {"description": "a database", "format": "postgres-url"},
                "token": {
                    "description": "a token",
                    "min-length": 16,
                    "rotate": {"by": "generate", "every": "90d"},
                },
            },
        },
        "mail": {
            "secret": "shop-mail",
            "keys": {
                "smtp-password": {
                    "description": "a password",
                    "rotate": {"by": "hand", "max-age": "365d", "source": "our policy"},
                }
            },
        },
    },
    "services": {
        "web": {"workload": "Deployment/web", "reads": ["shared", "mail"]},
        "worker": {"workload": "StatefulSet/worker", "reads": ["shared"]},
    },
}

STORES: dict[str, Any] = {
    "vault": {"provider": "vault", "server": "https://vault.example.com:8200"},
    "aws": {"provider": "aws", "region": "eu-central-1", "account-id": "123456789012"},
    "gcp": {
        "provider": "gcp",
        "project": "shop-test",
        "cluster": {"project": "shop-test", "location": "europe-west3", "name": "main"},
    },
    "azure": {
        "provider": "azure",
        "vault-name": "shop-test",
        "tenant-id": "11111111-2222-4333-8444-555555555555",
        "client-ids": {
            "read": "aaaaaaaa-0000-4000-8000-000000000001",
            "rotation": "aaaaaaaa-0000-4000-8000-000000000002",
        },
    },
}


def stack(*stores: str) -> dict[str, Any]:
    """Valid settings with these of STORES; the first is the default."""
    return {
        "environment": "test",
        "operator": "install",
        "stores": {name: STORES[name] for name in stores},
        **({"default-store": stores[0]} if len(stores) > 1 else {}),
        "network": {
            "api-server": {"cidrs": ["10.1.0.0/16"], "ports": [6443]},
            "providers": {"cidrs": ["10.2.0.0/16"]},
        },
        "readers": {"groups": ["shop-people"]},
        "gitops": {"repository": "https://git.example.com/shop/secrets.git"},
    }


STACK = stack("vault")
BASIC: dict[str, Any] = {"environment": "test", "secrets": "basic"}


def changed(mapping: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with `value` at `path`: keys and places in lists, with dots; missing keys are made."""
    copied = copy.deepcopy(mapping)
    parts: list[Any] = [int(part) if part.isdigit() else part for part in path.split(".")]
    here: Any = copied
    for part in parts[:-1]:
        here = here[part] if isinstance(here, list) else here.setdefault(part, {})
    if value is REMOVED:
        del here[parts[-1]]
    else:
        here[parts[-1]] = value
    return copied


class _Dumper(yaml.CSafeDumper):
    """Quotes also what only some readers take for no text."""


_Dumper.add_implicit_resolver("!", re.compile(r"([yYnN]|[-+.0-9].*)$"), None)


def text_of(content: object) -> str:
    """YAML of a mapping, in its order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def write_files(folder: Path, catalogue: object, stack: object) -> tuple[Path, Path]:
    """Writes mappings, texts or bytes as `catalogue.yaml` and `stack.yaml`.

    A mapping as `stack` is the settings alone; a text or bytes the whole file.
    """
    if isinstance(stack, dict):
        stack = {"config": {"platform-secrets:environment": stack}}
    for name, content in (("catalogue.yaml", catalogue), ("stack.yaml", stack)):
        text = text_of(content) if isinstance(content, dict | list) else content
        (folder / name).write_bytes(text if isinstance(text, bytes) else str(text).encode())
    return folder / "catalogue.yaml", folder / "stack.yaml"


def problems(folder: Path, catalogue: object = CATALOGUE, stack: object = STACK) -> list[Problem]:
    """What is wrong with the two files; nothing when they are valid."""
    catalogue_file, stack_file = write_files(folder, catalogue, stack)
    try:
        load([stack_document(stack_file)], catalogue_document(catalogue_file))
    except SettingsError as error:
        return error.problems
    return []


def lines(folder: Path, catalogue: object = CATALOGUE, stack: object = STACK) -> list[str]:
    """The problems as people see them, the files' names without their folder."""
    found = problems(folder, catalogue, stack)
    return [str(problem).replace(f"{folder}/", "") for problem in found]
