"""`secretsctl report`: what the page shows, and that nothing in it is more than text."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from platform_secrets.describing.provider_reads import PRICES
from platform_secrets.describing.rotation_plans import rotation_plans
from platform_secrets.rotator.due import due_at
from platform_secrets.rotator.memory import Remembered
from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import catalogue_document, load, stack_document
from tests.conftest import PROJECT
from tests.report_pages import Page
from tests.settings_files import BASIC, CATALOGUE, STACK, changed, stack, text_of, write_files

EVERYTHING = PROJECT / "tests/platform/everything"


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The page of a shop with these stack files."""
    monkeypatch.chdir(tmp_path)

    def shown(*stacks: dict[str, Any], catalogue: dict[str, Any] = CATALOGUE) -> Page:
        Path("catalogue.yaml").write_text(text_of(catalogue))
        for one in stacks:
            content = {"config": {"platform-secrets:environment": one}}
            Path(f"Pulumi.{one['environment']}.yaml").write_text(text_of(content))
        code = main(["report", "--out", "-"])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return Page(printed.out)

    return shown


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Page:
    """The page of the platform that has all there is."""
    monkeypatch.chdir(EVERYTHING)
    assert main(["report", "--out", "-"]) == 0
    return Page(capsys.readouterr().out)


def test_the_matrix_says_which_reader_reads_which_key_in_which_environment(report):
    page = report({**STACK, "readers": {}}, {**STACK, "environment": "live"})
    matrix = page.tables["Who can read the keys of shared"].by_header()
    [token] = [cells for key, cells in matrix.items() if key.startswith("token ")]
    assert token == {
        "Deployment/web": "yes",
        "StatefulSet/worker": "yes",
        "Group shop-people": "only live",
    }
    [mail] = page.tables["Who can read the keys of mail"].by_header().values()
    assert "StatefulSet/worker" not in mail


def test_a_workload_that_reads_nothing_is_said_to_read_nothing(report):
    page = report(STACK, catalogue=changed(CATALOGUE, "services.worker.reads", []))
    counts = page.tables["How many keys each reader can read in each environment"].by_header()
    assert counts["StatefulSet/worker"] == {"test": "none"}
    assert counts["Deployment/web"] == {"test": "3"}


def test_whoever_has_a_value_under_another_name_is_among_its_readers(everything):
    matrix = everything.tables["Who can read the keys of tokens"].by_header()
    [signing_key] = [cells for key, cells in matrix.items() if key.startswith("SIGNING_KEY")]
    assert signing_key["Rollout/ledger"] == "yes"


def test_with_more_readers_than_keys_the_readers_are_the_rows(report):
    services = {
        f"s{number}": {"workload": f"Deployment/s{number}", "reads": ["mail"]}
        for number in range(9)
    }
    page = report(STACK, catalogue={**CATALOGUE, "services": services})
    [head, *rows] = page.tables["Who can read the keys of mail"].rows
    assert head == ["Reader", "smtp-password a password"]
    workloads = [[f"Deployment/s{number}", "yes"] for number in range(9)]
    assert rows == [*workloads, ["Group shop-people", "yes"]]


def test_identities_at_the_provider_and_people_are_named_with_what_they_read(everything):
    aws = everything.tables["Readers beside the workloads of aws"].rows
    [rotation] = [row for row in aws if row[1] == "rook-aws-rotation"]
    assert rotation[:3] == ["store aws (aws)", "rook-aws-rotation", rotation[2]]
    assert "reads and writes" in rotation[3]
    basic = everything.tables["Readers beside the workloads of basic"].rows
    assert ["people", "whoever has secrets.env, or decrypts the stack's state"] in [
        row[:2] for row in basic
    ]


def test_of_a_store_of_others_only_its_own_keys_are_said_to_be_in_unknown_hands(everything):
    rows = everything.tables["Readers beside the workloads of vault"].rows
    unknown = {kind: read for kind, who, _, read in rows if who.startswith("whomever")}
    assert unknown == {"store team": "3 keys", "store own": "2 keys"}


def test_the_calendar_says_when_a_key_changes_and_what_that_restarts(report):
    page = report(STACK)
    [token] = page.tables["Keys whose value may become 90d old"].by_header().values()
    assert token == {
        "Changed by": "the rotator",
        "At the age of": "81d to 90d",
        "Overdue after": "97d",
        "Restarts": "Deployment/web StatefulSet/worker",
        "Owner": "not named",
    }
    [mail] = page.tables["Keys whose value may become 365d old"].by_header().values()
    assert mail["Changed by"] == "people"
    assert mail["At the age of"] == "at most 365d our policy"
    assert mail["Restarts"] == "none"


def test_the_rotator_takes_no_key_earlier_than_the_calendar_says(tmp_path):
    catalogue, stack_file = write_files(tmp_path, CATALOGUE, STACK)
    [settings] = load([stack_document(stack_file)], catalogue_document(catalogue))
    [plan] = [one for one in rotation_plans(settings) if one.is_rotated]
    assert plan.earliest == "81d"
    now = datetime(2026, 1, 1, tzinfo=UTC)

    class Key:
        every = timedelta(days=90)
        overlap_seconds = None

    ages = []
    for number in range(500):
        key: Any = Key()
        key.name = f"key-{number}"
        ages.append(due_at("test", key, Remembered(first_seen=now)) - now)
    assert timedelta(days=81) <= min(ages) < timedelta(days=82)


def test_a_key_without_a_limit_is_listed_as_watched_by_nobody(report):
    page = report(STACK)
    assert "1 key has no limit" in page.text
    assert "1 key has no limit" not in report(BASIC).text


def test_windows_and_freezes_are_told_with_their_reason(everything):
    assert "None starts from 2026-12-21 to 2027-01-03: nobody is there." in everything.text


def test_reads_have_the_price_of_their_provider(report):
    page = report(stack("aws"))
    [row] = page.tables[next(one for one in page.tables if one.startswith("Scheduled"))].rows[1:]
    reads = int(row[4].replace(",", ""))
    assert reads > 0
    price = reads * PRICES["aws"].dollars_per_10_000 / 10_000
    assert row[5] == ("under 0.01" if price < 0.005 else f"{price:.2f}")


def test_an_environment_without_stores_has_no_price_and_no_operator(report):
    page = report(BASIC)
    assert "No store is read" in page.text
    assert "Operator" not in [text for _, text in page.headings]


def test_what_is_deleted_with_its_values_is_named(report):
    page = report({**STACK, "protect": False})
    assert "Nothing is protected from deletion." in page.text
    assert "2 Secrets are deleted, and none stays" in page.text
    assert "2 Secrets stay, and none is deleted" in report(STACK).text


HOSTILE = "</code></td><script>alert(1)</script><img src=x onerror='alert(2)'>\" onclick=\"a()"


def test_hostile_texts_are_only_texts(report):
    catalogue = changed(CATALOGUE, "bundles.shared.keys.token.description", HOSTILE)
    catalogue = changed(catalogue, "bundles.shared.keys.token.owner", f"\u200f{HOSTILE}")
    catalogue = changed(catalogue, "bundles.mail.keys.smtp-password.rotate.source", HOSTILE)
    plain, page = report(STACK), None
    freezes = [{"from": "2026-12-24", "until": "2026-12-26", "reason": HOSTILE}]
    people = {"groups": [HOSTILE]}
    stack_file = {**STACK, "readers": people, "seeding": people, "rotator": {"freezes": freezes}}
    page = report(stack_file, catalogue=catalogue)
    assert page.text.count(HOSTILE) >= 7
    assert "\u200f" not in page.text
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    names = {name for _, of_tag in page.tags for name in of_tag}
    assert names == {name for _, of_tag in plain.tags for name in of_tag}


def test_the_page_loads_nothing_and_runs_nothing(everything):
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {
        tag for tag, _ in everything.tags
    }
    assert not re.search(r"url\(|@import|expression\(", everything.style)
    assert not [*everything.attributes("src"), *everything.attributes("style")]
    places = everything.attributes("href")
    assert {one for one in places if not one.startswith("#")} == {
        price.source for price in PRICES.values()
    }


def test_its_policy_lets_nothing_in_but_its_own_style(everything):
    [policy] = [one for one in everything.attributes("content") if "default-src" in one]
    digest = base64.b64encode(hashlib.sha256(everything.style.encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]


def test_headings_descend_by_one_and_every_link_of_the_page_has_a_target(everything):
    levels = [level for level, _ in everything.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = everything.attributes("id")
    assert len(ids) == len({*ids})
    assert {one[1:] for one in everything.attributes("href") if one[0] == "#"} <= {*ids}


def test_every_table_has_a_caption_of_its_own_and_every_header_a_scope(everything):
    count = len([tag for tag, _ in everything.tags if tag == "table"])
    assert "" not in everything.tables
    assert len(everything.tables) == count
    scopes = {scope for table in everything.tables.values() for scope in table.scopes}
    assert scopes == {"col", "row"}


def test_many_bundles_are_folded_and_few_are_open(report):
    def folded(count: int) -> tuple[int, int]:
        bundle = CATALOGUE["bundles"]["mail"]
        bundles = {f"mail-{n}": {**bundle, "secret": f"shop-mail-{n}"} for n in range(count)}
        page = report(STACK, catalogue={"platform": "shop", "bundles": bundles})
        details = [of_tag for tag, of_tag in page.tags if tag == "details"]
        return len([one for one in details if "open" in one]), len(details)

    few, of_few = folded(3)
    many, of_many = folded(100)
    assert of_many > 100
    assert few >= 3
    assert many <= 3
    assert of_few < 10


def test_the_file_says_in_a_line_what_was_written_and_is_replaced_by_the_next(report, capsys):
    report(STACK)
    for _ in range(2):
        assert main(["report"]) == 0
        assert capsys.readouterr().out.startswith("report.html: test; ")
    assert Path("report.html").read_text().startswith("<!doctype html>")
    assert not Path("report.html.new").exists()


def test_a_file_that_is_no_report_is_left_as_it_is(report, capsys):
    report(STACK)
    before = Path("catalogue.yaml").read_text()
    assert main(["report", "--out", "catalogue.yaml"]) == 2
    assert "catalogue.yaml: is there already, and no report" in capsys.readouterr().err
    assert Path("catalogue.yaml").read_text() == before


def test_wrong_input_writes_nothing(report, capsys):
    report(STACK)
    assert main(["report", "--env", "tset"]) == 2
    assert "did you mean test?" in capsys.readouterr().err
    assert not Path("report.html").exists()
    Path("file").touch()
    assert main(["report", "--out", "file/report.html"]) == 2
    assert "file: can't be written" in capsys.readouterr().err


def test_one_environment_alone_is_shown_with_env(report, capsys):
    report(STACK, {**STACK, "environment": "live"})
    assert main(["report", "--env", "live", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)
    assert one["environment"] == "live"


def test_json_has_the_data_behind_the_page(report, capsys):
    report(STACK)
    assert main(["report", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)
    assert {each["key"]: each["every"] for each in one["rotations"]} == {
        "shared/token": "90d",
        "mail/smtp-password": "365d",
    }
    [vault] = one["stores"]
    assert (vault["name"], vault["entries"]) == ("vault", 2)
    assert not Path("report.html").exists()


def test_no_other_command_imports_what_makes_the_page():
    program = (
        "import sys; from platform_secrets.secretsctl.commands import main; "
        "main(['render', '--out', '-']); print('jinja2' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], cwd=EVERYTHING, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "False"
