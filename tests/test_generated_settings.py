"""Whatever is in the two files: settings that render, or clear sentences without any value."""

import copy
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from platform_secrets.secretsctl.rendering import rendered_files
from platform_secrets.secretsctl.yaml_text import yaml_stream
from platform_secrets.settings import (
    Document,
    Settings,
    SettingsError,
    catalogue_document,
    load,
    stack_document,
)
from tests.settings_files import BASIC, CATALOGUE, STORES, stack, text_of, write_files

# A value that could be a name, and a key that could not: neither may be seen in any message.
VALUE = f"canary-{secrets.token_hex(6)}"
KEY = f"canary {secrets.token_hex(6)}"

# `make generated` tries so many times as many, and other ones each time.
_TIMES = int(os.environ.get("GENERATED_TIMES", "1"))


def generated(count: int) -> Callable[[Any], Any]:
    """Has a test try `count` examples, the same ones in each run."""
    tried = hypothesis_settings(
        max_examples=count * _TIMES,
        derandomize=_TIMES == 1,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return lambda test: pytest.mark.generated(tried(test))


name_parts = st.text("abcxyz", min_size=1, max_size=6)
names = st.lists(name_parts, min_size=1, max_size=2).map("-".join)
durations = st.builds("{}{}".format, st.integers(1, 999), st.sampled_from("smhd"))
ages = st.builds("{}d".format, st.integers(1, 999))
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
rotations = st.one_of(
    st.fixed_dictionaries({"by": st.just("generate"), "every": ages}),
    st.just({"by": "generate", "every": "90d", "overlap": "1d"}),
    st.fixed_dictionaries({"by": st.just("database"), "every": ages}),
    st.fixed_dictionaries({"by": st.just("hand"), "max-age": ages, "source": texts}),
)
freezes = st.fixed_dictionaries(
    {"from": st.just("2026-12-20"), "until": st.just("2027-01-02"), "reason": texts}
)
keys = st.fixed_dictionaries(
    {"description": texts},
    optional={"rotate": rotations, "min-length": st.integers(1, 99), "owner": texts},
)


@st.composite
def catalogues(draw: st.DrawFn) -> dict[str, Any]:
    bundles, services = {}, {}
    for place, name in enumerate(draw(st.lists(names, min_size=1, max_size=3, unique=True))):
        drawn = draw(st.dictionaries(names, keys, min_size=1, max_size=2))
        own_keys = {f"k{place}-{key}": content for key, content in drawn.items()}
        bundles[name] = {"secret": f"s{place}-{name}", "keys": own_keys}
    reads = st.lists(st.sampled_from(list(bundles)), unique=True)
    for name in draw(st.lists(names, max_size=3, unique=True)):
        kind = draw(st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Rollout"]))
        services[name] = {"workload": f"{kind}/w-{name}", "reads": draw(reads)}
    return {"platform": draw(name_parts), "bundles": bundles, "services": services}


@st.composite
def stacks(draw: st.DrawFn) -> dict[str, Any]:
    """Settings with one store, or none."""
    found = copy.deepcopy(draw(st.sampled_from([BASIC, *map(stack, STORES)])))
    found["environment"] = draw(name_parts)
    optional = {
        "protect": st.booleans(),
        "delivery": st.just("gitops") if "gitops" in found else st.just("pulumi"),
        "namespace": st.sampled_from(["create", "existing"]),
        "refresh-interval": durations.filter(lambda text: text[-1] != "s"),
        "rotation": st.sampled_from(["leader", "follower"]),
        "operator": st.sampled_from(["install", "existing"]),
        "chart": st.fixed_dictionaries({"values": st.dictionaries(texts, texts, max_size=2)}),
        "readers": st.fixed_dictionaries(
            {"users": st.lists(texts.filter(lambda text: text != "*"), max_size=2)}
        ),
        "rotator": st.fixed_dictionaries(
            {"bundles-at-once": st.integers(1, 50), "freezes": st.lists(freezes, max_size=2)}
        ),
    }
    if "stores" in found:
        products = st.sampled_from(["vault", "openbao"])
        optional["vault-server"] = st.fixed_dictionaries({"product": products})
    return found | draw(st.fixed_dictionaries({}, optional=optional))


def _rendered(found: list[Settings], tmp_path: Path) -> None:
    """Renders all, and reads it back."""
    for one in found:
        for name, text in rendered_files(one, tmp_path / "catalogue.yaml").items():
            read = yaml.load(text, Loader=yaml.CSafeLoader)
            assert list(yaml.load_all(yaml_stream([read]), Loader=yaml.CSafeLoader)) == [read]
            assert read["kind"] if "charts" not in Path(name).parts else read


@generated(40)
@given(catalogue=catalogues(), stack_settings=stacks())
def test_valid_settings_are_accepted_and_every_file_is_what_it_was_made_of(
    tmp_path, catalogue, stack_settings
):
    catalogue_file, stack_file = write_files(tmp_path, catalogue, stack_settings)
    document = stack_document(stack_file)
    assert document.content == stack_settings
    _rendered(load([document], catalogue_document(catalogue_file)), tmp_path)


junk = st.recursive(
    st.one_of(
        st.sampled_from([VALUE, VALUE, None, True, -1, 0, 2**70, 1.5, "", "yes", "1h", "{key}"]),
        st.dates(),
        st.binary(max_size=3),
        texts,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from([KEY, "provider", "by", 7, True]), inner, max_size=2),
    ),
    max_leaves=3,
)


def _places(content: Any, path: tuple = ()) -> list[tuple]:
    inner = list(enumerate(content)) if isinstance(content, list) else []
    inner = list(content.items()) if isinstance(content, dict) else inner
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn, content: Any) -> Any:
    """`content` with junk in up to three places: in place of a value, or under a new key."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_places(content)))
        here: Any = {"": content}
        parents = ("", *path)
        for part in parents[:-1]:
            here = here[part]
        last = parents[-1]
        if isinstance(here[last], dict) and draw(st.booleans()):
            here[last][draw(st.sampled_from([KEY, "rotate", "chart", "x"]))] = draw(junk)
        elif path:
            here[last] = draw(junk)
    return content


def _told_or_loaded(stack_file: Document, catalogue: Document) -> list[Settings]:
    """The settings; none where there are sentences, which hold nothing of the values."""
    try:
        return load([stack_file], catalogue)
    except SettingsError as caught:
        error = caught
    assert VALUE not in str(error)
    assert KEY not in str(error)
    assert len(str(error).splitlines()) == len(error.problems) > 0
    assert all(problem.message for problem in error.problems)
    return []


def _read(tmp_path: Path, catalogue: object, stack_file: object) -> None:
    files = write_files(tmp_path, catalogue, stack_file)
    _rendered(_told_or_loaded(stack_document(files[1]), catalogue_document(files[0])), tmp_path)


WHOLE_STACKS = [
    {"config": {"aws:region": "eu-central-1", "platform-secrets:environment": content}}
    for content in (BASIC, *map(stack, STORES))
]


@generated(120)
@given(
    catalogue=st.just(CATALOGUE) | spoilt(CATALOGUE),
    stack_file=st.sampled_from(WHOLE_STACKS).flatmap(lambda content: spoilt(content)),
)
def test_junk_at_any_place_is_accepted_or_told_without_its_values(tmp_path, catalogue, stack_file):
    _read(tmp_path, catalogue, text_of(stack_file))


VALID = [text_of(CATALOGUE).encode(), *(text_of(content).encode() for content in WHOLE_STACKS)]
PIECES = [b"", b"\x00", b"\xff", b"\t", b"? ", b"- ", b": ", b"&a ", b"*a ", b"!x ", b"<<: ", b"'"]
PIECES += [b'"', b"|\n", b"{", b"[", b"---\n", b"%YAML 9\n", b"#", f" {VALUE}\n".encode()]


@st.composite
def bytes_of_files(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(VALID) | st.binary(max_size=40))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 4))
        data = data[:at] + draw(st.sampled_from(PIECES)) + data[at + cut :]
    return data


@generated(120)
@given(catalogue=bytes_of_files(), stack_file=bytes_of_files())
def test_any_bytes_as_files_are_accepted_or_told_without_their_values(
    tmp_path, catalogue, stack_file
):
    _read(tmp_path, catalogue, stack_file)


@generated(60)
@given(content=junk | spoilt(stack("vault")))
def test_pulumis_configuration_may_be_anything_too(content):
    """Without a file there are no lines, and no reader has looked at the values before."""
    content = json.loads(json.dumps(content, default=str))
    document = Document("Pulumi.test.yaml", content)
    _told_or_loaded(document, Document("catalogue.yaml", CATALOGUE))


SERVED = stack("azure") | {
    "vault-server": {
        "product": "openbao",
        "namespace": "vaults",
        "data-size": "5Gi",
        "chart": {"version": "0.29.2", "values": {"ui": {"enabled": True}}},
        "seal": {
            "provider": "gcp",
            "project": "shop-test",
            "location": "global",
            "key-ring": "vault",
            "key": "unseal",
        },
    }
}


@pytest.mark.parametrize("path", [path for path in _places(SERVED) if path])
def test_a_canary_in_place_of_any_setting_is_never_shown(tmp_path, path):
    content = copy.deepcopy(SERVED)
    here: Any = content
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = VALUE
    _read(tmp_path, CATALOGUE, content)
