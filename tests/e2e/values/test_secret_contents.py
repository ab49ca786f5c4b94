"""What a Secret is beside its keys: type, bytes, labels, logins, texts. Made by the real operator,
and the same as the plain Secret of an environment without stores."""

import base64
import json
import secrets
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from platform_secrets.manifests.chart import laid_over
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.settings import Document, Settings, load
from platform_secrets.settings.secret_fields import secret_field
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.environments import PATIENCE_SECONDS, fails, operated, sync, touch
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import wait_until
from tests.e2e.stores import Stores
from tests.platform import STACK_FILES
from tests.test_hostile_texts import PIECES

# What other languages would read, but for the parts of a text.
HOSTILE = [one for one in PIECES if "${" not in one]
CATALOGUE: dict[str, Any] = {
    "platform": "wren",
    "services": {},
    "bundles": {
        "ledger": {
            "secret": "ledger-env",
            "labels": {"example.org/secret-type": "repository"},
            "annotations": {"example.org/note": "{{ stays }} as it is"},
            "keys": {
                "DB_USER": {"description": "account", "hidden": True},
                "DB_PASSWORD": {"description": "its password", "hidden": True},
                "apiToken": {"description": "a token"},
                "keystore.p12": {"description": "a keystore", "stored-as": "base64"},
            },
            "texts": {
                "DATABASE_URL": "postgresql://${DB_USER|url}:${DB_PASSWORD|url}@db:5432/ledger",
                "config.json": '{"password":${DB_PASSWORD|json},"nested":{"a":{"b":1}}}',
                "basic": "Basic ${DB_PASSWORD|base64}",
                "keystore": "${keystore.p12|base64}",
                "LITERAL": "$${DB_USER} {{ .DB_USER }} {${apiToken}} {{${apiToken}}} {{/* {{{",
                "DB_POOL": "20",
                "app.toml": "[db]\npool = 20\n\n[web]\nname = 'Zürich {{- 1 -}}'\n",
            },
        },
        "edge": {
            "secret": "edge-tls",
            "type": "kubernetes.io/tls",
            "keys": {
                "tls.crt": {"description": "certificate", "stored-as": "base64"},
                "tls.key": {"description": "its key", "stored-as": "base64"},
            },
        },
        "pull": {
            "secret": "pull-login",
            "registries": {
                "registry.example.com:5000": {"username": "REGISTRY_USER", "password": "PASS"},
                "https://index.example.com/v1/": {"username-text": "_json_key", "password": "PASS"},
            },
            "keys": {
                "REGISTRY_USER": {"description": "account", "hidden": True},
                "PASS": {"description": "its password", "hidden": True},
            },
        },
        "login": {
            "secret": "own-type",
            "type": "example.com/login",
            "deletion": "delete",
            "keys": {"user-name": {"description": "account"}},
        },
    },
}


def hostile_bundle(name: str) -> dict[str, Any]:
    """Each piece of a language alone, then two of them around a value."""
    pairs = zip(HOSTILE, [*HOSTILE[7:], *HOSTILE[:7]], strict=True)
    texts = [*HOSTILE, *(f"{one}${{apiToken}}{other}" for one, other in pairs)]
    return {
        "secret": f"{name}-env",
        "annotations": {f"example.org/a{place}": one for place, one in enumerate(HOSTILE)},
        "keys": {"apiToken": {"same-as": "ledger/apiToken", "hidden": True}},
        "texts": {f"T{place}": one for place, one in enumerate(texts)},
    }


CATALOGUE["bundles"]["hostile"] = hostile_bundle("hostile")
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "vault": ("production", {}),
    "aws": ("production-aws", {}),
    "gcp-bundle": (
        "production-gcp",
        {"gcp": {"layout": "bundle", "entry-pattern": "{platform}-{environment}-{bundle}"}},
    ),
}
BINARY = bytes(range(256))


@dataclass
class Case:
    """An environment whose store holds `values`, by key."""

    settings: Settings
    values: dict[str, str]


def new_values() -> dict[str, str]:
    """A value for each key, hard to carry, new in each run."""
    one = secrets.token_hex(8)
    return {
        "DB_USER": f"us er+{one}",
        "DB_PASSWORD": f"p@ss:/?#[]%20+ \"'\\<&>\u2028\x01{{{{ .x }}}}ü鍵\n{one}",
        "apiToken": f"${{DB_USER}} {{{{ {one}",
        "keystore.p12": base64.b64encode(BINARY + one.encode()).decode(),
        # As `base64` writes it, in lines.
        "tls.crt": base64.encodebytes(f"certificate {one}".encode() * 9).decode(),
        "tls.key": base64.encodebytes(BINARY + one.encode()).decode(),
        "REGISTRY_USER": f"robot${one}",
        "PASS": f'p"w\\:<{one}>',
        "user-name": one,
    }


def settings_for(name: str, file: str, stores: dict[str, Any]) -> Settings:
    content = yaml.safe_load(STACK_FILES[file].read_text(encoding="utf-8"))
    changes = {
        "environment": f"contents-{name}",
        "stores": stores,
        "bundles": {"edge": {"refresh-interval": 0}},
    }
    stack = Document(file, laid_over(content["config"][STACK_KEY], changes))
    [found] = load([stack], Document("catalogue.yaml", CATALOGUE))
    return found


@pytest.fixture(scope="module")
def cases(cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[dict[str, Case]]:
    made = {}
    for name, (file, changes) in CASES.items():
        made[name] = Case(settings_for(name, file, changes), new_values())
        stores.prepare(made[name].settings)
        stores.put(made[name].settings, made[name].values)
    with operated(cluster, operator, [case.settings for case in made.values()]):
        yield made


def expected(case: Case, bundle: str) -> dict[str, bytes]:
    """The fields that a plain Secret of the bundle would have."""
    content = case.settings.catalogue.bundles[bundle]
    return {
        name: secret_field(content, name, {key: case.values[key] for key in parts})
        for name, parts in content.fields.items()
    }


def secret_of(cluster: Cluster, case: Case, bundle: str) -> Manifest:
    """The bundle's Secret, once it is there."""
    name = case.settings.catalogue.bundles[bundle].secret
    found: list[Manifest | None] = []

    def is_there() -> bool:
        found.append(cluster.api.get("v1", "Secret", name, case.settings.namespace))
        return found[-1] is not None

    wait_until(is_there, f"there is a Secret {name}", timeout_seconds=PATIENCE_SECONDS)
    return found[-1] or {}


def fields_of(secret: Manifest) -> dict[str, bytes]:
    return {name: base64.b64decode(text) for name, text in secret["data"].items()}


@pytest.mark.parametrize("bundle", CATALOGUE["bundles"])
@pytest.mark.parametrize("name", CASES)
def test_the_operator_makes_the_same_bytes_as_a_plain_secret_has(
    cluster: Cluster, cases: dict[str, Case], name: str, bundle: str
) -> None:
    found = fields_of(secret_of(cluster, cases[name], bundle))
    wanted = expected(cases[name], bundle)
    assert found.keys() == wanted.keys()
    assert [field for field in wanted if found[field] != wanted[field]] == []


@pytest.mark.parametrize("name", CASES)
def test_texts_are_what_their_readers_take_them_for(
    cluster: Cluster, cases: dict[str, Case], name: str
) -> None:
    values = cases[name].values
    found = fields_of(secret_of(cluster, cases[name], "ledger"))
    url = urlsplit(found["DATABASE_URL"].decode())
    assert unquote(url.username or "") == values["DB_USER"]
    assert unquote(url.password or "") == values["DB_PASSWORD"]
    assert url.hostname == "db"
    assert json.loads(found["config.json"])["password"] == values["DB_PASSWORD"]
    token = values["apiToken"]
    literal = f"${{DB_USER}} {{{{ .DB_USER }}}} {{{token}}} {{{{{token}}}}} {{{{/* {{{{{{"
    assert found["LITERAL"].decode() == literal
    assert tomllib.loads(found["app.toml"].decode())["web"] == {"name": "Zürich {{- 1 -}}"}
    assert not {"DB_USER", "DB_PASSWORD"} & found.keys()


@pytest.mark.parametrize("name", CASES)
def test_types_labels_and_annotations_are_on_the_secret(
    cluster: Cluster, cases: dict[str, Case], name: str
) -> None:
    types = {
        bundle: secret_of(cluster, cases[name], bundle)["type"] for bundle in CATALOGUE["bundles"]
    }
    assert types == {
        "ledger": "Opaque",
        "edge": "kubernetes.io/tls",
        "pull": "kubernetes.io/dockerconfigjson",
        "login": "example.com/login",
        "hostile": "Opaque",
    }
    metadata = secret_of(cluster, cases[name], "ledger")["metadata"]
    assert metadata["labels"]["example.org/secret-type"] == "repository"
    assert metadata["annotations"]["example.org/note"] == "{{ stays }} as it is"


@pytest.mark.parametrize("name", CASES)
def test_an_annotation_is_no_template_whatever_is_in_it(
    cluster: Cluster, cases: dict[str, Case], name: str
) -> None:
    annotations = secret_of(cluster, cases[name], "hostile")["metadata"]["annotations"]
    found = [annotations[f"example.org/a{place}"] for place in range(len(HOSTILE))]
    assert found == HOSTILE


def test_a_pull_secret_has_each_registry_s_login(cluster: Cluster, cases: dict[str, Case]) -> None:
    case = cases["vault"]
    found = json.loads(fields_of(secret_of(cluster, case, "pull"))[".dockerconfigjson"])["auths"]
    user, password = case.values["REGISTRY_USER"], case.values["PASS"]
    for host, name in (
        ("registry.example.com:5000", user),
        ("https://index.example.com/v1/", "_json_key"),
    ):
        assert found[host]["username"] == name
        assert found[host]["password"] == password
        assert base64.b64decode(found[host]["auth"]).decode() == f"{name}:{password}"
    assert len(found) == 2


@pytest.mark.parametrize("wrong", ["", None, "no base64!"])
def test_a_part_that_is_missing_empty_or_no_base64_fails_the_sync_and_changes_nothing(
    cluster: Cluster, stores: Stores, cases: dict[str, Case], wrong: str | None
) -> None:
    case, key = cases["vault"], "keystore.p12" if wrong else "DB_PASSWORD"
    before = secret_of(cluster, case, "ledger")["data"]
    entry = bundle_entries(case.settings, "ledger")[key]
    path = f"secret/data/{entry.key}"
    kept = stores.bao.read(path)["data"]
    others = {name: value for name, value in kept.items() if name != key}
    stores.bao.write(path, data=others if wrong is None else {**others, key: wrong})
    fail_now(cluster, case)
    assert secret_of(cluster, case, "ledger")["data"] == before
    stores.bao.write(path, data=kept)
    sync(cluster, case.settings.namespace, "ledger-env")


def fail_now(cluster: Cluster, case: Case) -> None:
    """The operator reads the store again, and the sync fails."""
    touch(cluster, case.settings.namespace, "ledger-env")
    fails(cluster, case.settings.namespace, "ledger-env")


def test_a_secret_that_lives_keeps_its_type_and_values_when_the_bundle_s_type_changes(
    cluster: Cluster, cases: dict[str, Case]
) -> None:
    case, name = cases["vault"], "ledger-env"
    before = secret_of(cluster, case, "ledger")

    def give(secret_type: str) -> None:
        spec = {"target": {"template": {"type": secret_type}}}
        kind = ("external-secrets.io/v1", "ExternalSecret")
        cluster.api.patch(*kind, name, case.settings.namespace, {"spec": spec})

    give("example.com/other")
    fails(cluster, case.settings.namespace, name)
    after = secret_of(cluster, case, "ledger")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert (after["type"], after["data"]) == (before["type"], before["data"])
    give(before["type"])
    sync(cluster, case.settings.namespace, name)


def test_with_refresh_interval_0_a_secret_changes_when_somebody_asks_for_it(
    cluster: Cluster, stores: Stores, cases: dict[str, Case]
) -> None:
    case = cases["vault"]
    before = secret_of(cluster, case, "edge")["data"]
    case.values["tls.crt"] = base64.b64encode(secrets.token_bytes(40)).decode()
    stores.put(case.settings, case.values)
    external = cluster.api.get(
        "external-secrets.io/v1", "ExternalSecret", "edge-tls", case.settings.namespace
    )
    assert (external or {})["spec"]["refreshInterval"] == "0s"
    assert secret_of(cluster, case, "edge")["data"] == before
    sync(cluster, case.settings.namespace, "edge-tls")
    assert fields_of(secret_of(cluster, case, "edge")) == expected(case, "edge")


def test_a_secret_goes_with_its_values_where_the_bundle_says_so(
    cluster: Cluster, stores: Stores, cases: dict[str, Case]
) -> None:
    case = cases["vault"]
    secret_of(cluster, case, "login")
    stores.remove(case.settings, "login")
    touch(cluster, case.settings.namespace, "own-type")
    wait_until(
        lambda: cluster.api.get("v1", "Secret", "own-type", case.settings.namespace) is None,
        "the Secret is gone",
        timeout_seconds=PATIENCE_SECONDS,
    )
