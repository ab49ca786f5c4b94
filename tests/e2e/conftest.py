"""The real parts, each started once per session when a test first asks for it."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

# Its plugin would import it at the end: that fails once programs failed in threads (gh-106905).
import hypothesis  # noqa: F401
import pytest

from tests.e2e import eso, image_python
from tests.e2e.aws import Aws
from tests.e2e.cluster import Cluster
from tests.e2e.openbao import OpenBao
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.postgres import Postgres
from tests.e2e.process import Run
from tests.e2e.stores import Stores
from tools.build import MissingGoError, build

# What a shell runs in the background ignores SIGINT, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)
# What is started hundreds of times is compiled once, also where the environment asks for no files.
os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode = "", False

RUN = pytest.StashKey[Run]()
TEST_TIMEOUT_SECONDS = 600
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kubectl",
    "external-secrets",
    "external-secrets-0-19",
    "controller-gen",
    "rollouts-controller",
    "flux",
    "argo-cd",
    "source-controller",
    "kustomize-controller",
    "helm",
    "pulumi",
    "pulumi-language-yaml",
    "registry",
    "promtool",
    "kube-state-metrics",
)


def pytest_report_header() -> str:
    """Says which Python stands for the rotator's image."""
    return image_python.report()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is in this folder, so that `-m "not e2e"` leaves it out, and ends a run that waits
    for ever with the stack of each thread: a program that hangs in the engine can't be interrupted.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("e2e")
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_SECONDS, method="thread"))


def pytest_collection_finish() -> None:
    """To look for garbage among all that is imported was a tenth of the sessions' own work."""
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds the end of every part's log to the report of a failure."""
    report = yield
    run = item.session.stash.get(RUN, None)
    if report.failed and run:
        for process in run.processes:
            report.sections.append((f"end of {process.log}", process.tail()))
    return report


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """This session's folder and processes; a termination signal ends them as Ctrl-C does."""
    require_programs()
    earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = Run()
    request.session.stash[RUN] = run
    try:
        yield run
    finally:
        run.stop(keep_folder=request.session.testsfailed > 0)
        signal.signal(signal.SIGTERM, earlier)


def require_programs() -> None:
    """Builds what is missing. Without Go the tests are skipped on a developer's machine only."""
    try:
        for name in PROGRAMS:
            build(name)
    except MissingGoError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def cluster(run: Run) -> Cluster:
    return Cluster(run)


@pytest.fixture(scope="session")
def operator_crds(cluster: Cluster) -> Cluster:
    """The cluster once it serves the operator's kinds."""
    eso.install_crds(cluster)
    return cluster


@pytest.fixture(scope="session")
def bao(run: Run) -> OpenBao:
    return OpenBao(run)


@pytest.fixture(scope="session")
def aws(run: Run) -> Aws:
    return Aws(run)


@pytest.fixture(scope="session")
def stores(run: Run, cluster: Cluster) -> Iterator[Stores]:
    stores = Stores(run, cluster)
    yield stores
    stores.stop()


@pytest.fixture(scope="session")
def operator(run: Run, cluster: Cluster, stores: Stores) -> OperatorRelease:
    """What installs the operator, led to the stores, when a stack declares its release."""
    return OperatorRelease(run, cluster, env=stores.operator_env)


@pytest.fixture(scope="session")
def postgres(run: Run) -> Postgres:
    return Postgres(run)
