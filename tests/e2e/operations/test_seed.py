"""First values come into a store through the operator: what is there stays, and a value is seen
nowhere else."""

import base64
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_bytes, token_hex
from typing import Any

import pytest

from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.settings import Settings
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.environments import ESO, fails, operated, secret_values
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.people import Person
from tests.e2e.process import Run
from tests.e2e.rotating import MARK, rotating_settings
from tests.e2e.stores import VAULT_HOST, Stores, made_values

MANY, ONE = "backend-api", "chat-server"
OK, FAILED, WRONG_INPUT, STOPPED = 0, 1, 2, 130
PUSHES = "external-secrets.io/v1alpha1"
MOST_ATTEMPTS = 60
CHANGES: dict[str, Any] = {"seeding": {"groups": [PEOPLE]}, "admission": "deny"}


@dataclass
class Place:
    """An environment whose store is empty at first; `values` fit its keys."""

    person: Person
    settings: Settings
    values: dict[str, str]

    def secret(self, bundle: str) -> str:
        return self.settings.catalogue.bundles[bundle].secret

    def keys(self, bundle: str) -> list[str]:
        keys = self.settings.catalogue.bundles[bundle].keys.items()
        return [name for name, key in keys if not key.same_as]

    def lines(self, *bundles: str) -> str:
        """What a file with all values of these bundles holds."""
        pairs = [f"{bundle}/{key}" for bundle in bundles for key in self.keys(bundle)]
        return "".join(f"{one}={self.values[one.partition('/')[2]]}\n" for one in pairs)

    def entries(self, bundle: str) -> set[str]:
        """The names of those that a bundle's values are in, also those that rotations derive."""
        return {one.key for one in bundle_entries(self.settings, bundle).values()}

    def seed(self, *arguments: str, given: str, **how: Any) -> tuple[int, str, str]:
        return self.person.run("seed", "--from-env-file", "-", *arguments, given=given, **how)

    def in_secret(self, bundle: str) -> dict[str, str]:
        """What the operator has made of the store."""
        cluster = self.person.cluster
        return secret_values(cluster, self.settings.namespace, self.secret(bundle)) or {}

    def left(self) -> list[str]:
        """What there is of seeding."""
        api, namespace = self.person.cluster.api, self.settings.namespace
        kinds = [("v1", "Secret"), (ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
        found = [one["metadata"]["name"] for each in kinds for one in api.list(*each, namespace)]
        return [one for one in found if "seeding" in one]


SIGNS = {"by": "generate", "every": "90d", "overlap": "24h"}
GATE = {
    "bundles": {
        "gate": {
            "secret": "gate-env",
            "keys": {
                "keystore": {"description": "bytes", "stored-as": "base64"},
                "signing-key": {"description": "signs", "min-length": 32, "rotate": SIGNS},
            },
        },
        "mirror": {
            "secret": "mirror-env",
            "keys": {"STORE": {"description": "of the gate", "same-as": "gate/keystore"}},
        },
    },
    "services": {"gate": {"workload": "Deployment/gate", "reads": ["gate", "mirror"]}},
}
CLOUDS: dict[str, dict[str, Any]] = {
    "aws": {"layout": "bundle"},
    "gcp": {},
    "azure": {"client-ids": {"seed": "aaaaaaaa-0000-4000-8000-000000000003"}},
}


@pytest.fixture(scope="module")
def places(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Place]]:
    """By provider."""
    found: dict[str, Place] = {}
    for name, store in {"vault": {}, **CLOUDS, "aws-per-key": {}}.items():
        provider = name.partition("-")[0]
        stack = "production" if provider == "vault" else f"production-{provider}"
        changes = {**CHANGES, **({"stores": {provider: store}} if store else {})}
        if name == "aws-per-key":
            changes["catalogue"] = GATE
        settings = rotating_settings(stack, f"seeding-{name}", **changes)
        folder = run.new_folder(f"person-{name}")
        person = Person(cluster, folder, settings.environment.environment)
        person.write_stack(stack, **changes)
        stores.prepare(settings)
        cluster.create_namespace(settings.namespace)
        found[name] = Place(person, settings, made_values(settings))
    with operated(cluster, operator, [one.settings for one in found.values()]):
        yield found


@pytest.fixture
def place(places: dict[str, Place]) -> Place:
    """The one whose store is in Vault."""
    return places["vault"]


def declare_in_aws(stores: Stores, name: str) -> None:
    """An entry without a value, as a stack declares it."""
    tags = [{"Key": key, "Value": value} for key, value in MARK.items()]
    stores.aws.client("secretsmanager").create_secret(Name=name, Tags=tags)


@pytest.mark.parametrize("provider", CLOUDS)
def test_in_a_cloud_too_what_is_missing_is_written_and_what_is_there_stays(
    places: dict[str, Place], stores: Stores, provider: str
) -> None:
    """Where a stack declares entries, they are there before their values."""
    place = places[provider]
    for name in place.entries(MANY):
        if provider == "aws":
            declare_in_aws(stores, name)
        elif provider == "gcp":
            stores.gcp.create(name, MARK)
    code, output, errors = place.seed("--yes", f"{MANY}/smtp-password", given=place.lines(MANY))
    assert (code, output.count(": written\n")) == (OK, 1), errors
    assert f"not Ready, since the store has no {MANY}/stripe-api-key" in output
    first = place.values["smtp-password"]
    place.values["smtp-password"] = token_hex(24)
    code, output, errors = place.seed("--yes", given=place.lines(MANY))
    assert (code, output.count(": is there, and stays\n")) == (OK, 1), errors
    in_secret = place.in_secret(MANY)
    assert in_secret["smtp-password"] == first
    assert in_secret["stripe-api-key"] == place.values["stripe-api-key"]
    assert place.left() == []
    code, _, errors = place.seed("--yes", "--overwrite", "smtp-password", given=place.lines(MANY))
    assert code == OK, errors
    assert place.in_secret(MANY) == {**in_secret, "smtp-password": place.values["smtp-password"]}


def test_bytes_and_derived_values_and_whoever_has_the_same_value_are_there_at_once(
    places: dict[str, Place], stores: Stores
) -> None:
    place = places["aws-per-key"]
    for name in place.entries("gate"):
        declare_in_aws(stores, name)
    keystore, signing_key = token_bytes(200), token_hex(32)
    folder = place.person.folder / "gate"
    folder.mkdir()
    (folder / "keystore").write_bytes(keystore)
    (folder / "signing-key").write_text(f"{signing_key}\n")
    again = ("seed", "--yes", "--from-file", str(folder))
    code, output, errors = place.person.run(*again)
    assert code == OK, errors
    (folder / "keystore").write_bytes(token_bytes(200))
    code, stayed, errors = place.person.run(*again)
    assert (code, stayed.count(": is there, and stays\n")) == (OK, 4), errors
    for secret in ("gate-env", "gate-env-overlap", "mirror-env"):
        assert f"{secret}: synced\n" in output
    read = lambda name: place.person.cluster.api.read(  # noqa: E731
        "v1", "Secret", name, place.settings.namespace
    )["data"]
    of_bytes, of_key = (
        base64.b64encode(value).decode() for value in (keystore, signing_key.encode())
    )
    assert read("gate-env") == {"keystore": of_bytes, "signing-key": of_key}
    assert read("mirror-env") == {"STORE": of_bytes}
    assert read("gate-env-overlap") == {
        "signing-key-next": of_key,
        "signing-key-previous": of_key,
    }


def test_an_empty_store_has_the_values_and_they_are_seen_nowhere_else(
    place: Place, operator: OperatorRelease
) -> None:
    code, output, errors = place.seed("--yes", given=place.lines(MANY))
    assert code == OK, errors
    entry = "entry wren/seeding-vault/backend-api (smtp-password) of store vault"
    assert f"{MANY}/smtp-password in {entry}: written\n" in output
    assert f"{place.secret(MANY)}: synced\n" in output
    assert place.in_secret(MANY)["smtp-password"] == place.values["smtp-password"]
    assert place.left() == []
    api, namespace = place.person.cluster.api, place.settings.namespace
    kinds = [("v1", "ConfigMap"), ("v1", "Event"), (ESO, "ExternalSecret"), (PUSHES, "PushSecret")]
    objects = json.dumps([api.list(*each, namespace) for each in kinds])
    assert operator.process
    seen = "\n".join(
        [place.person.said, place.person.calls, objects, operator.process.log.read_text()]
    )
    for key in place.keys(MANY):
        for shown in (place.values[key], base64.b64encode(place.values[key].encode()).decode()):
            assert shown not in seen, "a value"


def test_what_is_there_stays_unless_it_is_named_to_be_overwritten(place: Place) -> None:
    before = place.in_secret(MANY)
    first = place.values["smtp-password"]
    place.values["smtp-password"] = second = token_hex(24)
    code, output, errors = place.seed("--yes", given=place.lines(MANY))
    assert (code, place.in_secret(MANY)) == (OK, before), errors
    assert output.count(": is there, and stays\n") == len(place.keys(MANY))
    code, output, errors = place.seed(
        "--yes", "--overwrite", "smtp-password", given=place.lines(MANY)
    )
    assert code == OK, errors
    assert output.count(": written\n") == 1
    assert place.in_secret(MANY) == {**before, "smtp-password": second} != before
    assert first != second


def test_nothing_is_written_before_somebody_agrees(place: Place) -> None:
    code, _, errors = place.seed(given=place.lines(ONE))
    assert (code, "--yes: " in errors) == (WRONG_INPUT, True)
    code, output, errors = place.seed("--dry-run", given=place.lines(ONE))
    assert (code, errors) == (OK, "")
    assert output.count("would be written, if missing") == len(place.keys(ONE))
    code, _, errors = place.seed("--yes", given=f"{ONE}/unknown={token_hex(8)}\n")
    assert (code, "unknown key" in errors) == (WRONG_INPUT, True)
    assert place.left() == []
    fails(place.person.cluster, place.settings.namespace, place.secret(ONE))


def test_at_a_terminal_somebody_is_asked_and_only_yes_writes(place: Place) -> None:
    """Also n, the end of the input and Ctrl-C."""
    before, value = place.in_secret(MANY), token_hex(24)
    file = place.person.folder / "values.env"
    file.write_text(f"{MANY}/smtp-password={value}\n")
    again = ("--from-env-file", str(file), "--overwrite", "smtp-password")
    for answer, code, said in (
        ("n\n", OK, "nothing written"),
        ("\x04", OK, "nothing written"),
        ("\x03", STOPPED, ""),
        ("y\n", OK, ": written"),
    ):
        answers = [(f"Write this to {place.person.environment}? [y/N] ", answer)]
        found, shown = place.person.at_terminal("seed", *again, answers=answers)
        assert (found, said in shown, value in shown) == (code, True, False), shown
        assert place.left() == []
        expected = value if "y" in answer else before["smtp-password"]
        assert place.in_secret(MANY)["smtp-password"] == expected, answer


def test_somebody_who_is_in_no_group_of_the_stack_file_is_told_and_nothing_is_left(
    place: Place, cluster: Cluster
) -> None:
    code, _, errors = place.seed("--yes", given=place.lines(ONE), kubeconfig=cluster.kubeconfig)
    assert (code, "only the groups of `seeding` make those" in errors) == (FAILED, True)
    assert place.left() == []


def test_killed_at_every_write_it_leaves_nothing_once_it_is_repeated(place: Place) -> None:
    attempt, code, errors = 0, -1, ""
    while code < 0 and attempt < MOST_ATTEMPTS:
        attempt += 1
        code, _, errors = place.seed("--yes", given=place.lines(ONE), killed_at=attempt)
    assert (code, attempt > 10) == (OK, True), errors
    assert place.left() == []
    assert set(place.in_secret(ONE).values()) == {place.values[key] for key in place.keys(ONE)}


def test_stopped_while_the_store_is_down_it_takes_its_values_along(
    place: Place, stores: Stores
) -> None:
    with stores.reached_at(f"{VAULT_HOST}:8200", 1):
        process = place.person.start("seed", "--from-env-file", "-", "--yes")
        assert process.stdin
        assert process.stderr
        process.stdin.write(place.lines(ONE))
        process.stdin.close()
        assert any("Ready=False" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == STOPPED
        assert "stopped; nothing was written\n" in process.stderr.read()
    assert place.left() == []
