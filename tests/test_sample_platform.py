"""The platform at the root of the repository: what is rendered of it is current.

All other tests have a platform of their own: another one may stand there.
"""

import pytest

from platform_secrets.secretsctl.commands import main
from tests.declaring import PROJECT


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(PROJECT)


def test_the_committed_tree_is_current(capsys):
    code = main(["render", "--all", "--check"])
    said = capsys.readouterr()
    assert (code, said.out, said.err) == (0, "", "")


def test_the_committed_example_of_secrets_env_is_current(capsys):
    assert main(["example"]) == 0
    assert capsys.readouterr().out == (PROJECT / "secrets.env.example").read_text()
