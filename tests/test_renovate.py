"""Renovate finds what is pinned: here, and in a repository that `secretsctl init` writes."""

import json
import re
from pathlib import Path

import pytest

from platform_secrets.secretsctl.commands import main
from platform_secrets.secretsctl.pinning import with_image
from platform_secrets.settings.charts import OperatorChart
from platform_secrets.settings.rotator import Rotator
from tests.declaring import PROJECT

DIGEST = f"sha256:{'a' * 64}"
CHART = re.compile(r"```yaml\n(chart:\n.*?)```", re.DOTALL)


def found(root, file):
    """What the managers of a repository find in one of its files."""
    text = (root / file).read_text()
    for manager in json.loads((root / "renovate.json").read_text())["customManagers"]:
        if any(re.search(one.strip("/"), str(file)) for one in manager["managerFilePatterns"]):
            for pattern in manager["matchStrings"]:
                for match in re.finditer(pattern.replace("(?<", "(?P<"), text):
                    yield {"depName": manager.get("depNameTemplate"), **match.groupdict()}


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--name", "shop"]) == 0
    return tmp_path


def test_the_defaults_of_image_and_chart_are_found_here():
    image = Rotator().image.partition("@")[0].rpartition(":")
    [one] = found(PROJECT, "platform_secrets/settings/rotator.py")
    assert (one["depName"], one["currentValue"]) == (image[0], image[2])
    [one] = found(PROJECT, "platform_secrets/settings/charts.py")
    assert (one["depName"], one["currentValue"]) == ("external-secrets", OperatorChart().version)


@pytest.mark.parametrize(
    "image", ["docker.io/library/python:3.13-alpine", "registry.shop.internal:5000/a/python:v3.13"]
)
def test_an_image_that_is_pinned_is_found_in_a_repository_of_one_s_own(own, image):
    stack = own / "Pulumi.production.yaml"
    stack.write_bytes(with_image(stack, f"{image}@{DIGEST}"))
    name, _, tag = image.rpartition(":")
    wanted = {"depName": name, "currentValue": tag, "currentDigest": DIGEST}
    assert [*found(own, "Pulumi.production.yaml")] == [wanted]


def test_a_chart_s_version_is_found_as_the_runbook_has_it(own):
    [text] = CHART.findall((PROJECT / "docs/runbook.md").read_text())
    stack = own / "Pulumi.production.yaml"
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    stack.write_text(f"{stack.read_text()}{indented}")
    assert main(["render", "--env", "production"]) == 0
    [one] = found(own, "Pulumi.production.yaml")
    assert one == {
        "depName": "external-secrets",
        "registryUrl": OperatorChart().repository,
        "currentValue": OperatorChart().version,
    }
