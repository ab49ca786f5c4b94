"""The page of `secretsctl report` in a browser: at three widths, light and dark."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import looks
from tests.e2e.process import PROJECT

PLATFORM = PROJECT / "tests/platform"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the platform that the tests have for themselves."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    command = [sys.executable, "-m", "platform_secrets.secretsctl", "report", "--out", path]
    subprocess.run(command, cwd=PLATFORM, check=True)  # noqa: S603
    return path


@pytest.fixture(scope="module")
def seen(page: Path) -> dict[str, Any]:
    """What a browser sees of it, and of the same page with a script in it."""
    spoilt = page.with_name("spoilt.html")
    script = "<script>document.title = 'spoilt'</script><p onclick='a()'>"
    spoilt.write_text(page.read_text().replace("<main>", f"<main>{script}"))
    return looks(page.parent, page, spoilt)


def test_axe_finds_nothing(seen):
    assert [one["violations"] + one["undecided"] for one in seen["looks"]] == [[]] * 6
    passed = [one["passed"] for one in seen["looks"]]
    assert [len(rules) > 30 for rules in passed] == [True] * 3 + [False] * 3
    # Of text without a font it could judge no contrast.
    assert ["color-contrast" in rules for rules in passed] == [True] * 6


def test_the_page_is_as_wide_as_the_window_and_no_wider(seen):
    beyond = {one["width"]: one["beyond"] for one in seen["looks"]}
    assert beyond == {360: 0, 800: 0, 1400: 0}


def test_the_theme_is_the_browser_s(seen):
    backgrounds = {one["theme"]: one["background"] for one in seen["looks"]}
    assert backgrounds == {"light": "rgb(246, 247, 249)", "dark": "rgb(20, 23, 27)"}


def test_nothing_is_loaded_and_nothing_of_the_page_is_refused(seen, page):
    assert [one["requests"] for one in seen["looks"]] == [[page.as_uri()]] * 6
    assert [one["complaints"] for one in seen["looks"]] == [[]] * 6


def test_what_is_folded_is_printed_all_the_same(seen):
    assert [one["unprinted"] for one in seen["looks"]] == [0] * 6


def test_a_script_that_came_into_the_page_would_not_run(seen):
    assert seen["spoilt"]["title"] == "Secrets of wren"
    assert any("script" in one for one in seen["spoilt"]["refused"])
