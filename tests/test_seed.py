"""First values: what is read of a file, what is made for them, and what is told before."""

import base64
import secrets

import pytest

from platform_secrets.manifests import first_values as manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.one_shot_objects import pushed_values
from platform_secrets.rotator.proof import synced_resource_version
from platform_secrets.secretsctl import seeding, waiting
from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import SettingsError, first_values
from tests.conftest import SHOP
from tests.settings_files import BASIC, CATALOGUE, STACK, STORES, changed, text_of

SEEDING = {"groups": ["shop-operators"]}
BINARY = {"description": "a keystore", "stored-as": "base64"}
VAULT = {"provider": "vault", "server": "https://vault.example.com:8200", "layout": "per-key"}


@pytest.fixture
def value() -> str:
    return secrets.token_hex(16)


def faults(settings, source):
    with pytest.raises(SettingsError) as caught:
        first_values(settings, source)
    return str(caught.value).splitlines()


def test_a_key_is_given_by_its_name_or_with_its_bundle(settings_with, tmp_path, value):
    source = tmp_path / "values"
    source.write_text(f"api-token={value}\nbilling/bank-password={value}x\n")
    found = first_values(settings_with(), source)
    assert found == {"api-token": value, "bank-password": f"{value}x"}


def test_every_fault_is_told_at_once_and_no_value(settings_with, tmp_path, value):
    source = tmp_path / "values"
    source.write_text(
        f"api-tokn={value}\nbilling/bank-pasword={value}\nsigning-key='{value}'\n"
        f"api-token={value}\nshared/api-token={value}\n"
    )
    found = faults(settings_with(), source)
    assert [line.partition("values:")[2] for line in found] == [
        "1: api-tokn: unknown key (did you mean api-token?); remove it",
        "2: billing.bank-pasword: unknown key (did you mean billing/bank-password?); remove it",
        "3: signing-key: is in quotes, which would become part of it: remove them",
        "5: shared.api-token: is there twice, first as api-token",
    ]
    assert value not in str(found)


def test_a_folder_has_a_file_for_each_key_and_may_hold_bytes(settings_with, tmp_path, value):
    keystore = secrets.token_bytes(64)
    (tmp_path / "billing").mkdir()
    (tmp_path / "billing/keystore").write_bytes(keystore)
    (tmp_path / "api-token").write_text(f"{value}\n")
    (tmp_path / ".DS_Store").write_text("x")
    settings = settings_with(catalogue=changed(SHOP, "bundles.billing.keys.keystore", BINARY))
    assert first_values(settings, tmp_path) == {
        "api-token": value,
        "keystore": base64.b64encode(keystore).decode(),
    }


def test_bytes_of_a_key_that_is_text_are_told(settings_with, tmp_path):
    (tmp_path / "api-token").write_bytes(b"\xff\xfe\xff")
    [fault] = faults(settings_with(), tmp_path)
    assert fault.endswith("is not text in UTF-8, and its key has no `stored-as: base64`")


def test_what_is_too_large_is_told_with_the_limit(settings_with, tmp_path):
    (tmp_path / "api-token").write_text("x" * 1_048_577)
    found = faults(settings_with(), tmp_path)
    assert (
        f"{tmp_path}: bundle shared has 1,048,577 bytes here; a Secret takes 1,048,576" in found[0]
    )
    assert found[1].endswith("vault takes 1,048,576")


AROUND = len('{"bank-password":""}')
LARGEST = {
    "a property in AWS": ({**STORES["aws"], "layout": "bundle"}, 65_536, AROUND),
    "an entry in AWS": (STORES["aws"], 65_536, 0),
    "a parameter in AWS": ({**STORES["aws"], "provider": "aws-parameter-store"}, 4_096, 0),
    "an entry in GCP": (STORES["gcp"], 65_536, 0),
    "an entry in Azure": (STORES["azure"], 25_600, 0),
}


@pytest.mark.parametrize("place", LARGEST)
def test_a_value_may_be_as_large_as_its_provider_takes_and_no_larger(
    settings_with, tmp_path, place
):
    store, most, around = LARGEST[place]
    settings = settings_with(stores={store["provider"]: store})
    (tmp_path / "bank-password").write_text("x" * (most - around))
    assert [*first_values(settings, tmp_path)] == ["bank-password"]
    (tmp_path / "bank-password").write_text("x" * (most - around + 1))
    [found] = faults(settings, tmp_path)
    assert found.endswith(f"would hold {most + 1:,} bytes; {store['provider']} takes {most:,}")


def test_what_is_not_there_is_told(settings_with, tmp_path):
    assert faults(settings_with(), tmp_path / "values") == [f"{tmp_path}/values: no such file"]
    assert faults(settings_with(), tmp_path) == [f"{tmp_path}: is empty"]


def test_the_look_holds_no_value_and_fails_for_nothing_that_is_missing(settings_with):
    spec = manifests.look(settings_with(), "shared")["spec"]
    assert [one["remoteRef"]["key"] for one in spec["data"]] == ["shop/test"]
    assert spec["target"]["deletionPolicy"] == "Merge"
    assert spec["target"]["template"]["data"]["api-token"] == (
        '{{ with index . "e0" }}{{ $e := fromJson . }}'
        '{{ if hasKey $e "api-token" }}there{{ end }}{{ end }}'
    )


def test_what_the_look_does_not_find_is_lacking(settings_with):
    found = {"api-token": base64.b64encode(b"there").decode(), "signing-key": ""}
    lacking = manifests.lacking(settings_with(), "shared", found)
    assert [one.name for one in lacking] == ["signing-key"]


def test_an_entry_of_its_own_has_a_derived_value_from_the_beginning(settings_with, value):
    settings = settings_with(stores={"vault": VAULT}, seeding=SEEDING)
    written = pushed_values(settings, "shared", ["signing-key"])
    push = manifests.push(settings, "shared", written, "IfNotExists")["spec"]
    assert [
        (one["match"]["secretKey"], one["match"]["remoteRef"]["remoteKey"]) for one in push["data"]
    ] == [
        ("signing-key", "shop/test/signing-key"),
        ("signing-key", "shop/test/signing-key-next"),
        ("signing-key", "shop/test/signing-key-previous"),
    ]
    source = manifests.source(settings, "shared", {"signing-key": value})
    assert source["metadata"]["name"] == push["selector"]["secret"]["name"]


ENABLED = {**STACK, "seeding": SEEDING}
STACKS = {
    "no seeding": (STACK, "Pulumi.test.yaml: seeding: nobody may write to store vault"),
    "nobody to ask": (ENABLED, "--yes: test has `protect`"),
    "basic": (BASIC, "Pulumi.test.yaml: secrets: is `basic`"),
}


@pytest.fixture
def seed(tmp_path, monkeypatch, capsys, value):
    """Runs `seed` with values of two keys; the exit code, the output and the errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "values").write_text(f"smtp-password={value}\ntoken={value}\n")

    def run(content, *arguments, catalogue=CATALOGUE):
        (tmp_path / "catalogue.yaml").write_text(text_of(catalogue))
        stack = text_of({"config": {"platform-secrets:environment": content}})
        (tmp_path / "Pulumi.test.yaml").write_text(stack)
        code = main(["seed", "--env", "test", "--from-env-file", "values", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize("kind", STACKS)
def test_what_forbids_it_is_told_before_a_cluster_is_asked(seed, kind):
    content, message = STACKS[kind]
    code, _, errors = seed(content)
    assert (code, message in errors) == (2, True), errors


def test_only_what_is_asked_for_is_written(seed):
    code, output, _ = seed(ENABLED, "mail", "--overwrite", "smtp-password", "--dry-run")
    place = "mail/smtp-password in entry shop/test/mail (smtp-password) of store vault"
    assert (code, output) == (0, f"{place}: would be overwritten\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mail", "--overwrite", "token"], "--overwrite: token is not among what is given"),
        (["shared/database-url"], "KEY: shared/database-url is not among what is given"),
        (["mial"], "KEY: mial: there is no such bundle or key (did you mean mail?)"),
    ],
)
def test_what_is_asked_for_and_not_given_is_told(seed, arguments, message):
    code, _, errors = seed(ENABLED, *arguments, "--dry-run")
    assert (code, message in errors) == (2, True), errors


class Cluster:
    """A cluster with an operator that has an empty store, and writes to it `writes` times."""

    def __init__(self, writes: int) -> None:
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.writes = writes

    def within(self, _: str) -> "Cluster":
        return self

    def apply(self, manifest: Manifest) -> None:
        name, kind = manifest["metadata"]["name"], manifest["kind"].lower()
        obj = {**manifest, "metadata": {**manifest["metadata"], "generation": 1}}
        reason = "Synced" if kind == "pushsecret" else "SecretSynced"
        if kind == "pushsecret" and self.writes == 0:
            reason = "Errored"
        self.writes -= kind == "pushsecret"
        ready = {"type": "Ready", "reason": reason, "message": "secret synced"}
        ready["status"] = "False" if reason == "Errored" else "True"
        version = synced_resource_version(obj)
        obj["status"] = {"conditions": [ready], "syncedResourceVersion": version}
        self.objects[kind, name] = obj

    def get(self, kind: str, name: str) -> Manifest | None:
        return self.objects.get((kind, name))

    def get_by(self, *_: str) -> str:
        return ""

    def patch(self, *_: object) -> None:
        pass

    def delete(self, kind: str, names: list[str]) -> None:
        for name in names:
            self.objects.pop((kind, name), None)


def test_where_the_store_goes_half_way_what_was_written_is_told_and_no_value_is_left(
    seed, monkeypatch
):
    cluster = Cluster(writes=1)
    for name in ("shop-mail", "shop-secrets"):
        metadata = {"name": name}
        cluster.apply({"kind": "ExternalSecret", "metadata": metadata, "spec": {}})
    before = {*cluster.objects}
    monkeypatch.setattr(seeding, "right_cluster", lambda _: cluster)
    monkeypatch.setattr(waiting, "SYNC_SECONDS", 0.1)
    code, output, errors = seed(ENABLED, "--yes")
    assert (code, output) == (1, "")
    assert "PushSecret/seeding-shop-mail: not synced in 0.1 s: Ready=False Errored" in errors
    assert errors.endswith("written before: shared/token; run it again: what is there stays\n")
    assert {*cluster.objects} == before


def test_a_secret_that_would_be_taken_for_one_of_its_own_is_told(seed):
    catalogue = changed(CATALOGUE, "bundles.mail.secret", "seeding-shop-secrets")
    code, _, errors = seed(ENABLED, "--dry-run", catalogue=catalogue)
    assert (code, "seeding-shop-secrets: is what `seed` calls its own" in errors) == (2, True)


def test_a_secret_that_has_the_same_value_is_synced_too_and_lacks_it_no_more(seed, monkeypatch):
    lent = {"description": "of mail", "same-as": "mail/smtp-password"}
    catalogue = changed(CATALOGUE, "bundles.shared.keys.mail", lent)
    cluster = Cluster(writes=1)
    for name in ("shop-mail", "shop-secrets"):
        cluster.apply({"kind": "ExternalSecret", "metadata": {"name": name}, "spec": {}})
    monkeypatch.setattr(seeding, "right_cluster", lambda _: cluster)
    code, output, errors = seed(ENABLED, "mail", "--yes", catalogue=catalogue)
    assert code == 0, errors
    assert output.splitlines()[1:] == [
        "shop-secrets: not Ready, since the store has no shared/database-url, shared/token",
        "shop-mail: synced",
    ]
