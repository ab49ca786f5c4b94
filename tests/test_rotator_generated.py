"""The rotation of generated keys, by the real program, against operator and controllers that move
on with each look at them."""

from tests.rotator_world import DUE, World, generated

WEB, CHAT = "Deployment/web", "Deployment/chat"


def one_key(*, overlap=False):
    keys = {"signing-key": generated("signing-key", readers=[WEB], overlap=overlap)}
    return World(keys, {WEB: ["shared"], CHAT: ["shared"]}).age()


def test_a_first_run_rotates_nothing_and_remembers_when_it_saw_the_keys():
    world = one_key()
    assert world.cluster.written == []
    assert world.cluster.memory("signing-key")["first_seen"] == "2026-03-02T03:17:00Z"


def test_a_due_key_gets_one_new_value_and_its_readers_restart_once():
    world = one_key()
    assert world.run() == 0
    (value,) = world.cluster.generated
    assert world.cluster.written == [("shop/shared/signing-key", value)]
    assert {pod["signing-key"] for pod in world.cluster.pods[WEB]} == {value}
    assert world.cluster.restarts == {WEB: 1, CHAT: 0}
    assert world.cluster.one_shots() == []
    assert world.cluster.memory("signing-key")["rotated"].startswith(f"{DUE:%Y-%m-%dT%H:%M}")


def test_a_key_with_overlap_is_published_first_and_its_readers_restart_twice():
    world = one_key(overlap=True)
    assert world.run() == 0
    (value,) = world.cluster.generated
    place = "shop/shared/signing-key"
    assert world.cluster.written == [
        (f"{place}-previous", "old-signing-key"),
        (f"{place}-next", value),
        (place, value),
    ]
    assert world.cluster.restarts == {WEB: 2, CHAT: 0}
    assert world.cluster.one_shots() == []
