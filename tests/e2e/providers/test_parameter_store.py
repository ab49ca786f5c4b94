"""AWS Parameter Store: read and rotated by the real operator. Moto is the store, behind a door that
knows each role's rights; nothing here has seen AWS itself."""

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
import yaml

from platform_secrets.settings import Document, Settings, load
from tests.e2e.cluster import PEOPLE, Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.environments import fails, sync, touch
from tests.e2e.kubelet import fingerprint
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.people import Person
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import ROTATED, stored
from tests.e2e.rotation_journey import Journey, journeys
from tests.e2e.stores import Stores

GENERATED = {"by": "generate", "every": "90d", "overlap": "1h"}
CATALOGUE: dict[str, Any] = {
    "platform": "harbour",
    "bundles": {
        "gate": {
            "secret": "gate",
            "keys": {
                "SIGNING_KEY": {"description": "signs", "rotate": GENERATED},
                "login": {"description": "of the mail relay"},
            },
        },
        "porch": {
            "secret": "porch",
            "keys": {"bell": {"description": "rings"}, "lamp": {"description": "shines"}},
        },
    },
    "services": {"gate": {"workload": "Deployment/gate", "reads": ["gate"]}},
}
STACK: dict[str, Any] = {
    "environment": "parameters",
    "operator": "install",
    "protect": False,
    "seeding": {"groups": [PEOPLE]},
    "stores": {
        "parameters": {
            "provider": "aws-parameter-store",
            "region": "eu-central-1",
            "account-id": "123456789012",
        }
    },
}
KEYS = ("SIGNING_KEY", "SIGNING_KEY_NEXT", "SIGNING_KEY_PREVIOUS")


@pytest.fixture(scope="module")
def journey(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[Journey]:
    [settings] = load(
        [Document("Pulumi.parameters.yaml", STACK)], Document("catalogue.yaml", CATALOGUE)
    )
    with journeys(run, cluster, stores, operator, {"parameters": settings}) as made:
        yield made["parameters"]


def parameter(settings: Settings, name: str) -> str:
    return f"/harbour/{settings.environment.environment}/{name}"


def test_a_parameter_arrives_and_is_read_by_its_name_alone(
    journey: Journey, stores: Stores
) -> None:
    place = journey.place
    sync(place.cluster, place.namespace, "gate")
    assert place.in_secrets("gate")["login"] == fingerprint(place.values["login"])
    read = {call.target for call in stores.aws_gate.calls if call.method == "GetParameter"}
    assert parameter(place.settings, "login") in read


def test_a_rotation_writes_encrypted_parameters(journey: Journey, stores: Stores) -> None:
    place = journey.place
    before = stored(place.stores, place.settings, "gate", "SIGNING_KEY")
    journey.next_rotation()
    done = journey.rotate()
    assert done.code == ROTATED, done.text
    new, following, previous = (
        fingerprint(stored(place.stores, place.settings, "gate", key)) for key in KEYS
    )
    assert (following, previous) == (new, fingerprint(before))
    assert new != previous
    assert [place.in_secrets("gate")[key] for key in KEYS] == [new, new, previous]
    client = stores.aws.client("ssm")
    found = client.describe_parameters()["Parameters"]
    kinds = {one["Name"]: one["Type"] for one in found if one["Name"].startswith("/harbour/")}
    assert {*kinds.values()} == {"SecureString"}
    assert len(kinds) == len(KEYS) + len(("login", "bell", "lamp"))
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)


def test_a_parameter_that_its_role_may_not_read_stops_the_sync_and_not_the_secret(
    journey: Journey, stores: Stores
) -> None:
    place = journey.place
    [role] = [one for one in stores.aws_gate.grants if one.endswith("--parameters-read")]
    rights = stores.aws_gate.grants[role]
    refused = {one for one in rights if one[1] == parameter(place.settings, "login")}
    assert refused
    rights -= refused
    try:
        touch(place.cluster, place.namespace, "gate")
        fails(place.cluster, place.namespace, "gate")
        assert place.in_secrets("gate")["login"] == fingerprint(place.values["login"])
    finally:
        rights |= refused
        sync(place.cluster, place.namespace, "gate")


def test_first_values_come_into_encrypted_parameters_and_what_is_there_stays(
    journey: Journey, stores: Stores
) -> None:
    place, client = journey.place, stores.aws.client("ssm")
    folder = place.folder / "person"
    folder.mkdir()
    person = Person(place.cluster, folder, "parameters")
    stack = {**STACK, "cluster": {"uid": place.cluster.uid}}
    for name, content in (
        ("Pulumi.parameters.yaml", {"config": {STACK_KEY: stack}}),
        ("catalogue.yaml", CATALOGUE),
    ):
        (folder / name).write_text(yaml.safe_dump(content))
    client.delete_parameter(Name=parameter(place.settings, "bell"))
    lamp, bell = place.values["lamp"], token_hex(24)
    given = f"porch/bell={bell}\nporch/lamp={token_hex(24)}\n"
    code, output, errors = person.run("seed", "--from-env-file", "-", given=given)
    assert code == 0, errors
    assert (output.count(": written\n"), output.count(": is there, and stays\n")) == (1, 1)
    assert place.in_secrets("porch") == {"bell": fingerprint(bell), "lamp": fingerprint(lamp)}
    [found] = client.get_parameters(Names=[parameter(place.settings, "bell")])["Parameters"]
    assert (found["Type"], "bell" in found["Name"]) == ("SecureString", True)
    again = (*("seed", "--overwrite", "bell"), "--from-env-file", "-")
    large = f"porch/bell={'x' * 4097}\n"
    code, _, errors = person.run(*again, given=large)
    assert (code, "aws-parameter-store takes 4,096" in errors) == (2, True), errors
    code, _, errors = person.run(*again, given=large[:-2] + "\n")
    assert (code, place.in_secrets("porch")["bell"]) == (0, fingerprint("x" * 4096)), errors
