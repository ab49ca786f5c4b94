"""Values are in the stores, in secrets.env and in the Secrets, and nowhere else: a canary in every
value is searched for in all that any part writes or says, also where things go wrong."""

import base64
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import yaml

from platform_secrets.settings.entries import Entry, bundle_entry
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY, Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.environments import ESO, PATIENCE_SECONDS, fails, secret_values, touch
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.stores import Stores, made_values
from tests.platform import STACK_FILES

STORES = ("vault", "moto", "openbao", "stores")
"""How the names of the stores' own logs and folders begin."""
COMMANDS = [
    ("render --check", 1),
    ("render", 0),
    ("render --out -", 0),
    ("example", 0),
    ("schema", 0),
    ("basic-secrets --stack Pulumi.canary-basic.yaml", 0),
    ("basic-secrets --stack Pulumi.canary-basic.yaml --secrets-file spoilt.env", 2),
    ("render --check", 0),
    ("render --catalogue secrets.env", 2),
    ("render --stack secrets.env", 2),
]
SPOILT = {
    "in quotes": "'{}'",
    "before a blank": "{} ",
    "in two lines": "{0}\n{0}",
    "of no form": "!{}",
    "with a control character": "{}\x07",
}


def forms_of(canary: str) -> list[bytes]:
    """The canary plain, in base64 at each of the three offsets that it may have in a longer
    value, and in hexadecimal. URL-encoding and JSON's escapes leave letters and digits alone."""
    plain = canary.encode()
    forms = [plain, plain.hex().encode(), plain.hex().upper().encode()]
    for offset in range(3):
        whole = (offset + len(plain)) * 8 // 6
        first = -(-offset * 8 // 6)
        encoded = base64.b64encode(b"\0" * offset + plain)[first:whole]
        forms += [encoded, encoded.replace(b"+", b"-").replace(b"/", b"_")]
    return forms


@dataclass
class World:
    """Two environments after all that could happen to them. `said` has (command, its output)."""

    run: Run
    cluster: Cluster
    basic: Deployment
    external: Deployment
    canary: str
    said: list[tuple[str, str]] = field(default_factory=list)

    def files(self, *, of_stores: bool = False) -> dict[str, bytes]:
        """What the parts have on disk, by path: their logs, the engine's state, all else.

        Without what exists to hold values: the stores, etcd, and the files named *.env.
        """
        found = {}
        for path in self.run.folder.rglob("*"):
            name = path.relative_to(self.run.folder)
            holds_values = name.parts[0].startswith(STORES) or "etcd" in name.parts
            if path.is_file() and path.suffix != ".env" and holds_values == of_stores:
                found[str(name)] = path.read_bytes()
        return found

    def finds(self, content: str | bytes) -> bool:
        content = content.encode() if isinstance(content, str) else content
        return any(form in content for form in forms_of(self.canary))


@pytest.fixture(scope="module")
def world(run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease) -> Iterator[World]:
    """Development with basic Secrets, and an environment with two stores whose operator logs all
    that it can; both on the real engine."""
    content = yaml.safe_load(STACK_FILES["two-stores"].read_text(encoding="utf-8"))
    declared = content["config"][STACK_KEY]["stores"]
    declared["aws"]["layout"] = "bundle"
    with ExitStack() as stack:
        basic = stack.enter_context(
            deployment(run, cluster, operator, STACK_FILES["development"], name="canary-basic")
        )
        external = stack.enter_context(
            deployment(
                run,
                cluster,
                operator,
                STACK_FILES["two-stores"],
                name="canary-external",
                protect=False,
                stores=declared,
                chart={"values": {"log": {"level": "debug"}}},
            )
        )
        basic.stack.hears_debug = external.stack.hears_debug = True
        made = World(run, cluster, basic, external, f"canary{secrets.token_hex(8)}")
        deploy_basic(made)
        deploy_external(made, stores)
        run_commands(made)
        yield made


def deploy_basic(world: World) -> None:
    """Development, deployed; then what is wrong with secrets.env, and a Secret that is refused."""
    made, api = world.basic, world.cluster.api
    values = made_values(made.settings, world.canary)
    spoilt = made.folder / "spoilt.env"
    for fault in SPOILT.values():
        write_env(made, {key: fault.format(value) for key, value in values.items()})
        with pytest.raises(EngineError):
            made.stack.up()
        spoilt.write_bytes((made.folder / "secrets.env").read_bytes())
    write_env(made, values)
    made.stack.preview()
    made.stack.up()
    made.stack.refresh()
    where = ("v1", "Secret", "wren-secrets", made.settings.namespace)
    api.patch(*where, {"immutable": True})
    changed = {**values, "jwt-secret": f"{world.canary}{secrets.token_hex(24)}"}
    write_env(made, changed)
    with pytest.raises(EngineError, match="immutable"):
        made.stack.up()
    write_env(made, values)


def write_env(made: Deployment, values: dict[str, str]) -> None:
    text = "".join(f"{key}={value}\n" for key, value in values.items())
    (made.folder / "secrets.env").write_text(text, encoding="utf-8")


def deploy_external(world: World, stores: Stores) -> None:
    """Every Secret synced; then a fault of each kind, each in a bundle of its own."""
    made = world.external
    settings = made.settings
    values = made_values(settings, world.canary)
    stores.prepare(settings)
    stores.put(settings, values)
    made.stack.up()
    for bundle in settings.catalogue.bundles.values():
        wait_until(
            lambda b=bundle: secret_values(world.cluster, settings.namespace, b.secret),
            f"{bundle.secret} is there",
            timeout_seconds=PATIENCE_SECONDS,
        )
    own = {k: v for k, v in values.items() if k in settings.catalogue.bundles["shared"].keys}
    stores.replace(settings, "shared", {k: v for k, v in own.items() if k != "jwt-secret"})
    stores.remove(settings, "chat-server")
    not_json = Entry(bundle_entry(settings, "backend-api"), None)
    stores.put_entry(settings, "backend-api", not_json, f'{{"smtp-password": "{world.canary}')
    for secret in ("wren-secrets", "wren-chat-server-secrets", "wren-backend-api-secrets"):
        touch(world.cluster, settings.namespace, secret)
        fails(world.cluster, settings.namespace, secret)
    role = settings.identity_name("vault", "read")
    stores.bao.write(f"sys/policies/acl/{role}", policy="# nothing")
    touch(world.cluster, settings.namespace, "wren-stream-server-secrets")
    fails(world.cluster, settings.namespace, "wren-stream-server-secrets")
    made.stack.preview()
    made.stack.refresh()


def run_commands(world: World) -> None:
    """Runs secretsctl beside development's secrets.env; the rendered tree stays there."""
    folder = world.basic.folder
    for command, status in COMMANDS:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "platform_secrets.secretsctl", *command.split()],
            cwd=folder,
            env={"PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, command
        world.said.append((command, done.stdout + done.stderr))


def test_the_search_finds_values_where_they_belong(world: World) -> None:
    """Without this, no find would prove nothing."""
    for made in (world.basic, world.external):
        held = world.cluster.api.list("v1", "Secret", made.settings.namespace)
        assert len(held) == 4
        assert all(world.finds(json.dumps(secret)) for secret in held)
    etcd = [content for name, content in world.files(of_stores=True).items() if "etcd" in name]
    assert any(world.finds(content) for content in etcd)
    for text in ("{}", "x{}", "xy{}", "xyz{}z"):
        value = text.format(world.canary).encode()
        assert world.finds(base64.b64encode(value)), text


def test_no_file_of_any_part_holds_a_value(world: World) -> None:
    """The engine's state and history, the rendered tree, and every log but the stores'."""
    files = world.files()
    for part in ("etcd", "kube-apiserver", "kube-controller-manager"):
        assert files[f"cluster-{part}.log"], part
    assert b'"level":"debug"' in files["external-secrets.log"]
    for stack in ("canary-basic", "canary-external"):
        assert any(name.endswith(f"{stack}.json") for name in files), "the state"
    rendered = [name for name in files if name.startswith("program-canary-basic/rendered/")]
    assert rendered
    assert [name for name, content in files.items() if world.finds(content)] == []


def test_no_value_is_in_what_the_engine_says_or_in_its_events(world: World) -> None:
    for made in (world.basic, world.external):
        heard = "\n".join(made.stack.heard)
        assert '"resource_pre_event": {' in heard, "the events are there"
        assert not world.finds(heard)
        assert not world.finds(made.stack.state_text)


def test_no_command_prints_a_value(world: World) -> None:
    assert [command for command, text in world.said if world.finds(text)] == []


def test_no_event_or_status_in_the_cluster_shows_a_value(world: World) -> None:
    api = world.cluster.api
    reasons = set()
    for made in (world.basic, world.external):
        events = api.list("v1", "Event", made.settings.namespace)
        reasons |= {event["reason"] for event in events}
        objects = [
            obj
            for api_version, kind in (
                (ESO, "ExternalSecret"),
                (ESO, "SecretStore"),
                ("v1", "ConfigMap"),
                ("v1", "ServiceAccount"),
            )
            for obj in api.list(api_version, kind, made.settings.namespace)
        ]
        assert not world.finds(json.dumps([*events, *objects]))
    assert "UpdateFailed" in reasons, "the faults have had their events"
