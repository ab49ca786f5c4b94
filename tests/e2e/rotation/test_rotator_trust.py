"""The rotator trusts a cluster as Kubernetes' own clients do, whatever authority it has, and nobody
else; with the Python of its image."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.api_proxy import HOST, ApiProxy
from tests.e2e.certificates import Certificates, certificates_for
from tests.e2e.cluster import Cluster
from tests.e2e.https_server import HttpsServer, Reply
from tests.e2e.image_python import image_python
from tests.e2e.process import PROJECT

OF_A_CLUSTER = """
import pathlib, sys
from platform_secrets.rotator.api import InCluster
cluster = InCluster(pathlib.Path(sys.argv[1]))
ask = lambda: cluster.send("GET", "/version", None)
"""
OF_AWS = """
import sys
from platform_secrets.rotator.aws import send
ask = lambda: send(sys.argv[1], {}, None)
"""
AND_SAYS_WHAT_CAME = """
for _ in sys.stdin:
    try:
        print(ask()[0], flush=True)
    except Exception as error:
        print(repr(error), flush=True)
"""
REFUSED = "certificate verify failed"


class Asking:
    """The rotator's own code in its image's Python; `answer` has it ask once."""

    def __init__(self, program: str, argument: str, **env: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the project's own program
            [image_python()[0], "-c", program + AND_SAYS_WHAT_CAME, argument],
            cwd=PROJECT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate()


@dataclass
class Front:
    """A cluster's API server behind a certificate that a test chooses."""

    proxy: ApiProxy
    account: Path
    asking: Asking

    def answer(self, shown: Certificates, *trusted: Certificates) -> str:
        """What a new connection brings."""
        self.proxy.show(shown)
        self.trust(*trusted)
        return self.asking.answer()

    def trust(self, *trusted: Certificates) -> None:
        text = "".join(one.authority.read_text() for one in trusted)
        (self.account / "ca.crt").write_text(text)


@pytest.fixture
def front(cluster: Cluster, tmp_path: Path) -> Iterator[Front]:
    account = tmp_path / "account"
    account.mkdir()
    cluster.create_namespace("trust")
    (account / "token").write_text(cluster.token("trust", "default"))
    with ApiProxy(cluster, tmp_path / "proxy") as proxy:
        where = {"KUBERNETES_SERVICE_HOST": HOST, "KUBERNETES_SERVICE_PORT": str(proxy.port)}
        asking = Asking(OF_A_CLUSTER, str(account), **where)
        yield Front(proxy, account, asking)
        asking.end()


def made(folder: Path, name: str, host: str = HOST, **kind: Any) -> Certificates:
    (folder / name).mkdir()
    return certificates_for([host], folder / name, **kind)


@pytest.mark.parametrize(
    "kind", [{}, {"has_key_identifiers": False}, {"is_intermediate": True}], ids=str
)
def test_an_authority_is_trusted_whatever_its_kind(
    front: Front, tmp_path: Path, kind: dict[str, Any]
) -> None:
    shown = made(tmp_path, "shown", **kind)
    assert front.answer(shown, shown) == "200"


def test_one_of_several_authorities_is_trusted(front: Front, tmp_path: Path) -> None:
    before, shown, after = (
        made(tmp_path, name, has_key_identifiers=False) for name in ("before", "shown", "after")
    )
    assert front.answer(shown, before, shown, after) == "200"


def test_a_new_authority_is_trusted_from_the_next_connection_on(
    front: Front, tmp_path: Path
) -> None:
    old, new = (made(tmp_path, name, has_key_identifiers=False) for name in ("old", "new"))
    assert front.answer(old, old) == "200"
    passes_on, front.proxy.meddle = front.proxy.meddle, lambda *_: None
    assert "RemoteDisconnected" in front.answer(new, old)
    front.proxy.meddle = passes_on
    assert REFUSED in front.asking.answer(), "while the kubelet has not brought the new one"
    front.trust(new)
    assert front.asking.answer() == "200"


def test_another_authority_is_refused(front: Front, tmp_path: Path) -> None:
    shown, trusted = (
        made(tmp_path, name, has_key_identifiers=False) for name in ("shown", "trusted")
    )
    assert REFUSED in front.answer(shown, trusted)
    assert front.proxy.calls == []


def test_another_host_s_certificate_is_refused(front: Front, tmp_path: Path) -> None:
    shown = made(tmp_path, "shown", "elsewhere.example.com", has_key_identifiers=False)
    answer = front.answer(shown, shown)
    assert f"not valid for '{HOST}'" in answer
    assert front.proxy.calls == []


@pytest.mark.parametrize(("trusted", "expected"), [("shown", "200"), ("other", REFUSED)])
def test_what_a_proxy_shows_for_aws_is_trusted_where_the_image_trusts_its_authority(
    tmp_path: Path, trusted: str, expected: str
) -> None:
    shown, _ = (made(tmp_path, name, has_key_identifiers=False) for name in ("shown", "other"))
    server = HttpsServer(lambda _: Reply(200, {}), shown)
    server.start()
    authority = tmp_path / trusted / "authority.crt"
    asking = Asking(OF_AWS, f"https://{HOST}:{server.port}/", SSL_CERT_FILE=str(authority))
    try:
        assert expected in asking.answer()
    finally:
        asking.end()
        server.stop()
