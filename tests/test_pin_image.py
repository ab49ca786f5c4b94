"""`secretsctl pin-image` changes the image in a stack file, and nothing else there."""

import pytest

from platform_secrets.secretsctl.pinning import with_image
from platform_secrets.settings import SettingsError

IMAGE = f"docker.io/library/python:3.13-alpine@sha256:{'a' * 64}"
KEY = "config:\n  platform-secrets:environment:"
ENV = "    environment: test\n"
# Before, and after where IMAGE stands for @.
FILES = {
    "no rotator": (
        f"# über\n{KEY}\n    environment: test # ours\n    # of Vault\n    protect: false\n",
        f"# über\n{KEY}\n    environment: test # ours\n    rotator:\n      image: @\n"
        "    # of Vault\n    protect: false\n",
    ),
    "no line end": (
        f"{KEY}\n    environment: test",
        f"{KEY}\n    environment: test\n    rotator:\n      image: @\n",
    ),
    "a rotator": (
        f"{KEY}\n{ENV}    rotator: # ä\n      # at night\n      schedule: 1 2 * * *\n",
        f"{KEY}\n{ENV}    rotator: # ä\n      image: @\n      # at night\n"
        "      schedule: 1 2 * * *\n",
    ),
    "an image": (
        f'{KEY}\n    rotator:\n      image: "registry.example.com/a:1" # ours\n{ENV}',
        f"{KEY}\n    rotator:\n      image: @ # ours\n{ENV}",
    ),
    "in braces": (
        f"{KEY}\n    environment: test\n    rotator: {{schedule: 1 2 * * *}}\n",
        f"{KEY}\n    environment: test\n    rotator: {{image: @, schedule: 1 2 * * *}}\n",
    ),
    "empty braces": (
        f"{KEY}\n    environment: test\n    rotator: {{}}\n",
        f"{KEY}\n    environment: test\n    rotator: {{image: @}}\n",
    ),
    "all in braces": (
        f"{KEY} {{environment: test}}\n",
        f"{KEY} {{rotator: {{image: @}}, environment: test}}\n",
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_the_image_alone_changes_in_a_stack_file(name, end, tmp_path):
    before, after = (text.replace("\n", end) for text in FILES[name])
    path = tmp_path / "Pulumi.test.yaml"
    path.write_bytes(before.encode())
    changed = with_image(path, IMAGE)
    assert changed.decode() == after.replace("@", IMAGE, 1)
    path.write_bytes(changed)
    assert with_image(path, IMAGE) == changed


def test_a_file_in_which_more_would_change_is_refused(tmp_path):
    path = tmp_path / "Pulumi.test.yaml"
    other = "  other:settings:\n    rotator: &shared\n      schedule: 1 2 * * *\n"
    ours = f"  platform-secrets:environment:\n{ENV}    rotator: *shared\n"
    path.write_text(f"config:\n{other}{ours}")
    with pytest.raises(SettingsError, match=r"rotator: can't be changed here.*write yourself"):
        with_image(path, IMAGE)
