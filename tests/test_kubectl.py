"""Which cluster people's kubectl reaches, and what a stack is told that names none."""

import json
import sys

import pytest
import yaml

from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl, right_cluster
from tests.declaring import CLUSTER_UID


@pytest.fixture(autouse=True)
def kubectl(tmp_path, monkeypatch):
    """A program of this name that finds kube-system, whatever it is asked."""
    found = json.dumps({"metadata": {"uid": CLUSTER_UID}})
    program = tmp_path / "kubectl"
    program.write_text(f"#!{sys.executable}\nprint({found!r})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_warning_of_a_kubectl_that_succeeds_is_no_refusal(tmp_path):
    program = tmp_path / "kubectl"
    warning = "Warning: your login ends soon"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint('{{}}')\nprint({warning!r}, file=sys.stderr)\n"
        "sys.exit('pods' in sys.argv)\n"
    )
    assert Kubectl(None, None).get_kinds(["events"])[1] == []
    assert Kubectl(None, None).get_kinds(["pods"])[1] == [warning]


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            """error: the server doesn't have a resource type "externalsecret\"""",
            "the operator is not installed in this cluster",
        ),
        ("""no matches for kind "PushSecret" in version""", "is not installed in this cluster"),
        ("timed out waiting for the condition on externalsecrets/a", "is it running?"),
        ("error: timed out waiting for the condition on secrets/a", None),
    ],
)
def test_what_an_absent_operator_causes_is_said_to_be_its_absence(tmp_path, said, remedy):
    program = tmp_path / "kubectl"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit({said!r})\n")
    with pytest.raises(ClusterError) as error:
        Kubectl(None, None).get("externalsecret", "a")
    assert str(error.value).startswith(f"kubectl get externalsecret a: {said}")
    _, _, told = str(error.value).partition("; ")
    assert (remedy in told) if remedy else not told


def test_a_stack_that_names_no_cluster_is_told_what_to_write(settings_with):
    with pytest.raises(ClusterError, match=r"cluster\.uid: is not set") as error:
        right_cluster(settings_with(cluster={}))
    written = yaml.safe_load(str(error.value).partition("write beside `environment`: ")[2])
    assert written == {"cluster": {"uid": CLUSTER_UID}}
    assert right_cluster(settings_with(**written)).get("namespace", "kube-system")
