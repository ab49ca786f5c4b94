"""Names of keys: the Secret's own, and what is called after a key is unlike that of any other."""

import re
from secrets import token_hex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_secrets.manifests import naming
from platform_secrets.manifests.database import database_manifests
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator.contract import rights
from platform_secrets.rotator.keys import Database, Generated
from platform_secrets.rotator.shapes import staged
from platform_secrets.secretsctl.basic_files import write_env_files
from platform_secrets.settings import basic_values, catalogue_document, load, stack_document
from platform_secrets.settings.documents import STACK_KEY
from platform_secrets.settings.key_ids import key_ids
from tests.rotator_world import World, generated
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
        for entry in bundle_entries(settings, bundle).values()
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
    write_env_files(tmp_path, settings, values)
    assert (
        f"smtp-password={made['mail/smtp-password']}\n" in (tmp_path / "shop-mail.env").read_text()
    )
    shared = (tmp_path / "shop-secrets.env").read_text()
    assert f"smtp-password={made['shared/smtp-password']}\n" in shared


def test_no_two_values_of_basic_secrets_are_in_one_file(settings_with, tmp_path):
    values = {"k": token_hex(8), "l": token_hex(8)}
    bundles = {
        "a": {"secret": "web", "keys": {"k": {"description": "a"}}, "texts": {"x": "${k}"}},
        "b": {"secret": "web.x", "keys": {"l": {"description": "b"}}},
    }
    basic = {"secrets": "basic", "stores": None, "operator": None}
    settings = settings_with({"platform": "shop", "bundles": bundles}, **basic)
    (tmp_path / "kustomization.yaml").touch()
    (tmp_path / "web.x.env").write_text("of release 0.1")
    write_env_files(tmp_path, settings, values)
    found = {path.name: path.read_text() for path in tmp_path.glob("*.env")}
    assert found == {
        "web.env": f"k={values['k']}\n",
        "web__x.env": values["k"],
        "web.x.env": f"l={values['l']}\n",
    }
    del bundles["b"]
    settings = settings_with({"platform": "shop", "bundles": bundles}, **basic)
    write_env_files(tmp_path, settings, values)
    assert not (tmp_path / "web.x.env").exists()


def test_people_call_a_key_by_its_name_where_that_is_unique_and_always_by_bundle_and_key(tmp_path):
    catalogue = loaded(tmp_path, TWICE).catalogue
    assert catalogue.key_id("DATABASE_URL") == catalogue.key_id("mail/DATABASE_URL")
    assert catalogue.key_id("shared/smtp-password") != catalogue.key_id("mail/smtp-password")
    assert catalogue.key_id("smtp-password") is None


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("JWT_SECRET", "JWT_SECRET_NEXT"),
        ("TOKEN", "TOKEN_NEXT"),
        ("jwt_secret", "jwt_secret_next"),
        ("jwtSecret", "jwtSecretNext"),
        ("jwt-secret", "jwt-secret-next"),
        ("token", "token-next"),
        ("tls.key", "tls.key-next"),
        ("Jwt-Secret_2", "Jwt-Secret_2-next"),
    ],
)
def test_a_derived_value_is_called_in_the_style_of_its_key(name, following):
    assert naming.derived_keys(name) == (following, re.sub("(?i)next$", _as_next, following))


def _as_next(found):
    word = found.group()
    return {"NEXT": "PREVIOUS", "Next": "Previous", "next": "previous"}[word]


@given(NAMES)
def test_a_key_and_what_is_derived_from_it_are_three_fields_of_a_secret(name):
    fields = {name, *naming.derived_keys(name)}
    assert len(fields) == 3
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]+", field) for field in fields)


ROTATED = {"description": "x", "rotate": {"by": "generate", "every": "90d", "overlap": "1d"}}
ROTATED_TWICE = changed(
    changed(CATALOGUE, "bundles.mail.keys.JWT_SECRET", ROTATED),
    "bundles.shared.keys.JWT_SECRET",
    ROTATED,
)


def test_a_rotated_key_may_have_any_name_and_the_same_one_in_several_bundles(tmp_path):
    settings = loaded(tmp_path, ROTATED_TWICE)
    plan = rotation_plan(settings)
    found = {one.shown: one for one in plan.rotated}
    fields = ["JWT_SECRET", "JWT_SECRET_NEXT", "JWT_SECRET_PREVIOUS"]
    for bundle in ("mail", "shared"):
        key = found[f"{bundle}/JWT_SECRET"]
        assert isinstance(key, Generated)
        [external_secret] = external_secret_manifests(settings, bundle)
        template = external_secret["spec"]["target"]["template"]["data"]
        assert key.fields == fields
        assert {*fields} <= {*template}
        assert ("fields", (key.name, *fields)) in [right for _, right in rights(key)]
        texts = staged(plan, key, "2026-03-02")["spec"]["target"]["template"]["data"]
        compared = [texts[item].split('"')[5] for item in ("is-current", "is-next", "is-previous")]
        assert compared == fields
    whole = [one for one in found.values() if isinstance(one, Generated)]
    assert len(whole) == len(found)
    places = [(one.entry, one.next, one.previous) for one in whole]
    assert len({place for each in places for place in each if place}) == 3 * len(places) - 2


def test_a_key_whose_fields_are_called_after_it_needs_no_further_right(tmp_path):
    [key] = [one for one in rotation_plan(loaded(tmp_path, CATALOGUE)).rotated if one.bundle]
    assert "fields" not in dict(right for _, right in rights(key))


OF_DATABASE = {"by": "database", "every": "90d"}
URL = {"description": "orders", "format": "postgres-url", "rotate": OF_DATABASE}
DATABASE = {
    "host": "db.example.com",
    "name": "orders",
    "admin-user": "vault",
    "users": ["orders_a", "orders_b"],
    "grants": ["orders"],
}


def test_a_database_s_url_may_have_any_name_and_its_objects_are_called_after_its_id(tmp_path):
    catalogue = changed(FREE, "bundles.shared.keys.DATABASE_URL", URL)
    stack = changed(STACK, "stores.vault.database", DATABASE)
    settings = loaded(tmp_path, catalogue, stack)
    [key] = [one for one in rotation_plan(settings).rotated if isinstance(one, Database)]
    *_, pointer = database_manifests(settings, "shared")
    template = external_secret_manifests(settings, "shared")[0]["spec"]["target"]["template"]
    assert pointer["metadata"]["name"] == key.pointer == "shared-database-url-active"
    assert [*pointer["data"]] == key.fields == ["DATABASE_URL"]
    assert template["templateFrom"] == [
        {
            "configMap": {
                "name": key.pointer,
                "items": [{"key": "DATABASE_URL", "templateAs": "Values"}],
            }
        }
    ]
    assert {parts[1] for _, (verb, parts) in rights(key) if verb == "point"} == {"DATABASE_URL"}


def test_a_key_keeps_its_age_when_another_bundle_gets_a_key_of_its_name():
    alone = generated("jwt-secret", readers=[])
    world = World({"jwt-secret": alone}, {}).age()
    assert world.run() == 0
    known = world.cluster.memory("jwt-secret")
    for bundle in ("mail", "shared"):
        shown = {"shown": f"{bundle}/jwt-secret", "fields": alone["fields"]}
        world.plan["keys"][f"{bundle}-jwt-secret"] = {**alone, **shown}
    del world.plan["keys"]["jwt-secret"]
    world.run()
    for bundle in ("mail", "shared"):
        assert world.cluster.memory(f"{bundle}-jwt-secret") == known


def test_a_key_keeps_its_age_when_the_other_key_of_its_name_goes():
    key = generated("jwt-secret", readers=[], bundle="mail") | {"shown": "mail/jwt-secret"}
    world = World({"mail-jwt-secret": key}, {}).age()
    assert world.run() == 0
    world.plan["keys"] = {"jwt-secret": {**key, "shown": "jwt-secret"}}
    world.run()
    assert world.cluster.memory("jwt-secret") == world.cluster.memory("mail-jwt-secret")


def test_what_a_rotation_derives_is_no_longer_than_kubernetes_allows(tmp_path):
    catalogue = changed(CATALOGUE, "bundles.mail.keys", {"K" * 250: ROTATED})
    [line] = lines(tmp_path, catalogue)
    assert line.endswith(f"{'K' * 250}_PREVIOUS has more than 253 characters")


def test_a_rotation_speaks_of_a_key_as_people_know_it(capsys):
    fields = ["JWT_SECRET", "JWT_SECRET_NEXT", "JWT_SECRET_PREVIOUS"]
    places = [{"key": "shop/mail", "property": field} for field in fields]
    own = dict(zip(("entry", "next", "previous"), places, strict=True))
    key = generated("mail-jwt-secret", readers=["Deployment/web"], overlap=True, **own)
    key |= {"shown": "mail/JWT_SECRET", "bundle": "mail", "fields": fields}
    world = World({"mail-jwt-secret": key}, {"Deployment/web": ["shared"]}).age()
    assert world.run() == 0
    (value,) = world.cluster.generated
    for pod in world.cluster.pods["Deployment/web"]:
        assert [pod[field] for field in fields] == [value, value, "old-mail-jwt-secret"]
    said = capsys.readouterr().out
    assert "rotated: mail/JWT_SECRET" in said
    assert "mail-jwt-secret" not in said
    assert {event["message"].split(" (")[0] for event in world.cluster.events} == {
        "mail/JWT_SECRET"
    }
