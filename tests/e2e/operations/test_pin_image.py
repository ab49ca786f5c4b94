"""`secretsctl pin-image` asks a registry as anybody may, and writes what it says."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.e2e.certificates import certificates_for
from tests.e2e.https_server import HttpsServer, Reply, Request
from tests.e2e.process import PROJECT, Run, answers, free_ports
from tests.platform import CATALOGUE_FILE
from tools.build import build

HOST, PATH, TAG = "localhost", "platform/python", "3.13-alpine"
INDEX = "application/vnd.oci.image.index.v1+json"
CONTENT = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
NEW, OLD = (f"sha256:{hashlib.sha256(text).hexdigest()}" for text in (CONTENT, b"old"))
OK, FAILED, WRONG_INPUT = 0, 1, 2
STACK = """config:
  platform-secrets:environment:
    environment: test
    operator: install
    stores:
      vault: {{provider: vault, server: "https://vault.example.com:8200"}}
    rotator:
      image: {image} # ours
"""


class Registry:
    """A real registry, behind what those with images for everybody have: it wants a token, and
    gives one to anybody who asks for it for that image. `answer` may be replaced by a test."""

    def __init__(self, folder: Path, behind: str) -> None:
        folder.mkdir()
        self.behind = behind
        made = certificates_for([HOST], folder, has_key_identifiers=False)
        self.trust, self.asked = made.authority, list[Request]()
        self.answer: Callable[[Request], Reply] = self.as_usual
        self.server = HttpsServer(self._answer, made)
        self.server.start()
        self.image = f"{HOST}:{self.server.port}/{PATH}:{TAG}"

    def _answer(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.answer(request)

    def as_usual(self, request: Request) -> Reply:
        asked = urlsplit(request.path)
        if asked.path == "/token":
            of_image = {"service": ["registry"], "scope": [f"repository:{PATH}:pull"]}
            return Reply(200, {"token": "for-anybody"} if parse_qs(asked.query) == of_image else {})
        if request.headers.get("Authorization") != "Bearer for-anybody":
            realm = f"https://{HOST}:{self.server.port}/token"
            asks = f'realm="{realm}",service="registry",scope="repository:{PATH}:pull"'
            return Reply(401, {}, {"WWW-Authenticate": f"Bearer {asks}"})
        accept = {"Accept": request.headers["Accept"]}
        found = httpx.request(request.method, f"{self.behind}{request.path}", headers=accept)
        said = {name: found.headers[name] for name in found.headers if name.startswith("docker")}
        return Reply(found.status_code, {}, said)


@pytest.fixture(scope="module")
def real_registry(run: Run) -> str:
    """Its address; it holds the index of an image."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    program = [build("registry"), f"--port={port}"]
    run.start("registry", program, is_ready=lambda: answers(f"{url}/v2/"))
    found = httpx.put(
        f"{url}/v2/{PATH}/manifests/{TAG}", content=CONTENT, headers={"Content-Type": INDEX}
    )
    assert found.is_success, found.text
    return url


@pytest.fixture
def registry(tmp_path: Path, real_registry: str) -> Iterator[Registry]:
    found = Registry(tmp_path / "registry", real_registry)
    yield found
    found.server.stop()


@pytest.fixture
def pin(tmp_path: Path, registry: Registry) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in a folder with one stack file; gives its exit code, output and errors."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(CATALOGUE_FILE, folder)

    def pin(*arguments: str, image: str = registry.image) -> tuple[int, str, str]:
        if not (folder / "Pulumi.test.yaml").exists():
            (folder / "Pulumi.test.yaml").write_text(STACK.format(image=image))
        done = subprocess.run(  # noqa: S603 - the project's own program
            [
                sys.executable,
                "-m",
                "platform_secrets.secretsctl",
                "pin-image",
                *(arguments or ("--env", "test")),
            ],
            cwd=folder,
            env={"PYTHONPATH": str(PROJECT), "SSL_CERT_FILE": str(registry.trust)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return pin


def stack(tmp_path: Path) -> str:
    return (tmp_path / "project" / "Pulumi.test.yaml").read_text()


@pytest.mark.parametrize("arguments", [("--env", "test"), ("--all",)])
def test_the_tag_s_digest_is_written_beside_the_tag(
    pin: Callable[..., tuple[int, str, str]],
    registry: Registry,
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    pinned = f"{registry.image}@{NEW}"
    code, output, errors = pin(*arguments)
    assert (code, output) == (OK, f"Pulumi.test.yaml: {pinned}\n"), errors
    assert stack(tmp_path) == STACK.format(image=pinned)


def test_a_pinned_image_gets_the_digest_that_its_tag_has_now(
    pin: Callable[..., tuple[int, str, str]], registry: Registry, tmp_path: Path
) -> None:
    code, _, _ = pin(image=f"{registry.image}@{OLD}")
    assert code == OK
    assert stack(tmp_path) == STACK.format(image=f"{registry.image}@{NEW}")


def test_it_can_be_shown_alone(
    pin: Callable[..., tuple[int, str, str]], registry: Registry, tmp_path: Path
) -> None:
    code, output, _ = pin("--env", "test", "--print")
    assert (code, output) == (OK, f"Pulumi.test.yaml: {registry.image}@{NEW}\n")
    assert stack(tmp_path) == STACK.format(image=registry.image)


BASIC = {"WWW-Authenticate": 'Basic realm="registry"'}
NO_TLS = {"WWW-Authenticate": 'Bearer realm="http://localhost:1/token",service="registry"'}
REFUSALS = {
    "a login": (Reply(401, {}, BASIC), "or its registry wants a login, which this command has not"),
    "no way to say why": (Reply(401, {}), "or its registry wants a login"),
    "a token without TLS": (Reply(401, {}, NO_TLS), "or its registry wants a login"),
    "forbidden": (Reply(403, {}), "or its registry wants a login"),
    "no tag": (Reply(404, {}), "there is no such tag"),
    "too many": (Reply(429, {}), "HTTP 429"),
    "no digest": (Reply(200, {}), "says no sha256 digest"),
    "no real one": (Reply(200, {}, {"Docker-Content-Digest": "sha256:1"}), "says no sha256 digest"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_registry_does_not_say_is_told_and_nothing_is_written(
    pin: Callable[..., tuple[int, str, str]], registry: Registry, tmp_path: Path, name: str
) -> None:
    reply, sentence = REFUSALS[name]
    registry.answer = lambda _: reply
    code, output, errors = pin()
    assert (code, output) == (FAILED, "")
    assert errors.startswith(f"secretsctl: {registry.image}: ")
    assert sentence in errors
    assert len(errors.splitlines()) == 1
    assert stack(tmp_path) == STACK.format(image=registry.image)


def test_a_registry_that_is_not_there_or_not_trusted_is_told(
    pin: Callable[..., tuple[int, str, str]], registry: Registry
) -> None:
    registry.trust.write_text(certificates_of_somebody_else(registry.trust.parent / "other"))
    code, _, errors = pin()
    assert (code, "certificate verify failed" in errors, registry.asked) == (FAILED, True, [])
    registry.server.stop()
    code, _, errors = pin()
    assert (code, "Connection refused" in errors) == (FAILED, True)


def certificates_of_somebody_else(folder: Path) -> str:
    folder.mkdir()
    return certificates_for([HOST], folder).authority.read_text()


def test_an_image_without_a_tag_has_nothing_to_ask_for(
    pin: Callable[..., tuple[int, str, str]], registry: Registry
) -> None:
    code, _, errors = pin(image=f"{HOST}:1/{PATH}@{OLD}")
    assert (code, registry.asked) == (FAILED, [])
    assert "has no tag whose digest could be asked for" in errors


def test_an_environment_that_rotates_nothing_has_no_image(
    pin: Callable[..., tuple[int, str, str]], registry: Registry, tmp_path: Path
) -> None:
    text = STACK.format(image=registry.image) + "    rotation: follower\n"
    (tmp_path / "project" / "Pulumi.test.yaml").write_text(text)
    code, _, errors = pin()
    assert (code, registry.asked) == (WRONG_INPUT, [])
    assert errors.startswith("pin-image: no such stack rotates anything")
