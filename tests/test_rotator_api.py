"""The API client against a real HTTPS server: tokens, throttling, lost answers, refusals."""

import http.server
import json
import shutil
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from platform_secrets.rotator.__main__ import FAILED
from platform_secrets.rotator.api import (
    Api,
    ConflictError,
    InCluster,
    RefusedError,
    UnreachableError,
)
from tests.declaring import PROJECT
from tests.rotator_api import MEMORY, NAMESPACE, Cluster, FakeClock
from tests.rotator_world import World, generated

WEB = "Deployment/web"


class Server:
    """Serves a cluster over HTTPS; `faults` are answers for the next requests: a status with
    headers, or "lost" for a request that takes effect and whose connection then breaks."""

    def __init__(self, folder):
        self.cluster, self.faults, self.requests = Cluster(), [], []
        certificate = folder / "ca.crt"
        request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
        subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(folder / "key"), "-out", str(certificate)]
        program, *arguments = request.split()
        subprocess.run(  # noqa: S603
            [str(shutil.which(program)), *arguments, *subject, *files],
            check=True,
            capture_output=True,
        )
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(certificate, folder / "key")
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.http.socket = trust.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def _handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                server.requests.append((self.command, dict(self.headers)))
                status, headers = server.faults.pop(0) if server.faults else (200, {})
                content = b'{"message": "not now"}'
                if status in (200, "lost"):
                    found = server.cluster.send(self.command, self.path, body)
                    status, content = (status if status == "lost" else found[0]), found[2]
                if status == "lost":
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(content)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, format, *_):
                pass

        return Handler


@pytest.fixture(scope="module")
def listening(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("account"))
    yield server
    server.http.shutdown()


@pytest.fixture
def server(listening, tmp_path_factory, monkeypatch):
    listening.cluster = Cluster()
    listening.faults.clear()
    listening.requests.clear()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(listening.port))
    return listening


@pytest.fixture
def account(tmp_path_factory, listening):
    folder = next(tmp_path_factory.getbasetemp().glob("account*"))
    (folder / "token").write_text("first\n")
    return folder


@pytest.fixture
def clock():
    return FakeClock(datetime(2026, 3, 2, tzinfo=UTC))


@pytest.fixture
def api(server, account, clock):
    return Api(InCluster(account), clock, NAMESPACE)


def pushed(name):
    return {"kind": "PushSecret", "metadata": {"name": name}, "spec": {}}


def test_the_token_is_read_for_each_request(api, server, account):
    api.get("ConfigMap", MEMORY)
    (account / "token").write_text("second")
    api.get("ConfigMap", MEMORY)
    sent = [headers["Authorization"] for _, headers in server.requests]
    assert sent == ["Bearer first", "Bearer second"]


def test_a_server_of_another_ca_is_not_spoken_to(server, account, clock, tmp_path):
    shutil.copy(account / "token", tmp_path)
    other = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    shutil.copy(other, tmp_path / "ca.crt")
    with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
        Api(InCluster(tmp_path), clock, NAMESPACE).get("ConfigMap", MEMORY)
    assert server.requests == []


def test_a_throttled_request_waits_for_as_long_as_the_server_says(api, server, clock):
    server.faults += [(429, {"Retry-After": "7"}), (429, {"Retry-After": "3"})]
    assert api.get("ConfigMap", MEMORY)["metadata"]["name"] == MEMORY
    assert clock.seconds == 10


def test_a_server_that_comes_back_refuses_for_a_moment_however_long_it_was_away(api, server):
    server.faults += [("lost", {})] * 8 + [(403, {})] * 2
    assert api.get("ConfigMap", MEMORY)["metadata"]["name"] == MEMORY


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503, 504])
def test_an_answer_that_may_be_another_a_moment_later_is_asked_for_again(api, server, status):
    server.faults += [(status, {})] * 3
    assert api.get("ConfigMap", MEMORY)["metadata"]["name"] == MEMORY


def test_a_refusal_is_final_and_carries_what_the_server_says(api, server):
    server.faults.append((422, {}))
    with pytest.raises(RefusedError, match=r"POST PushSecret/one was refused \(422\): not now"):
        api.create("PushSecret", pushed("one"))
    assert len(server.requests) == 1


def test_a_created_object_whose_answer_was_lost_exists_already(api, server):
    server.faults.append(("lost", {}))
    with pytest.raises(ConflictError):
        api.create("PushSecret", pushed("one"))
    assert ("PushSecret", "one") in server.cluster.objects


def test_a_patch_for_another_state_of_the_object_is_a_conflict(api):
    with pytest.raises(ConflictError):
        api.patch("ConfigMap", MEMORY, {"metadata": {"resourceVersion": "0"}})


def test_what_does_not_exist_is_none(api):
    assert api.get("PushSecret", "one") is None
    assert api.delete("PushSecret", "one") is None


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_stays_away_ends_the_call_with_the_last_fault(api, server, clock, status):
    server.faults += [(status, {})] * 100
    with pytest.raises(UnreachableError, match=rf"GET ConfigMap/.* \({status}\): not now"):
        api.get("ConfigMap", MEMORY)
    assert 100 < clock.seconds <= 120


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_stays_refused_is_told_after_a_few_seconds(api, server, clock, status):
    server.faults += [(status, {})] * 100
    with pytest.raises(RefusedError, match=rf"\({status}\): not now"):
        api.get("ConfigMap", MEMORY)
    assert 5 < clock.seconds <= 10


def test_every_try_of_a_guarded_write_is_guarded(api, server):
    guarded = []
    api.before_write = lambda: guarded.append(len(server.requests))
    server.faults += [(503, {})] * 2
    api.create("PushSecret", pushed("one"))
    api.get("PushSecret", "one")
    assert guarded == [0, 1, 2]


class Flaky:
    """Every answer to a write is lost once, after the write took effect."""

    def __init__(self, cluster):
        self._cluster, self._lost = cluster, set()

    def send(self, method, path, body):
        answer = self._cluster.send(method, path, body)
        if method != "GET" and (call := (method, path, json.dumps(body))) not in self._lost:
            self._lost.add(call)
            raise ConnectionResetError
        return answer


@pytest.mark.parametrize("overlap", [False, True])
def test_a_run_whose_every_write_loses_its_answer_rotates_once(overlap):
    key = generated("signing-key", readers=[WEB], overlap=overlap)
    world = World({"signing-key": key}, {WEB: ["shared"]}).age()
    assert world.run(transport=Flaky(world.cluster)) == 0
    assert len(world.cluster.generated) == 1
    assert world.cluster.restarts[WEB] == 1 + overlap
    assert world.cluster.one_shots() == []


class Away:
    """The API server goes away after some calls, for good."""

    def __init__(self, cluster, after):
        self._cluster, self._left = cluster, after

    def send(self, method, path, body):
        self._left -= 1
        if self._left < 0:
            raise ConnectionRefusedError
        return self._cluster.send(method, path, body)


def test_a_run_without_an_api_server_fails_and_the_next_goes_on(capsys):
    key = generated("signing-key", readers=[WEB])
    for calls in range(0, 60, 3):
        world = World({"signing-key": key}, {WEB: ["shared"]}).age()
        if world.run(transport=Away(world.cluster, calls)) == 0:
            break
        assert "the API server gives no answer" in capsys.readouterr().out
        assert world.run() == 0
        assert world.cluster.restarts[WEB] == 1
        assert world.cluster.one_shots() == []


def test_outside_of_a_pod_it_says_so(capsys, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    world = World({}, {})
    monkeypatch.setattr(world, "cluster", None)
    assert world.run() == 2
    assert "this is no pod" in capsys.readouterr().out
    assert FAILED == 1


@pytest.fixture
def program(server, account, tmp_path):
    """Starts the program as a pod does: its files from a folder, alone with Python."""
    folder = tmp_path / "program" / "rotator"
    folder.mkdir(parents=True)
    for source in (PROJECT / "platform_secrets" / "rotator").glob("*.py"):
        shutil.copy(source, folder)
    world = World({"signing-key": generated("signing-key", readers=[WEB])}, {WEB: ["shared"]})
    server.cluster = world.cluster
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(world.plan))

    def start(*arguments):
        line = [sys.executable, "-S", "-m", "rotator", *arguments, "--plan", str(tmp_path)]
        line += ["--account-folder", str(account)]
        return subprocess.Popen(  # noqa: S603
            line, cwd=folder.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return start


def test_the_program_runs_from_a_folder_with_nothing_but_python(program, server):
    assert program("rotate", "--now", "2026-03-02").wait(20) == 0
    process = program("rotate", "--now", "2026-07-01")
    said = [json.loads(line) for line in process.communicate(timeout=20)[0].splitlines()]
    assert said[-1]["message"] == "rotated: signing-key"
    assert process.returncode == 0
    assert server.cluster.restarts == {WEB: 1}


def test_a_run_that_is_asked_to_stop_gives_the_lock_back(program, server):
    assert program("rotate", "--now", "2026-03-02").wait(20) == 0
    server.cluster.operator_is_up = False
    process = program("rotate", "--now", "2026-07-01")
    while ("ExternalSecret", "rotation-before-signing-key") not in server.cluster.objects:
        assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    data = server.cluster.objects["ConfigMap", MEMORY]["data"]
    assert "lock" not in data
    assert json.loads(data["run"])["verdict"] == "failed: it was stopped"
    assert process.returncode == 143
