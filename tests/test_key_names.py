"""Names of keys: the Secret's own, and what is called after a key is unlike that of any other."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_secrets.manifests import naming
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.secretsctl.basic_files import write_env_files
from platform_secrets.settings import basic_values, catalogue_document, load, stack_document
from platform_secrets.settings.documents import STACK_KEY
from platform_secrets.settings.key_ids import key_ids
from tests.settings_files import CATALOGUE, STACK, STORES, changed, lines, text_of

BUNDLES = st.from_regex(r"[a-z][-a-z0-9]{0,20}[a-z0-9]", fullmatch=True)
NAMES = st.from_regex(r"[-._a-zA-Z0-9]{1,80}", fullmatch=True) | st.sampled_from(
    ["password", "PASSWORD", "pass-word", "pass_word", "a-next", "lock", "run", "tls.crt", "a"]
)
FREE = changed(
    changed(CATALOGUE, "bundles.mail.keys.tls_crt", {"description": "x"}),
    "bundles.mail.keys.DATABASE_URL",
    {"description": "x"},
)
TWICE = changed(FREE, "bundles.shared.keys.smtp-password", {"description": "another"})


def loaded(tmp_path, catalogue, stack=STACK):
    (tmp_path / "catalogue.yaml").write_text(text_of(catalogue))
    (tmp_path / "stack.yaml").write_text(text_of({"config": {STACK_KEY: stack}}))
    found = stack_document(tmp_path / "stack.yaml")
    [settings] = load([found], catalogue_document(tmp_path / "catalogue.yaml"))
    return settings


@given(st.lists(st.tuples(BUNDLES, NAMES), unique=True, max_size=30))
def test_no_two_keys_share_an_id_and_no_id_is_another_one_s_derived_key(keys):
    ids = key_ids(keys)
    called = [f"{id}{end}" for id in ids.values() for end in ("", "-next", "-previous")]
    assert len({*called}) == 3 * len(keys)
    assert not {"lock", "run"} & {*called}
    assert all(re.fullmatch(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?", id) for id in ids.values())


def test_a_name_that_no_other_bundle_has_is_the_id_and_others_have_their_bundle_s_name_before():
    keys = [("ledger", "user"), ("ledger", "password"), ("mirror", "password"), ("ledger", "URL")]
    ids = ["user", "ledger-password", "mirror-password", "ledger-url"]
    assert [*key_ids(keys).values()] == ids


@given(st.lists(st.tuples(BUNDLES, NAMES), unique=True, min_size=1, max_size=30), st.data())
def test_a_key_that_is_added_never_takes_the_id_of_another(keys, data):
    """Else its program would read the other's value."""
    [new, *before] = data.draw(st.permutations(keys))
    assert key_ids([new, *before])[new] not in key_ids(before).values()


@pytest.mark.parametrize("provider", STORES)
def test_each_provider_keeps_keys_of_one_name_in_places_of_their_own(provider, tmp_path):
    store = STORES[provider] | ({} if provider == "azure" else {"layout": "per-key"})
    settings = loaded(tmp_path, TWICE, STACK | {"stores": {provider: store}})
    entries = [
        entry.key
        for bundle in settings.catalogue.bundles
        for entry in naming.entries(settings, bundle).values()
    ]
    assert len({*entries}) == len(entries)
    assert any(entry.endswith("mail-database-url") for entry in entries)


def test_the_secret_has_the_key_s_own_name(tmp_path):
    settings = loaded(tmp_path, FREE)
    [external_secret] = external_secret_manifests(settings, "mail")
    template = external_secret["spec"]["target"]["template"]["data"]
    assert {"DATABASE_URL", "tls_crt", "smtp-password"} == template.keys()
    assert 'index . "DATABASE_URL"' in template["DATABASE_URL"]


def test_basic_secrets_take_bundle_and_key_where_a_name_is_in_two_bundles(tmp_path):
    settings = loaded(tmp_path, TWICE, {"environment": "dev", "secrets": "basic"})
    names = settings.catalogue.spellings
    assert {"DATABASE_URL", "mail/smtp-password", "shared/smtp-password"} <= names.keys()
    made = {name: f"postgresql://u:{place:020}@h/d" for place, name in enumerate(names)}
    env_file = tmp_path / "secrets.env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
    values = basic_values(settings, env_file, lambda _: None)
    (tmp_path / "kustomization.yaml").touch()
    write_env_files(tmp_path, settings.catalogue, values)
    assert (
        f"smtp-password={made['mail/smtp-password']}\n" in (tmp_path / "shop-mail.env").read_text()
    )
    shared = (tmp_path / "shop-secrets.env").read_text()
    assert f"smtp-password={made['shared/smtp-password']}\n" in shared


def test_people_call_a_key_by_its_name_where_that_is_unique_and_always_by_bundle_and_key(tmp_path):
    catalogue = loaded(tmp_path, TWICE).catalogue
    assert catalogue.key_id("DATABASE_URL") == catalogue.key_id("mail/DATABASE_URL")
    assert catalogue.key_id("shared/smtp-password") != catalogue.key_id("mail/smtp-password")
    assert catalogue.key_id("smtp-password") is None


def test_a_key_that_is_rotated_needs_a_name_that_no_other_bundle_has(tmp_path):
    rules = {"description": "x", "rotate": {"by": "generate", "every": "90d"}}
    found = lines(tmp_path, changed(CATALOGUE, "bundles.mail.keys.token", rules))
    for line, bundle in zip(found, ["shared", "mail"], strict=True):
        assert f"bundles.{bundle}.keys.token.rotate: `by: generate` needs a name of its own" in line
