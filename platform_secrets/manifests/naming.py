"""Every shared name, label and annotation."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from platform_secrets.settings import Identity, PostgresDatabase, Settings
from platform_secrets.settings.any_store import SECRET_STORE_SUFFIXES
from platform_secrets.settings.key_ids import DERIVED, derived_name
from platform_secrets.settings.layout import Kind

Manifest = dict[str, Any]
"""A Kubernetes object in Kubernetes' own spelling."""

PROJECT = "platform-secrets"
OPERATOR_RELEASE = "external-secrets"
VAULT_RELEASE = "vault"

# Argo CD and Flux leave such an object where it is, whatever happens to the tree around it. To Argo
# CD it is then no difference: one that it may not take away would have it sync without end.
MANAGED = {"app.kubernetes.io/managed-by": PROJECT}
FLUX_NEVER_PRUNES = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
NEVER_PRUNED = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    **FLUX_NEVER_PRUNES,
}
MAY_BE_DELETED = {f"{PROJECT}/deletion": "allowed"}
"""The annotation by which people say so, of what is protected."""

# `urlquery` writes a space as a form does, which a URL's account would keep as a plus.
URL_ENCODED = 'urlquery | replace "+" "%20"'
"""How a template encodes the parts of a URL's account."""

Side = Literal["a", "b"]
"""One of a database's two accounts."""
SIDES: tuple[Side, Side] = ("a", "b")


def wave_part(wave: str) -> str:
    """A wave's name without its number."""
    return wave.lstrip("0123456789-")


def labels(settings: Settings, component: str) -> dict[str, str]:
    """The labels of every object; `component` is the part of the layer that declares it."""
    return {
        "app.kubernetes.io/component": component,
        **MANAGED,
        "app.kubernetes.io/part-of": settings.catalogue.platform,
        f"{PROJECT}/environment": settings.environment.environment,
    }


def metadata(
    settings: Settings,
    name: str,
    component: str,
    annotations: dict[str, str] | None = None,
    namespace: str | None = None,
) -> Manifest:
    """Metadata of an object in `namespace`, or in the environment's own."""
    found: Manifest = {"name": name, "namespace": namespace or settings.namespace}
    found["labels"] = labels(settings, component)
    if annotations:
        found["annotations"] = dict(annotations)
    return found


def secret_store(store: str, identity: Identity) -> str:
    """The SecretStore through which an identity acts, and that identity's ServiceAccount."""
    return f"{store}-{SECRET_STORE_SUFFIXES[identity]}"


def derived_keys(key: str) -> tuple[str, str]:
    """The keys that exist beside one with `overlap`: the value to come and the one before."""
    following, previous = (derived_name(key, derived) for derived in DERIVED)
    return following, previous


def database_pointer(key: str) -> str:
    """The ConfigMap that says which of a database's two accounts is in use."""
    return f"{key}-active"


def migration(secret: str) -> str:
    """What a Secret's migration is called: its record, and the copy that is kept until its end."""
    return f"migration-{secret}"


def seeding(secret: str) -> str:
    """What brings first values into a store: a short-lived Secret and its PushSecret."""
    return f"seeding-{secret}"


def seeding_look(secret: str) -> str:
    """What says which of a Secret's values are in the store, and holds none of them."""
    return f"{secret}.seeding-look"


MIGRATION_GATE = "adopt"
"""How the entries of a record begin without which an ExternalSecret leaves its Secret as it is."""
OPEN_GATE = "{}"
"""What they hold otherwise: a template that adds nothing."""


def migration_gate(sources: Sequence[object]) -> str:
    """The entry for an ExternalSecret with these sources. Other ones have another: what was
    compared there opens nothing here."""
    text = json.dumps(sources)
    return f"{MIGRATION_GATE}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def new_value(secret: str) -> str:
    """What writes a new value of a Secret's key: a short-lived Secret, and its PushSecret."""
    return f"new-value-{secret}"


def value_before(secret: str) -> str:
    """What keeps the value before, and can write it again."""
    return f"value-before-{secret}"


def older_version(secret: str) -> str:
    """What looks for an older version of a key's entry, and holds no value."""
    return f"older-version-{secret}"


SET_LOCK = "secrets-set-lock"
"""The ConfigMap that one `secretsctl set` has while it runs, where there is no rotator's memory."""


def database_keys(settings: Settings) -> dict[str, str]:
    """Every key that a database engine provides, by its id, with its bundle."""
    return {key.id: key.bundle for key in settings.keys_of(Kind.ENGINE)}


def secrets_manager_keys(settings: Settings) -> dict[str, str]:
    """Every key that AWS Secrets Manager rotates, by its id, with its bundle."""
    return {key.id: key.bundle for key in settings.keys_of(Kind.SECRETS_MANAGER)}


def database_pointers(settings: Settings) -> list[str]:
    """Every pointer of an environment."""
    return [database_pointer(key) for key in database_keys(settings)]


def database_generator(key: str, side: Side) -> str:
    """The generator that reads the password of one of a database's two accounts."""
    return f"{key}-{side}"


def pointer_content(database: PostgresDatabase, side: Side) -> str:
    """The template of the services' URL, which is all that a pointer may hold: one per side."""
    fields = ("username", "password")
    user, password = (f"{{{{ .{side}_{field} | {URL_ENCODED} }}}}" for field in fields)
    place = f"{database.host}:{database.port}/{database.name}"
    return f"postgresql://{user}:{password}@{place}?sslmode={database.ssl_mode}"


def role_binding(
    settings: Settings, name: str, component: str, subjects: list[Manifest]
) -> Manifest:
    """Binds the Role of the same name."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(settings, name, component),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": subjects,
    }


def namespace_selector(*namespaces: str) -> Manifest:
    """Selects the namespaces of these names alone, by the label that the API server gives each."""
    one = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [*namespaces]}
    return {"matchExpressions": [one]}


def admission_policy(
    metadata: Manifest,
    resources: Mapping[str, str],
    operations: Sequence[str],
    conditions: Mapping[str, str],
    refusals: Mapping[str, str],
    *,
    namespaces: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    details: Mapping[str, str] | None = None,
    is_about_a_role: bool = False,
    fails_closed: bool = True,
) -> Manifest:
    """Judges these operations on resources, given with their API groups, in these namespaces or
    everywhere, where all conditions are true. What is not true of it is refused by its sentence,
    and by what the expression in `details` makes of the object.

    `is_about_a_role`: each binding names a ClusterRole, whose rules the expressions see as
    `params`.
    """
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "resources": [resource],
            "operations": [*operations],
        }
        for resource, group in resources.items()
    ]
    place = {"namespaceSelector": namespace_selector(*namespaces)} if namespaces else {}
    named = [{"name": name, "expression": text} for name, text in (variables or {}).items()]
    told = {
        sentence: {"messageExpression": f"{json.dumps(f'{sentence}: ')} + {text}"}
        for sentence, text in (details or {}).items()
    }
    role = {"paramKind": {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail" if fails_closed else "Ignore",
            **(role if is_about_a_role else {}),
            "matchConstraints": {**place, "resourceRules": rules},
            "matchConditions": [
                {"name": name, "expression": text} for name, text in conditions.items()
            ],
            **({"variables": named} if named else {}),
            "validations": [
                {"expression": text, "message": sentence, **told.get(sentence, {})}
                for sentence, text in refusals.items()
            ],
        },
    }


def admission_binding(
    metadata: Manifest, *, action: str = "Deny", is_about_a_role: bool = False
) -> Manifest:
    """Has an admission policy of this metadata do this with what it finds wrong; by the rules of
    the ClusterRole of the same name, where it is about one."""
    # Without that nothing is declared.
    by = {"name": metadata["name"]} if is_about_a_role else {}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {
            "policyName": metadata["name"],
            **({"paramRef": {**by, "parameterNotFoundAction": "Deny"}} if by else {}),
            "validationActions": [action],
        },
    }
