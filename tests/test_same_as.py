"""One value in several Secrets: `same-as`."""

import secrets

import pytest

from platform_secrets.manifests.entries import (
    bundle_entries,
    expected_entries,
    made_entries,
    written_entries,
)
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.rotation.plan import plan_config_maps, rotation_plan
from platform_secrets.manifests.rotation.rights import rotation_rights
from platform_secrets.rotator.contract import check_names, rights
from platform_secrets.rotator.plan import parse
from platform_secrets.secretsctl.example import example_text
from platform_secrets.settings import basic_values, catalogue_document, load, stack_document
from platform_secrets.settings.documents import STACK_KEY
from tests.rotator_world import World, generated
from tests.settings_files import CATALOGUE, STACK, STORES, changed, lines, text_of

WEB, MAIL = "Deployment/web", "Deployment/mail"
SAME = {"description": "the shop's", "same-as": "shared/token"}
GENERATED = {"by": "generate", "every": "90d", "overlap": "1d"}
SHOP = changed(CATALOGUE, "bundles.shared.keys.token.rotate", GENERATED)
BORROWING = changed(SHOP, "bundles.mail.keys.token", SAME)
PLAIN = changed(
    CATALOGUE,
    "bundles.mail.keys.DATABASE_URL",
    {"description": "the shop's", "same-as": "shared/database-url"},
)


def loaded(tmp_path, catalogue, stack=STACK):
    (tmp_path / "catalogue.yaml").write_text(text_of(catalogue))
    (tmp_path / "stack.yaml").write_text(text_of({"config": {STACK_KEY: stack}}))
    found = stack_document(tmp_path / "stack.yaml")
    [settings] = load([found], catalogue_document(tmp_path / "catalogue.yaml"))
    return settings


def test_a_borrowed_value_needs_no_description(tmp_path):
    catalogue = changed(PLAIN, "bundles.mail.keys.DATABASE_URL", {"same-as": "shared/database-url"})
    key = loaded(tmp_path, catalogue).catalogue.bundles["mail"].keys["DATABASE_URL"]
    assert key.description == "the same as shared/database-url"


@pytest.mark.parametrize("provider", STORES)
def test_both_secrets_read_one_entry_and_nothing_more_is_kept_anywhere(provider, tmp_path):
    stack = changed(STACK, "stores", {provider: STORES[provider]})
    settings = loaded(tmp_path, PLAIN, stack)
    [external_secret] = external_secret_manifests(settings, "mail")
    lent = bundle_entries(settings, "shared")["database-url"]
    [reference] = [
        one["remoteRef"]
        for one in external_secret["spec"]["data"]
        if one["secretKey"].endswith("DATABASE_URL")
    ]
    assert reference["key"] == lent.key
    assert reference.get("property") == lent.property
    assert "DATABASE_URL" in external_secret["spec"]["target"]["template"]["data"]
    without = loaded(tmp_path, CATALOGUE, stack)
    for ask in (made_entries, written_entries):
        assert ask(settings, provider) == ask(without, provider)
    assert expected_entries(settings) == expected_entries(without)


def test_of_a_basic_environment_the_value_is_asked_for_once(tmp_path):
    basic = {key: one for key, one in STACK.items() if key not in ("stores", "operator")}
    settings = loaded(tmp_path, PLAIN, basic | {"secrets": "basic"})
    assert "DATABASE_URL" not in example_text(settings.catalogue)
    env = tmp_path / "secrets.env"
    given = {name: f"{secrets.token_hex(16)}" for name in settings.catalogue.spellings}
    given["database-url"] = "postgresql://a:b@db/shop"
    env.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    values = basic_values(settings, env, lambda _: None)
    borrowed = settings.catalogue.bundles["mail"].keys["DATABASE_URL"]
    assert values[borrowed.id] == given["database-url"]


def test_a_key_that_lends_keeps_its_name_alone_and_its_id(tmp_path):
    catalogue = loaded(tmp_path, BORROWING).catalogue
    assert catalogue.key_id("token") == "token"
    assert catalogue.key_id("mail/token") == "token"


def test_a_rotation_is_of_all_secrets_and_readers_of_the_value(tmp_path):
    settings = loaded(tmp_path, BORROWING)
    [key] = rotation_plan(settings).rotated
    mail, shared = (settings.catalogue.bundles[one] for one in ("mail", "shared"))
    assert key.synced == [shared.secret, mail.secret]
    assert {*key.readers} == {*settings.readers["shared"], *settings.readers["mail"]}
    plan = rotation_plan(settings)
    texts = [one["data"] for one in plan_config_maps(settings, plan)]
    assert parse(*(text for one in texts for text in one.values())).rotated == [key]
    [role] = [
        one for one in rotation_rights(settings, rotation_plan(settings)) if one["kind"] == "Role"
    ][:1]
    named = {name for rule in role["rules"] for name in rule.get("resourceNames", [])}
    assert {mail.secret, shared.secret, *check_names(key)} <= named
    checked = {parts[-1] for _, (verb, parts) in rights(key) if verb.startswith("promoted")}
    assert checked == {mail.secret, shared.secret}
    template = external_secret_manifests(settings, "mail")[0]["spec"]["target"]["template"]["data"]
    assert {*key.fields} <= {*template}


WRONG = [
    (
        "mail.keys.x",
        {"description": "x", "same-as": "shared/database-ul"},
        "did you mean shared/database-",
    ),
    ("mail.keys.x", {"description": "x", "same-as": "database-url"}, "must be a key of another"),
    ("shared.keys.x", {"description": "x", "same-as": "shared/database-url"}, "key of this bundle"),
    ("mail.keys.x", {"description": "x", "same-as": "mail/x"}, "key of this bundle"),
    (
        "mail.keys.x",
        {"description": "x", "same-as": "shared/database-url", "rotate": GENERATED},
        "which has its own `rotate`",
    ),
]


@pytest.mark.parametrize(("path", "content", "said"), WRONG)
def test_what_can_not_be_is_refused_with_its_reason(path, content, said, tmp_path):
    catalogue = changed(SHOP, f"bundles.{path}", content)
    [line] = lines(tmp_path, catalogue)
    assert said in line


OTHERWISE = changed(SHOP, "bundles.mail.keys.SHOP_TOKEN", SAME)


def test_a_value_that_rotates_has_in_each_secret_the_names_that_its_key_has_there(tmp_path):
    settings = loaded(tmp_path, OTHERWISE)
    [key] = rotation_plan(settings).rotated
    template = external_secret_manifests(settings, "mail")[0]["spec"]["target"]["template"]["data"]
    own = {"SHOP_TOKEN", "SHOP_TOKEN_NEXT", "SHOP_TOKEN_PREVIOUS"}
    assert own <= {*template}
    assert not {*key.fields} & {*template}
    compared = (
        "token/SHOP_TOKEN",
        "token-next/SHOP_TOKEN_NEXT",
        "token-previous/SHOP_TOKEN_PREVIOUS",
    )
    assert ("fields", ("token", *compared)) in [right for _, right in rights(key)]


@pytest.mark.parametrize("taken", ["token", "token-previous", "TOKEN", "TOKEN_NEXT"])
def test_a_secret_has_a_value_that_rotates_under_one_of_its_names_alone(taken, tmp_path):
    catalogue = changed(
        OTHERWISE, "bundles.billing", {"secret": "billing", "keys": {"TOKEN": SAME}}
    )
    catalogue = changed(
        catalogue, "services.api", {"workload": "Deployment/api", "reads": ["billing"]}
    )
    catalogue = changed(catalogue, "bundles.mail.texts", {taken: "a constant"})
    [line] = lines(tmp_path, catalogue)
    assert line.endswith(f"rotates, and {taken} of this bundle has the name of one of its values")


def test_a_borrowed_key_lends_to_nobody(tmp_path):
    catalogue = changed(
        PLAIN, "bundles.shared.keys.x", {"description": "x", "same-as": "mail/DATABASE_URL"}
    )
    [line] = lines(tmp_path, catalogue)
    assert line.endswith("has no value of its own; name shared/database-url")


def test_a_stack_leaves_no_key_without_the_value_that_it_has(tmp_path):
    [line] = lines(tmp_path, PLAIN, changed(STACK, "without", {"keys": ["shared/database-url"]}))
    assert "leaves out shared/database-url, whose value mail/DATABASE_URL has" in line


def test_a_borrowed_key_has_no_place_of_its_own(tmp_path):
    stack = changed(STACK, "bundles.mail.keys.DATABASE_URL", {"entry": "elsewhere"})
    [line] = lines(tmp_path, PLAIN, stack)
    assert line.endswith("keys.DATABASE_URL: has no place of its own: it is shared/database-url's")


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("keys.token.hidden", True, "it takes no `hidden` here"),
        ("texts", {"token-next": "x"}, "token-next of this bundle has the name of one of its"),
    ],
)
def test_what_a_rotation_has_to_show_in_each_secret_is_there(path, content, said, tmp_path):
    catalogue = changed(BORROWING, f"bundles.mail.{path}", content)
    if path.endswith("hidden"):
        catalogue = changed(catalogue, "bundles.mail.texts", {"x": "${token}"})
    [line] = lines(tmp_path, catalogue)
    assert said in line


def test_a_key_that_rotates_in_a_text_alone_is_not_lent(tmp_path):
    catalogue = changed(BORROWING, "bundles.shared.texts", {"x": "${token}"})
    hidden = {"description": "x", "hidden": True, "rotate": {"by": "generate", "every": "90d"}}
    catalogue = changed(catalogue, "bundles.shared.keys.token", hidden)
    [line] = lines(tmp_path, catalogue)
    assert "it takes no `hidden` there" in line


def test_both_bundles_are_in_one_store(tmp_path):
    stores = {"vault": STORES["vault"], "aws": STORES["aws"]}
    stack = STACK | {"stores": stores, "default-store": "vault"}
    [line] = lines(tmp_path, PLAIN, stack | {"bundles": {"mail": {"store": "aws"}}})
    assert "bundles.mail.store: is in store aws, and shared/database-url" in line


def world(**other):
    """Two Secrets with one value, each with a reader."""
    key = generated("token", readers=[WEB, MAIL], overlap=True)
    key["borrowing"] = [{"external_secret": "mail", "overlap_external_secret": None, **other}]
    made = World({"token": key}, {WEB: ["shared"], MAIL: ["mail"]})
    return made.age()


def test_a_rotation_changes_both_secrets_together_and_restarts_each_reader_once_a_phase():
    shop = world()
    assert shop.run() == 0
    (value,) = shop.cluster.generated
    for reader in (WEB, MAIL):
        for pod in shop.cluster.pods[reader]:
            assert pod["token"] == value
            assert pod["token-previous"] == "old-token"
    assert shop.cluster.restarts == {WEB: 2, MAIL: 2}
    assert shop.cluster.one_shots() == []


def test_a_secret_is_shown_to_hold_the_value_under_its_own_name_for_it():
    shop = world(fields=["TOKEN", "TOKEN_NEXT", "TOKEN_PREVIOUS"])
    assert shop.run() == 0
    (value,) = shop.cluster.generated
    [first] = {pod["TOKEN"] for pod in shop.cluster.pods[MAIL]}
    assert first == value == shop.cluster.value("shared", "token")
    assert shop.cluster.value("mail", "TOKEN_PREVIOUS") == "old-token"


def test_one_failing_reader_has_both_secrets_taken_back():
    shop = world()
    shop.cluster.broken[MAIL] = "ProgressDeadlineExceeded"
    shop.run()
    for secret in ("shared", "mail"):
        assert shop.cluster.value(secret, "token") == "old-token"
