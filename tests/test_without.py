"""What an environment leaves out: it is nowhere in what is declared for it."""

import pytest

from platform_secrets.manifests.entries import expected_entries
from platform_secrets.manifests.layer import waves
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.secretsctl.rendering import rendered_files, staying
from platform_secrets.secretsctl.tree import leaving, rendered, write
from tests.settings_files import CATALOGUE, STACK, changed, lines


def objects_of(settings):
    return [one for wave in waves(settings, rotator_source()) for one in wave.objects]


def test_a_bundle_that_is_left_out_is_in_no_object(settings_with):
    with_it, without = settings_with(), settings_with(without={"bundles": ["billing"]})
    assert "bank-password" in repr(objects_of(with_it))
    left = repr(objects_of(without))
    assert "bank-password" not in left
    assert "shop-billing" in left  # its service, which reads the other bundle
    assert "billing" not in expected_entries(without)["vault"]


def test_a_key_that_is_left_out_is_neither_read_nor_rotated(settings_with):
    without = settings_with(without={"keys": ["shared/signing-key"]})
    assert "signing-key" not in repr(objects_of(without))
    assert without.has_rotation is False
    assert without.identities("vault") == ["read"]
    assert expected_entries(without)["vault"]["shop/test"] == ["api-token"]


def test_readers_keep_what_is_left(settings_with):
    services = settings_with(without={"bundles": ["billing"]}).catalogue.services
    assert services["billing"].reads == ["shared"]


def test_one_of_two_secrets_of_one_name_may_be_another_environment_s(settings_with):
    catalogue = changed(CATALOGUE, "bundles.mail.secret", "shop-secrets")
    found = settings_with(catalogue, without={"bundles": ["mail"]})
    names = [one["metadata"]["name"] for one in objects_of(found)]
    assert names.count("shop-secrets") == 1


def test_what_lives_stays_in_the_cluster_when_it_is_left_out(settings_with, tmp_path):
    """Argo CD and Flux keep it, and `render` says so."""
    with_it, without = settings_with(), settings_with(without={"bundles": ["billing"]})
    write({tmp_path / "test": rendered_files(with_it, tmp_path / "catalogue.yaml")})
    files = rendered_files(without, tmp_path / "catalogue.yaml")
    [line] = staying(leaving(rendered(tmp_path / "test"), files))
    assert "ExternalSecret" in line
    assert "shop-billing" in line


@pytest.mark.parametrize(
    ("change", "value", "message"),
    [
        ("without.bundles", ["mial"], "without.bundles.0: no such bundle (did you mean mail?)"),
        (
            "without.keys",
            ["shared/tokn"],
            "no such key, as bundle/key (did you mean shared/token?)",
        ),
        ("without.keys", ["token"], "no such key, as bundle/key"),
        ("without.keys", ["mail/smtp-password"], "leaves bundle mail without keys"),
        ("without.bundles", ["mail", "shared"], "leaves nothing of the catalogue"),
        (
            "without",
            {"bundles": ["mail"], "keys": ["mail/smtp-password"]},
            "is there twice: `without` leaves out the whole bundle mail",
        ),
    ],
)
def test_what_cannot_be_left_out_is_refused(tmp_path, change, value, message):
    found = lines(tmp_path, stack=changed(STACK, change, value))
    assert any(message in line for line in found)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("tls.key", "this type needs tls.key in the Secret"),
        ("HOST", "text url is made of HOST, which is no key of this bundle"),
        ("NOTE", None),
    ],
)
def test_what_is_left_of_a_bundle_must_be_a_secret_too(tmp_path, key, fault):
    """Else the API server, or the operator, would refuse it where it runs."""
    edge = {
        "secret": "edge",
        "type": "kubernetes.io/tls",
        "keys": {name: {"description": "x"} for name in ("tls.crt", "tls.key", "NOTE")}
        | {"HOST": {"description": "x", "hidden": True}},
        "texts": {"url": "https://${HOST}"},
    }
    found = changed(STACK, "without.keys", [f"edge/{key}"])
    problems = lines(tmp_path, changed(CATALOGUE, "bundles.edge", edge), found)
    said = f"without.keys: of bundle edge leaves what can't be a Secret: {fault}"
    assert [said in line for line in problems] == ([True] if fault else [])


def test_a_place_of_what_is_left_out_is_refused(tmp_path):
    found = changed(STACK, "bundles.mail.entry", "apps/mail")
    [line] = lines(tmp_path, stack=changed(found, "without.bundles", ["mail"]))
    assert "bundles.mail: has no meaning: `without` leaves this bundle out" in line


def test_basic_secrets_need_no_value_of_what_is_left_out(tmp_path):
    stack = {"environment": "test", "secrets": "basic", "without": {"bundles": ["mail"]}}
    assert lines(tmp_path, catalogue=CATALOGUE, stack=stack) == []
