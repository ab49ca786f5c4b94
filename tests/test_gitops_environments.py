"""Several environments on one cluster: one root brings them all, each once."""

from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import SettingsError

REPOSITORY = "https://git.example.com/shop/secrets.git"


@pytest.fixture
def stacks(tmp_path, monkeypatch):
    """Two environments of one cluster: production's root is to bring staging's too."""
    monkeypatch.chdir(tmp_path)
    main(["init", "--name", "shop", "--delivery", "gitops"])
    production = yaml.safe_load(Path("Pulumi.production.yaml").read_text())
    own = production["config"]["shop:environment"]
    staging = {**own, "environment": "staging", "operator": "existing"}
    write_stack("staging", staging)
    own["gitops"] = {**own["gitops"], "environments": ["staging"]}
    write_stack("production", own)
    return {"production": own, "staging": staging}


def write_stack(name, own):
    text = yaml.safe_dump({"config": {"shop:environment": own}})
    Path(f"Pulumi.{name}.yaml").write_text(text)


def test_a_root_brings_the_waves_of_other_environments_and_not_their_root(stacks):
    assert main(["render", "--all"]) == 0
    for tool in ("argocd", "flux"):
        entry = Path(f"rendered/production/gitops/{tool}")
        listed = yaml.safe_load((entry / "kustomization.yaml").read_text())["resources"]
        [root, *folders] = listed
        assert root.endswith("-shop-production.yaml")
        assert folders == ["waves", f"../../../staging/gitops/{tool}/waves"]
        assert all((entry / folder / "kustomization.yaml").is_file() for folder in folders)


@pytest.mark.parametrize("rendered", [["--env", "production"], ["--all"]])
def test_an_environment_without_an_entry_point_can_t_come_with_another_s_root(
    stacks, rendered, capsys
):
    write_stack("staging", {**stacks["staging"], "delivery": "pulumi", "gitops": None})
    assert main(["render", *rendered]) == 2
    said = "gitops.environments.0: rendered/staging has no entry points"
    assert said in capsys.readouterr().err
    assert not Path("rendered/production").exists()


@pytest.mark.parametrize("names", [["test"], ["staging", "staging"]])
def test_a_root_brings_each_environment_once(settings_with, names):
    with pytest.raises(SettingsError, match=r"gitops\.environments\.[01]: is there already"):
        settings_with(gitops={"repository": REPOSITORY, "environments": names})
