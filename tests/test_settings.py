"""Every wrong input is one line with its file, line, path and what would be right."""

import pytest

from tests.declaring import PROJECT
from tests.settings_files import (
    CATALOGUE,
    REMOVED,
    STACK,
    STORES,
    changed,
    lines,
    problems,
    stack,
    text_of,
)

A_KEY = "bundles.shared.keys.token"
IN_CATALOGUE = [
    # What is set, where, and how the sentence about that place begins.
    (
        "bundle",
        {},
        "unknown key (did you mean bundles?); allowed: bundles, every-key-has, platform, services",
    ),
    ("platform", REMOVED, "is missing"),
    ("platform", "Shop", "must be a name of lower-case letters, digits, hyphens, at most 24"),
    ("platform", "shop-", "must be a name of lower-case letters"),
    ("platform", "a" * 25, "must be a name of lower-case letters"),
    ("bundles", {}, "must not be empty"),
    ("bundles", ["shared"], "must be a mapping of keys to values"),
    ("bundles.Shared", {"secret": "x", "keys": {"x": {"description": "x"}}}, "must be a name"),
    ("bundles.shared.secret", "shop_secrets", "must be a Secret's name"),
    ("bundles.shared.secret", "shop..secrets", "must be a Secret's name"),
    ("bundles.shared.secret", "shop.-secrets", "must be a Secret's name"),
    (
        "bundles.shared",
        {"secret": "shop-secrets"},
        "has no keys: name them, or say `whole-entry: true`",
    ),
    ("bundles.shared.keys.a-next", {"description": "x"}, "must be a name of letters, digits"),
    (f"{A_KEY}.description", REMOVED, "is missing"),
    (f"{A_KEY}.description", "", "must not be empty"),
    (f"{A_KEY}.description", "x" * 1001, "must have at most 1000 characters"),
    (f"{A_KEY}.format", "json", "must be one of: text, postgres-url or redis-url"),
    (f"{A_KEY}.pattern", "(canary", "must be a regular expression"),
    (f"{A_KEY}.pattern", f"a{{{9**30}}}", "must be a regular expression"),
    (f"{A_KEY}.pattern", "(" * 999 + ")" * 999, "must be a regular expression"),
    (f"{A_KEY}.min-length", 0, "must be at least 1"),
    (f"{A_KEY}.min-length", 4097, "must be at most 4096"),
    (f"{A_KEY}.min-length", "1234", "must be a whole number"),
    (f"{A_KEY}.min-length", True, "must be a whole number"),
    (f"{A_KEY}.rotate.by", "magic", "must be one of: generate, database, hand"),
    (f"{A_KEY}.rotate.by", REMOVED, "must be one of: generate, database, hand"),
    (f"{A_KEY}.rotate.every", "3 months", "must be a duration: a whole number and s, m, h or d"),
    (f"{A_KEY}.rotate.every", 90, "must be a duration: a whole number"),
    (f"{A_KEY}.rotate.every", "0d", "must be a duration: a whole number"),
    (f"{A_KEY}.rotate.every", "3651d", "must be a duration of at most ten years"),
    (f"{A_KEY}.rotate.every", "23h", "must be 1d or more: a rotation is known by the day"),
    ("bundles.mail.keys.smtp-password.rotate.max-age", "1m", "must be 1d or more"),
    (f"{A_KEY}.rotate", True, "must be a mapping whose `by` is one of: generate, database, hand"),
    (f"{A_KEY}.rotate.interval", "90d", "unknown key (did you mean every?)"),
    (f"{A_KEY}.minLength", 32, "unknown key (did you mean min-length?)"),
    (
        f"{A_KEY}.rotate.max-age",
        "90d",
        "unknown key (did you mean every?); allowed: alphabet, by, bytes,",
    ),
    ("services.web.reads.0", "sharde", "no such bundle (did you mean shared?); there are:"),
    ("services.web", "Deployment/web", "must be a mapping, with keys of these: workload, "),
    ("services.web.workload", "web", "must be a kind, a slash and a name, such as Deployment/web"),
    ("services.web.workload", "Deployment/web..b", "must be a kind, a slash and a name"),
    ("services.web.workload", "Deploymnet/web", "no such kind (did you mean Deployment?)"),
    ("services.web.workload", "Cronjob/web", "no such kind (did you mean CronJob?)"),
    ("services.web.reads", "shared", "must be a list"),
    ("services.web.reads.0", "token", "no such bundle; it is a key of bundle shared; there are:"),
    ("services.web.reads.0", "nope", "no such bundle; there are: mail, shared"),
    ("services.web.reads.1", "shared", "is there twice"),
    ("services.web.service-account", "maybe", "must be one of: create, existing or none"),
    ("services.web.service-account-name", "Web", "must be a Kubernetes name"),
    ("services.web.service-account-name", "default", "must be a Kubernetes name, and not default"),
]
CERTIFICATE = (PROJECT / "tests/authority.pem").read_text()
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"
IN_STACK = [
    (
        "refresh-intervall",
        "1h",
        "unknown key (did you mean refresh-interval?); allowed: admission, bundles",
    ),
    ("environment", REMOVED, "is missing"),
    ("environment", 2026, "must be text: quote it"),
    ("environment", "Test", "must be a name of lower-case letters"),
    ("protect", "false", "must be true or false"),
    ("namespace-name", "shop_test", "must be a namespace: a DNS label"),
    ("operator", REMOVED, "is missing; allowed: install, existing"),
    ("operator", "maybe", "must be one of: install or existing"),
    ("cluster.uid", "canary", "must be a UUID"),
    ("refresh-interval", "soon", "must be a duration"),
    ("refresh-interval", "1s", "must be 1m or longer"),
    ("rotator.rollout-deadline", "59s", "must be 1m or longer"),
    ("readers.groups.0", "system:authenticated", "must be a group of your identity provider"),
    ("readers.groups.0", "system:unauthenticated", "must be a group of your identity provider"),
    ("readers.groups.0", "system:serviceaccounts", "must be a group of your identity provider"),
    ("readers.groups.0", "system:serviceaccounts:shop", "must be a group of your identity"),
    ("readers.groups.0", "system:authenticated:oauth", "must be a group of your identity"),
    ("readers.groups.0", "system:masters", "must be a group of your identity provider"),
    ("readers.groups.0", "*", "must be a group of your identity provider"),
    ("namespace-name", "kube-system", "must be a namespace: a DNS label"),
    ("operator-namespace", "kube-system", "must be a namespace: a DNS label"),
    ("vault-server.namespace", "kube-public", "must be a namespace: a DNS label"),
    ("stores.vault.audience", "", "must be one line, not empty"),
    ("refresh-interval", 3600, "must be a duration"),
    ("expected-external-secrets", -1, "must be at least 0"),
    ("stores", {}, "at least one store is needed, or `secrets: basic`"),
    ("stores", None, "must be a mapping of keys to values"),
    ("stores.Vault", STORES["vault"], "must be a name of lower-case letters"),
    (
        "stores.vault",
        "canary",
        "must be a mapping whose `provider` is one of: vault, aws, aws-parameter-store, gcp, azure",
    ),
    (
        "stores.vault.provider",
        "consul",
        "must be one of: vault, aws, aws-parameter-store, gcp, azure",
    ),
    (
        "stores.vault.provider",
        REMOVED,
        "must be one of: vault, aws, aws-parameter-store, gcp, azure",
    ),
    (
        "stores.vault.provider",
        "openbao",
        "must be one of: vault, aws, aws-parameter-store, gcp, azure, existing, ecr-token, "
        "gcp-token, acr-token, github-token; OpenBao is",
    ),
    ("stores.vault.path", "secret", "unknown key (did you mean mount?); allowed: audience"),
    ("stores.vault.caBundle", "canary", "unknown key (did you mean ca-certificate?)"),
    ("namespace", "shop", "must be one of: create or existing; its name is `namespace-name`"),
    ("delivery", "argocd", "must be one of: pulumi or gitops; Argo CD and Flux are `gitops`"),
    ("chart", "2.9.0", "must be a mapping, with keys of these: version, repository"),
    ("stores.vault.region", "eu-central-1", "unknown key; allowed: audience, audit, audit-file"),
    ("stores.vault.server", REMOVED, "is missing"),
    ("stores.vault.server", "http://vault.example.com", "must be an https:// address"),
    ("stores.vault.server", "https://me:canary@vault.example.com", "must be an https:// address"),
    ("stores.vault.server", "https://vault.example.com:70000", "must be an https:// address"),
    ("stores.vault.mount", "/secret/", "must be a path without slashes at its ends"),
    ("stores.vault.layout", "flat", "must be one of: bundle or per-key"),
    ("stores.vault.ca-certificate", PRIVATE_KEY, "holds a private key: take it out"),
    ("stores.vault.cluster-ca-certificate", CERTIFICATE + PRIVATE_KEY, "holds a private key"),
    ("stores.vault.ca-certificate", "canary", "must be one or more certificates in PEM, and"),
    ("stores.vault.ca-certificate", CERTIFICATE[:-60], "must be one or more certificates in PEM"),
    ("stores.vault.ca-certificate", CERTIFICATE.replace("MII", "MIA"), "must be one or more"),
    ("stores.aws.account-id", 123456789012, "must be text: quote it"),
    ("stores.aws.region", "Frankfurt", "must be a region such as eu-central-1"),
    (
        "stores.aws.server",
        "https://vault.example.com",
        "unknown key; allowed: account-id, alarm, backend",
    ),
    ("stores.gcp.cluster.name", REMOVED, "is missing"),
    ("stores.gcp.entry-pattern", "canary", "must hold {key} once"),
    ("stores.azure.layout", "bundle", "must be one of: per-key"),
    ("stores.azure.vault-name", "a--b", "must be a key vault's name"),
    ("stores.azure.vault-name", "ab", "must be a key vault's name: 3 letters, digits"),
    ("stores.azure.vault-name", "1abc", "must be a key vault's name"),
    ("stores.azure.vault-name", "abc-", "must be a key vault's name"),
    ("stores.azure.vault-name", "a" * 25, "must be a key vault's name"),
    ("stores.azure.client-ids.rotation", REMOVED, "is missing: the rotation identity needs its"),
    ("default-store", "nope", "no such store; declared: vault"),
    ("default-store", "vaullt", "no such store (did you mean vault?); declared: vault"),
    ("bundles.mail.store", "vaullt", "no such store (did you mean vault?); declared: vault"),
    ("bundles.mial", {"store": "vault"}, "no such bundle in the catalogue (did you mean mail?)"),
    ("bundles.mail.store", "nope", "no such store; declared: vault"),
    (
        "bundles.nope",
        {"store": "vault"},
        "no such bundle in the catalogue; it has: mail, shared",
    ),
    ("network.api-server.ports", [], "must not be empty"),
    ("network.api-server.ports.0", "4430", "must be a whole number"),
    ("network.api-server.ports.0", 70000, "must be at most 65535"),
    ("network.providers.cidrs.0", "10.0.0.1/8", "must be a network such as 10.0.0.0/8"),
    ("network.providers.cidrs.0", "10.0.0.1", "must be a network such as 10.0.0.0/8"),
    ("network.providers.cidrs.0", "10.0.0.0/255.0.0.0", "must be a network such as 10.0.0.0/8"),
    ("chart.version", "latest", "must be a version such as 2.9.0"),
    ("chart.version", "0.15.1", "knows no external-secrets.io/v1, which all is written in: take"),
    ("chart.version", "0.21.0", "was never released: 0.20 is the last before 1.0"),
    ("chart.version", "1.4.2", "was never released: 1.3 is the last before 2.0"),
    (
        "gitops.repository",
        "https://me:canary@git.example.com/x",
        "must be an https:// or ssh://git@ addr",
    ),
    ("readers.groups.0", 7, "must be text: quote it"),
]


def _sentence(case: object) -> str:
    return case[:60] if isinstance(case, str) else ""


def _stack(path: str) -> dict:
    """Valid settings in which `path` is about a store that they have."""
    _, _, store = path.partition("stores.")
    provider = store.partition(".")[0]
    return stack(provider) if provider in STORES else STACK


def _assert_says(found: list, text: str, path: str, value: object, sentence: str) -> None:
    (problem,) = found
    assert ".".join(map(str, problem.path)) == path
    assert problem.message.startswith(sentence)
    line = text.splitlines()[problem.line - 1].strip()
    *parents, last = problem.path
    if value is REMOVED:
        assert not parents or line.startswith(f"{parents[-1]}:")
    else:
        assert line.startswith("- " if isinstance(last, int) else f"{last}:")
    if isinstance(value, str) and len(value) > 3 and value not in sentence:
        assert value not in problem.message


@pytest.mark.parametrize(("path", "value", "sentence"), IN_CATALOGUE, ids=_sentence)
def test_a_wrong_entry_of_the_catalogue_is_one_clear_line(tmp_path, path, value, sentence):
    wrong = changed(CATALOGUE, path, value)
    found = problems(tmp_path, catalogue=wrong)
    assert [problem.file for problem in found] == [str(tmp_path / "catalogue.yaml")]
    _assert_says(found, text_of(wrong), path, value, sentence)


@pytest.mark.parametrize(("path", "value", "sentence"), IN_STACK, ids=_sentence)
def test_a_wrong_setting_is_one_clear_line(tmp_path, path, value, sentence):
    found = problems(tmp_path, stack=changed(_stack(path), path, value))
    assert [problem.file for problem in found] == [str(tmp_path / "stack.yaml")]
    _assert_says(found, (tmp_path / "stack.yaml").read_text(), path, value, sentence)


def test_a_key_that_lacks_what_every_key_has_is_told_by_each_thing(tmp_path):
    found = changed(CATALOGUE, "every-key-has", ["owner", "rotate"])
    place = "catalogue.yaml:%d: bundles.%s.keys.%s: has no `%s`"
    said = [line.partition(", and `every-key-has`")[0] for line in lines(tmp_path, found)]
    assert said == [
        place % (6, "shared", "database-url", "owner"),
        place % (6, "shared", "database-url", "rotate"),
        place % (9, "shared", "token", "owner"),
        place % (18, "mail", "smtp-password", "owner"),
    ]


def test_a_key_with_another_one_s_value_has_what_that_one_has(tmp_path):
    found = changed(CATALOGUE, "every-key-has", ["rotate"])
    hand = {"by": "hand", "max-age": "90d", "source": "our policy"}
    found = changed(found, "bundles.shared.keys.database-url.rotate", hand)
    found = changed(found, "bundles.mail.keys.token", {"same-as": "shared/token"})
    assert lines(tmp_path, found) == []


@pytest.mark.parametrize("user", ["*", "system:anonymous", "system:serviceaccount:shop:*"])
def test_nobody_is_a_reader_who_stands_for_everybody(tmp_path, user):
    [line] = lines(tmp_path, stack=changed(STACK, "readers.users", [user]))
    assert "readers.users.0: must be a user, or one system:serviceaccount:" in line


@pytest.mark.parametrize("user", ["ann@example.com", "system:serviceaccount:ci:deploy"])
def test_a_reader_is_a_person_or_one_account(tmp_path, user):
    assert lines(tmp_path, stack=changed(STACK, "readers.users", [user])) == []


@pytest.mark.parametrize(
    ("cidr", "message"),
    [("0.0.0.0/0", "is everybody"), ("10.1.0.0/16", "must be a public network")],
)
def test_a_key_vault_is_open_to_networks_that_azure_takes_and_not_to_all(tmp_path, cidr, message):
    [line] = lines(tmp_path, stack=changed(stack("azure"), "stores.azure.allowed-cidrs", [cidr]))
    assert f"stores.azure.allowed-cidrs.0: {message}" in line
