"""What is wrong with a catalogue and a stack's settings together, and that all is said at once."""

from pathlib import Path

import pytest

from platform_secrets.secretsctl.projects import loaded
from platform_secrets.settings import SettingsError, catalogue_document, load, stack_document
from tests.settings_files import (
    BASIC,
    CATALOGUE,
    REMOVED,
    STACK,
    STORES,
    changed,
    lines,
    problems,
    stack,
    write_files,
)

A_KEY = "bundles.shared.keys.token"
TWO_SECRETS = "two bundles make a Secret of this name"
TWO_ACCOUNTS = "web, worker would share the ServiceAccount web; if they do, each sets"
TWO_WORKLOADS = "Deployment/web is named twice; it belongs to one service"
MEANINGLESS = "has no meaning with `secrets: basic`; remove it"
OVERLAPPING = changed(CATALOGUE, f"{A_KEY}.rotate.overlap", "1d")
TOGETHER = {
    "two bundles make one Secret": (
        changed(CATALOGUE, "bundles.mail.secret", "shop-secrets"),
        STACK,
        [
            f"catalogue.yaml:4: bundles.shared.secret: {TWO_SECRETS}",
            f"catalogue.yaml:16: bundles.mail.secret: {TWO_SECRETS}",
        ],
    ),
    "the previous value is valid for as long as the next": (
        changed(OVERLAPPING, f"{A_KEY}.rotate.overlap", "90d"),
        STACK,
        [f"catalogue.yaml:12: {A_KEY}.rotate: overlap must be shorter than every"],
    ),
    "two services have one ServiceAccount": (
        changed(CATALOGUE, "services.worker.service-account-name", "web"),
        STACK,
        [
            f"catalogue.yaml:25: services.web: {TWO_ACCOUNTS} service-account-name",
        ],
    ),
    "two services are one workload": (
        changed(
            changed(CATALOGUE, "services.worker.workload", "Deployment/web"),
            "services.worker.service-account-name",
            "worker",
        ),
        STACK,
        [
            f"catalogue.yaml:25: services.web: {TWO_WORKLOADS}",
            f"catalogue.yaml:30: services.worker: {TWO_WORKLOADS}",
        ],
    ),
    "several stores without a default": (
        CATALOGUE,
        changed(STACK, "stores.aws", STORES["aws"]),
        ["stack.yaml:3: default-store: is missing; it is one of: aws, vault"],
    ),
    "a store without a bundle": (
        CATALOGUE,
        stack("vault", "aws"),
        ["stack.yaml:9: stores.aws: holds no bundle; remove it, or place a bundle in it"],
    ),
    "basic Secrets with what only stores have": (
        CATALOGUE,
        {**BASIC, "bundles": {"mail": {"store": "x"}}, "default-store": "x", "stores": STORES},
        [f"stack.yaml:{line}: {key}: {MEANINGLESS}" for line, key in ((5, "bundles"),
         (8, "default-store"), (9, "stores"))],
    ),
    "GitOps without a repository, from a chart on disk": (
        CATALOGUE,
        {**BASIC, "delivery": "gitops", "chart": {"path": "chart.tgz"}},
        [
            "stack.yaml:3: gitops: is missing: `delivery: gitops` needs the repository's address",
            "stack.yaml:7: chart.path: is for `delivery: pulumi`; name a repository for GitOps",
        ],
    ),
    "an Azure identity without its client ID": (
        CATALOGUE,
        {**stack("azure"), "seeding": {"groups": ["wren-operators"]}},
        ["stack.yaml:10: stores.azure.client-ids.seed: is missing: the seed identity needs its "
         "client ID"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", TOGETHER)
def test_what_is_wrong_only_together_is_said_too(tmp_path, fault):
    catalogue, settings, expected = TOGETHER[fault]
    assert lines(tmp_path, catalogue, settings) == expected


@pytest.mark.parametrize(("store", "limit"), [("gcp", 30), ("aws", 64)])
def test_identities_too_long_for_the_provider_are_told_without_their_names(tmp_path, store, limit):
    catalogue = changed(CATALOGUE, "platform", "canary-" * 3 + "c")
    settings = {**stack(store), "seeding": {"groups": ["wren-operators"]}, "environment": "e" * 20}
    settings["stores"] = {"long-name-of-a-store": settings["stores"][store]}
    found = lines(tmp_path, catalogue, settings)
    lengths = [22 + 1 + 20 + 2 + 20 + 1 + len(role) for role in ("read", "rotation", "seed")]
    assert sorted(line.partition("; ")[2] for line in found) == [f"{store} allows {limit}"] * 3
    assert all(f"{length} characters" in "".join(found) for length in lengths)
    assert "canary" not in "".join(found)


def test_derived_keys_never_share_a_secret_with_a_bundle(tmp_path):
    """In layout `per-key` the derived keys' Secret is `<secret>-overlap`."""
    catalogue = changed(OVERLAPPING, "bundles.mail.secret", "shop-secrets-overlap")
    found = lines(tmp_path, catalogue, stack("aws"))
    assert [line for line in found if ": bundles.mail.secret: " in line]


def test_a_service_and_a_store_never_share_a_service_account(tmp_path):
    catalogue = changed(CATALOGUE, "services.worker.service-account-name", "vault-store")
    found = lines(tmp_path, catalogue)
    assert [line for line in found if ": services.worker" in line or ": stores.vault" in line]


def test_everything_in_both_files_is_said_at_once(tmp_path):
    catalogue = changed(CATALOGUE, "platform", REMOVED)
    catalogue = changed(catalogue, f"{A_KEY}.rotate.every", "often")
    settings = changed(changed(STACK, "environment", "Test"), "stores.vault.mout", "secret")
    assert [line.split(": ")[:2] for line in lines(tmp_path, catalogue, settings)] == [
        ["catalogue.yaml:1", "platform"],
        ["catalogue.yaml:13", f"{A_KEY}.rotate.every"],
        ["stack.yaml:3", "environment"],
        ["stack.yaml:9", "stores.vault.mout"],
    ]


def test_a_wrong_word_does_not_hide_a_store_that_is_not_declared(tmp_path):
    settings = changed(STACK, "bundles.mail.store", "nope")
    found = lines(tmp_path, CATALOGUE, changed(settings, "refresh-interval", "soon"))
    assert [line.split(": ")[1] for line in found] == ["bundles.mail.store", "refresh-interval"]


def test_a_file_read_twice_has_its_problems_said_once(tmp_path):
    catalogue, file = write_files(tmp_path, CATALOGUE, changed(STACK, "operator", "maybe"))
    with pytest.raises(SettingsError) as caught:
        load([stack_document(file), stack_document(file)], catalogue_document(catalogue))
    assert len(caught.value.problems) == 1


def test_several_stacks_share_one_list_of_problems(tmp_path):
    catalogue, first = write_files(tmp_path, CATALOGUE, changed(STACK, "operator", "maybe"))
    second = first.rename(tmp_path / "other.yaml")
    write_files(tmp_path, changed(CATALOGUE, "platform", "X"), changed(STACK, "protect", "no"))
    with pytest.raises(SettingsError) as caught:
        load([stack_document(first), stack_document(second)], catalogue_document(catalogue))
    files = [Path(problem.file).name for problem in caught.value.problems]
    assert files == ["catalogue.yaml", "other.yaml", "stack.yaml"]


@pytest.mark.parametrize(("pattern", "count"), [("{key}", 3), ("{environment}-{key}", 0)])
def test_environments_that_would_read_one_entry_are_told(tmp_path, pattern, count):
    """An `entry-pattern` without {environment} is for a project of the environment's own."""
    paths = []
    for name in ("test", "other"):
        (tmp_path / name).mkdir()
        settings = changed(stack("gcp"), "environment", name)
        settings = changed(settings, "stores.gcp.entry-pattern", pattern)
        paths.append(write_files(tmp_path / name, CATALOGUE, settings)[1])
    try:
        loaded(paths, tmp_path / "test/catalogue.yaml", None)
        found = []
    except SettingsError as error:
        found = error.problems
    assert len(found) == count
    assert all(one.path == ("stores", "gcp") and "keep them apart" in one.message for one in found)


def test_an_age_limit_needs_no_source_and_its_word_is_told_apart_from_a_rotation_s(tmp_path):
    path = "bundles.mail.keys.smtp-password.rotate"
    assert problems(tmp_path, catalogue=changed(CATALOGUE, f"{path}.source", REMOVED)) == []
    wrong = changed(CATALOGUE, path, {"by": "hand", "every": "90d"})
    said = [str(problem) for problem in problems(tmp_path, catalogue=wrong)]
    assert any("unknown key (did you mean max-age?)" in line for line in said)


def test_of_many_mistakes_the_first_fifty_are_shown_with_the_number_of_the_others(tmp_path):
    keys = {f"key-{number:02}": {} for number in range(70)}
    wrong = changed(CATALOGUE, "bundles.mail.keys", keys)
    shown = str(SettingsError(problems(tmp_path, catalogue=wrong))).splitlines()
    assert len(shown) == 51
    assert shown[-1] == "and 20 more problems"
