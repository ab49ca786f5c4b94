"""What could somebody do who has stolen the rotator's token? Every right, from both sides."""

import pytest

from tests.e2e.environments import settings_of
from tests.e2e.process import PROJECT
from tests.e2e.rotation_rights import Admitted

DATABASE = {
    "host": "db.example.com",
    "name": "veza",
    "admin-user": "vault",
    "users": ["veza_a", "veza_b"],
    "grants": ["veza"],
}
CHANGES = {
    "environment": "rights",
    "pod-security": {"enforce": "restricted"},
    "stores": {"vault": {"database": DATABASE}},
    "bundles": {"chat-server": {"store": "aws"}},
}


@pytest.fixture(scope="module")
def world(operator_crds):
    settings = settings_of(PROJECT / "examples/two-stores.yaml", CHANGES)
    yield Admitted(operator_crds, settings)
    operator_crds.delete_namespace(settings.namespace)


def test_the_rotator_makes_each_of_its_objects(world):
    for obj in world.one_shots():
        assert world.creating(obj) == "", obj["metadata"]["name"]
