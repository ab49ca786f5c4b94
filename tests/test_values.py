"""Values of basic Secrets: each fault is named with its line and key, and never with the value."""

import json
import re
import secrets
import traceback

import pytest

from platform_secrets.settings import Document, Settings, SettingsError, basic_values, load
from tests.settings_files import BASIC, CATALOGUE, STACK, changed

MADE_UP = changed(CATALOGUE, "bundles.mail.keys.smtp-password.pattern", "pw_[0-9a-f]+")


def _settings(stack: dict) -> Settings:
    [found] = load([Document("Pulumi.test.yaml", stack)], Document("catalogue.yaml", MADE_UP))
    return found


@pytest.fixture
def values() -> dict[str, str]:
    """One accepted value for every key, in the catalogue's order."""
    return {
        "database-url": f"postgresql://shop:{secrets.token_hex(8)}@db.example.com:5432/shop",
        "token": secrets.token_hex(16),
        "smtp-password": f"pw_{secrets.token_hex(8)}",
    }


@pytest.fixture
def env_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path.joinpath("secrets.env").relative_to(tmp_path)


def _text(values: dict[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _read(env_file, text: str | bytes | None = None, configured: dict | None = None):
    if text is not None:
        env_file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return basic_values(_settings(BASIC), env_file, (configured or {}).get)


def _faults(env_file, text: str | bytes, configured: dict | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        _read(env_file, text, configured)
    return str(caught.value).splitlines()


def test_the_values_come_in_the_catalogues_order(env_file, values):
    backwards = dict(reversed(values.items()))
    assert list(_read(env_file, _text(backwards)).items()) == list(values.items())


WAYS = {
    "comments and empty lines": lambda text: f"# x\n\n   \n{text}#token=x\n",
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: f"\ufeff{text}",
    "no line end at the end": lambda text: text.rstrip("\n"),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_file_may_be_written_with(env_file, values, way):
    assert _read(env_file, WAYS[way](_text(values))) == values


def test_a_value_is_taken_as_it_stands(env_file, values):
    values["token"] += " # = ' \" $X \\n é"
    assert _read(env_file, _text(values)) == values


FAULTS = {
    "too short": ("token", lambda value: value[:15], "is too short: at least 16 characters"),
    "empty": ("smtp-password", lambda value: "", "is empty: fill it in"),
    "of no form": ("database-url", lambda v: v[13:], "is no postgres-url, such as postgresql://"),
    "without a database": ("database-url", lambda v: v.rsplit("/", 1)[0], "is no postgres-url"),
    "not as the pattern says": ("smtp-password", lambda v: v[3:], "does not have the form that"),
    "only in part as the pattern says": ("smtp-password", lambda v: v + "!", "does not have the"),
    "in single quotes": ("token", lambda value: f"'{value}'", "is in quotes, which would become"),
    "in double quotes": ("token", lambda value: f'"{value}"', "is in quotes, which would become"),
    "after a blank": ("token", lambda value: f" {value}", "begins or ends with a blank"),
    "before a blank": ("token", lambda value: f"{value}\t ", "holds control characters"),
    "before a space": ("token", lambda value: f"{value} ", "begins or ends with a blank"),
    "with a control character": ("token", lambda v: f"{v}\x07{v}", "holds control characters"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_value_is_refused_that_is(env_file, values, fault):
    key, spoil, sentence = FAULTS[fault]
    values[key] = spoil(values[key])
    (line,) = _faults(env_file, _text(values))
    assert line.startswith(f"secrets.env:{list(values).index(key) + 1}: {key}: {sentence}")
    _assert_unseen(values, line)


def _assert_unseen(values: dict[str, str], text: str) -> None:
    canaries = [part for value in values.values() for part in re.findall("[0-9a-f]{12,}", value)]
    assert canaries
    assert not any(canary in text for canary in canaries)


@pytest.mark.parametrize("line", ["{}", "={}", "token: {}", "Token={}", "token ={}", " token={}"])
def test_a_line_that_is_no_key_and_value_is_named_by_its_number(env_file, values, line):
    canary = secrets.token_hex(16)
    (found,) = _faults(env_file, _text(values) + line.format(canary))
    assert found.startswith("secrets.env:4: must be key=value, the key as in the catalogue")
    assert canary not in found


def test_an_unknown_key_a_missing_one_and_one_twice_are_all_named(env_file, values):
    lines = [f"token={values['token']}", f"tokn={values['token']}", f"token={values['token']}"]
    found = _faults(env_file, "\n".join(lines))
    assert found == [
        "secrets.env: database-url: is missing: a database",
        "secrets.env: smtp-password: is missing: a password",
        "secrets.env:2: tokn: unknown key (did you mean token?); remove it",
        "secrets.env:3: token: is there twice, first in line 1",
    ]


def test_a_value_of_several_lines_is_refused_without_showing_its_second_line(env_file, values):
    canary = secrets.token_hex(16)
    values["token"] += f"\n{canary}\nM{canary}==\n-----END OF {canary}-----"
    (found,) = _faults(env_file, _text(values))
    assert found.startswith("secrets.env:3: must be key=value")
    assert found.endswith("; if this is more of token: a value is one line")
    assert canary not in found


CONTENTS = {
    "nothing": (b"", "secrets.env: is empty"),
    "comments alone": (b"# token=x\n\n", "secrets.env: is empty"),
    "no text": (b"\xff\xfet\x00", "secrets.env: is not a text file in UTF-8"),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_that_holds_no_values_says_so_first(env_file, content):
    data, expected = CONTENTS[content]
    assert _faults(env_file, data)[0] == expected


def test_a_folder_in_place_of_the_file_says_so(env_file):
    env_file.mkdir()
    with pytest.raises(SettingsError, match=r"^secrets\.env: can't be read: Is a directory"):
        _read(env_file)


def test_values_may_come_from_pulumis_configuration_instead(env_file, values):
    assert _read(env_file, configured=values) == values


def test_values_may_come_from_both_as_long_as_each_comes_from_one(env_file, values):
    token = {"token": values.pop("token")}
    assert _read(env_file, _text(values), token) == {**values, **token}
    values |= token
    assert _faults(env_file, _text(values), token) == [
        "Pulumi.test.yaml: token: is also in secrets.env; keep one"
    ]


def test_a_wrong_value_in_pulumis_configuration_is_named_there(env_file, values):
    with pytest.raises(SettingsError) as caught:
        _read(env_file, configured={**values, "token": values["token"][:15]})
    assert str(caught.value).startswith("Pulumi.test.yaml: token: is too short")
    _assert_unseen(values, str(caught.value))


def test_without_file_and_configuration_there_are_no_values(env_file):
    assert _read(env_file) == {}


def test_an_environment_with_stores_reads_neither(env_file):
    env_file.write_bytes(b"\xff")

    def configured(name: str) -> str:
        raise AssertionError(name)

    assert basic_values(_settings(STACK), env_file, configured) == {}


def test_no_part_of_the_exception_holds_a_value(env_file, values):
    values = {key: f"'{value}'" for key, value in values.items()}
    with pytest.raises(SettingsError) as caught:
        _read(env_file, _text(values))
    error = caught.value
    text = "".join(traceback.format_exception(error)) + repr(error) + json.dumps(error.args)
    _assert_unseen(values, text + repr(error.problems))
