"""The tests' platform in every stack, whole platforms, and a small one for single rules."""

import contextlib
import copy
import json
import re
import runpy
import secrets
import string
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies

from platform_secrets import settings
from platform_secrets.secretsctl.rendering import rendered_files
from platform_secrets.settings.documents import STACK_KEY
from platform_secrets.settings.values import value_fault
from tests.declaring import CLUSTER_UID, PROJECT, Run, declare
from tests.platform import CATALOGUE_FILE, STACK_FILES

# Whole platforms of other shapes: one that has all there is, the one that this repository comes
# with, and the examples.
PLATFORMS = [
    PROJECT / "tests/platform/everything/catalogue.yaml",
    PROJECT / "catalogue.yaml",
    *sorted(PROJECT.glob("examples/*/catalogue.yaml")),
]
PLATFORM_FILES = [
    file for platform in PLATFORMS for file in sorted(platform.parent.glob("Pulumi.*.yaml"))
]

# What a value must begin with where the catalogue has a pattern.
_BEGINNINGS = {"stripe-api-key": "sk_test_", "stripe-webhook-secret": "whsec_"}

VAULT = {"provider": "vault", "server": "https://vault.example.com:8200"}
SHOP = {
    "platform": "shop",
    "bundles": {
        "shared": {
            "secret": "shop-secrets",
            "keys": {
                "api-token": {"description": "token of the warehouse"},
                "signing-key": {
                    "description": "signs orders",
                    "rotate": {"by": "generate", "every": "90d", "overlap": "24h"},
                },
            },
        },
        "billing": {
            "secret": "shop-billing",
            "keys": {"bank-password": {"description": "password at the bank"}},
        },
    },
    "services": {
        "web": {"workload": "Deployment/shop-web", "reads": ["shared"]},
        "billing": {"workload": "Deployment/shop-billing", "reads": ["shared", "billing"]},
    },
}


@dataclass(frozen=True)
class Stack:
    """A stack file; beside no catalogue, it is one of the tests' platform."""

    name: str
    path: Path

    @property
    def catalogue(self) -> Path:
        own = self.path.with_name("catalogue.yaml")
        return own if own.exists() else CATALOGUE_FILE

    @cached_property
    def content(self) -> dict[str, Any]:
        content = settings.stack_document(self.path).content
        assert isinstance(content, dict)
        return content

    @cached_property
    def settings(self) -> settings.Settings:
        document = settings.stack_document(self.path)
        [loaded] = settings.load([document], settings.catalogue_document(self.catalogue))
        return loaded

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The rendered files, read again as YAML, by name."""
        files = rendered_files(self.settings, self.catalogue)
        return {name: yaml.load(text, yaml.CSafeLoader) for name, text in files.items()}

    @property
    def rendered_objects(self) -> list[dict[str, Any]]:
        """The environment's own objects in the tree: no kustomization, entry point or chart."""
        beside = ("gitops/", "basic-secrets/", "charts/", "prometheus/", "control-plane/")
        return [
            content
            for name, content in self.tree.items()
            if not name.startswith(beside) and content["kind"] != "Kustomization"
        ]

    @cached_property
    def declared(self) -> Run:
        """What an update by __main__.py declares, on the stack's cluster and with secrets.env."""
        return _declared_by_main(self)


STACKS = {name: Stack(name, path) for name, path in STACK_FILES.items()}
OF_ANY_PLATFORM = STACKS | {
    name: Stack(path.stem.removeprefix("Pulumi."), path)
    for path in PLATFORM_FILES
    for name in [path.relative_to(PROJECT).as_posix()]
}


def _declared_by_main(stack: Stack) -> Run:
    content = {**stack.content, "cluster": {"uid": CLUSTER_UID}}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("catalogue.yaml").write_bytes(stack.catalogue.read_bytes())
        catalogue = stack.settings.catalogue
        keys = {name: catalogue.keys[id] for name, id in catalogue.spellings.items()}
        lines = [f"{name}={_made_up(name, key)}\n" for name, key in keys.items()]
        Path("secrets.env").write_text("".join(lines))
        return declare(
            lambda: runpy.run_path(str(PROJECT / "__main__.py")),
            stack=stack.name,
            config={STACK_KEY: json.dumps(content)},
            outputs=_chosen_by_azure(stack.settings),
        )


def _chosen_by_azure(found: settings.Settings) -> dict[str, dict[str, str]]:
    """The client IDs of identities, just as the stack names them."""
    return {
        view.declared_name(f"{name}-{identity}-identity"): {
            "clientId": getattr(store.client_ids_of(view.namespace), identity)
        }
        for name, store in found.environment.stores.items()
        if isinstance(store, settings.AzureStore)
        for view, identity in found.all_identities(name)
    }


def made_up_values(catalogue: Path = CATALOGUE_FILE) -> dict[str, str]:
    """A value that the catalogue accepts for every key, another one each time."""
    keys = settings.load_catalogue(settings.catalogue_document(catalogue)).keys
    return {name: _made_up(name, key) for name, key in keys.items()}


def _made_up(name: str, key: settings.Key) -> str:
    if key.alphabet == "uuid":
        return str(uuid.uuid4())
    forms = {"postgres-url": "postgresql://wren:{}@db/wren", "redis-url": "redis://:{}@redis/0"}
    made = _BEGINNINGS.get(name, "") + forms.get(key.format, "{}").format(
        secrets.token_hex(max(20, key.min_length))
    )
    if not key.pattern or re.fullmatch(key.pattern, made):
        return made
    pattern = strategies.from_regex(key.pattern, fullmatch=True, alphabet=string.printable.strip())
    return hypothesis.find(pattern, lambda value: value_fault(key, value) is None)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Every stack file of the tests' platform, and every example of one, in turn."""
    return STACKS[request.param]


@pytest.fixture(params=OF_ANY_PLATFORM)
def any_stack(request: pytest.FixtureRequest) -> Stack:
    """The same, and the stacks of whole platforms."""
    return OF_ANY_PLATFORM[request.param]


@pytest.fixture(params=[name for name in STACKS if "stores" in STACKS[name].content])
def stack_with_stores(request: pytest.FixtureRequest) -> Stack:
    """Every stack but those of basic Secrets."""
    return STACKS[request.param]


@pytest.fixture(params=[name for name, each in OF_ANY_PLATFORM.items() if "stores" in each.content])
def any_stack_with_stores(request: pytest.FixtureRequest) -> Stack:
    """Of any platform, all but those of basic Secrets."""
    return OF_ANY_PLATFORM[request.param]


@pytest.fixture
def stack_named() -> Callable[[str], Stack]:
    """The stack file or example of a name."""
    return STACKS.__getitem__


@pytest.fixture
def values() -> dict[str, str]:
    return made_up_values()


@pytest.fixture
def shop() -> dict[str, Any]:
    """The shop's catalogue, to be changed."""
    return copy.deepcopy(SHOP)


@pytest.fixture
def vault() -> dict[str, Any]:
    """The shop's store."""
    return dict(VAULT)


@pytest.fixture
def settings_with() -> Callable[..., settings.Settings]:
    """Settings of the shop's environment `test`, with changes by keyword (`_` for `-`)."""

    def made(catalogue: dict[str, Any] = SHOP, **changes: Any) -> settings.Settings:
        content = {"environment": "test", "operator": "install", "stores": {"vault": VAULT}}
        content |= {key.replace("_", "-"): value for key, value in changes.items()}
        found = {key: value for key, value in content.items() if value is not None}
        stack = settings.Document("Pulumi.test.yaml", found)
        [loaded] = settings.load([stack], settings.Document("catalogue.yaml", catalogue))
        return loaded

    return made


@pytest.fixture
def aws_settings(settings_with):
    """The shop with a store in AWS, each option laid over its settings."""
    from tests.aws_shop import catalogue, store_with

    def made(*options, every="90d", **changes):
        stores = {"aws": store_with(*options)}
        return settings_with(catalogue=catalogue(every), stores=stores, **changes)

    return made


@pytest.fixture
def aws_backend(aws_settings):
    """All that its provider half declares, by logical name."""
    from tests.aws_shop import declared_by

    return lambda *options, **changes: declared_by(aws_settings(*options, **changes))
