"""What a Kubernetes Secret is besides its keys: its type with that type's own rule, its labels and
annotations, and the registries of a pull secret."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from platform_secrets.settings.model import SUBDOMAIN, Line, Model, text_of
from platform_secrets.settings.texts import Part, TextContent, parts_of

DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
DOCKER_CONFIG_KEY = ".dockerconfigjson"
_OLD_DOCKER_CONFIG = "kubernetes.io/dockercfg"
PULL_TYPES = (DOCKER_CONFIG, _OLD_DOCKER_CONFIG)
"""Of Secrets with which the kubelet pulls images: it reads them without any Role."""

# Each type's keys: all of the first, and one of the second.
_RULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kubernetes.io/tls": (("tls.crt", "tls.key"), ()),
    "kubernetes.io/basic-auth": ((), ("username", "password")),
    "kubernetes.io/ssh-auth": (("ssh-privatekey",), ()),
    DOCKER_CONFIG: ((DOCKER_CONFIG_KEY,), ()),
    _OLD_DOCKER_CONFIG: ((".dockercfg",), ()),
}
_NOT_OURS = {
    "kubernetes.io/service-account-token": "is made by Kubernetes alone, for a ServiceAccount",
    "bootstrap.kubernetes.io/token": "works in the namespace kube-system alone",
}

_ANNOTATIONS_BYTES = 262_144

FieldName = Annotated[
    str,
    text_of(
        r"(?!\.{1,2}$)[-._a-zA-Z0-9]+", "a name in a Secret: letters, digits, hyphens, _ and .", 253
    ),
]
SecretType = Annotated[
    str,
    text_of(
        rf"Opaque|{SUBDOMAIN}/[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?|[A-Za-z0-9][-._A-Za-z0-9]*",
        "a Secret's type, such as kubernetes.io/tls",
        253,
    ),
]
# Kubernetes recommends these to everybody, and others look for them: Argo CD takes a Secret into
# its own configuration by `app.kubernetes.io/part-of: argocd`.
_RECOMMENDED = r"app\.kubernetes\.io/(name|instance|version|component|part-of)$"
_OTHERS = (
    rf"(?!(?!{_RECOMMENDED})([^/]*\.)?(kubernetes\.io|k8s\.io|external-secrets\.io|pulumi\.com)/)"
    r"(?!platform-secrets/)"
)
_NAME = rf"{_OTHERS}({SUBDOMAIN}/)?[A-Za-z0-9]([-._A-Za-z0-9]{{0,61}}[A-Za-z0-9])?"
_NAME_RULE = (
    "a name, with a prefix such as example.com/ or without, not one of Kubernetes', the "
    "operator's, Pulumi's or platform-secrets'"
)


def is_of_people(name: str) -> bool:
    """Whether a label or an annotation of this name may be set on a Secret."""
    return re.fullmatch(_NAME, name) is not None


MetadataName = Annotated[str, text_of(_NAME, _NAME_RULE, 253)]
LabelValue = Annotated[
    str,
    text_of(
        r"([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?",
        "a label's value: letters, digits, hyphens, _ and ., a letter or digit at each end",
    ),
]
AnnotationText = Annotated[str, Field(max_length=10_000)]
Registry = Annotated[
    str,
    text_of(
        r"(https?://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?",
        "a registry's host, with a port or path where it has one",
        253,
    ),
]


class Login(Model):
    """How kubelets log in to one registry."""

    username: FieldName | None = None
    """The bundle's key that holds the account's name."""
    username_text: Line | None = None
    """The account's name itself, where it is no secret: AWS, _json_key, x-access-token."""
    password: FieldName
    """The bundle's key that holds the password or token."""

    @model_validator(mode="after")
    def _has_one_account(self) -> "Login":
        if (self.username is None) == (self.username_text is None):
            raise ValueError("needs either `username`, a key, or `username-text`, the name itself")
        return self


def type_faults(
    secret_type: str, fields: Collection[str], texts: Mapping[str, str]
) -> Iterator[str]:
    """What the API server would refuse of a Secret with this type and these fields."""
    if secret_type in _NOT_OURS:
        yield f"this type {_NOT_OURS[secret_type]}"
        return
    if secret_type not in _RULES:
        if secret_type.split("/")[0] == "kubernetes.io":
            yield f"Kubernetes has no such type; it has: {', '.join(_RULES)}"
        return
    all_of, one_of = _RULES[secret_type]
    if missing := [name for name in all_of if name not in fields]:
        yield f"this type needs {' and '.join(missing)} in the Secret"
    if one_of and not {*one_of} & {*fields}:
        yield f"this type needs {' or '.join(one_of)} in the Secret"
    for name in (DOCKER_CONFIG_KEY, ".dockercfg"):
        if name in all_of and name in texts and not _is_json(texts[name]):
            yield f"this type needs JSON in {name}; use ${{KEY|json}} for a text in it"


def _is_json(text: str) -> bool:
    """Whether a text is JSON, whatever its parts are."""
    filled = "".join(
        one if isinstance(one, str) else '""' if one.filter == "json" else "x"
        for one in parts_of(text)
    )
    try:
        return isinstance(json.loads(filled), dict)
    except ValueError:
        return False


class SecretContent(Model):
    """What a bundle's Secret is besides its keys."""

    type: SecretType = "Opaque"
    """The Secret's type. It can't change while the Secret lives."""
    labels: dict[MetadataName, LabelValue] = {}
    """Labels of the Secret, by which others find it."""
    annotations: dict[MetadataName, AnnotationText] = {}
    """Annotations of the Secret, which others read."""
    texts: dict[FieldName, TextContent] = {}
    """Texts made of its keys and constants, by their names in the Secret: `${KEY}` is a key's
    value; `${KEY|url}`, `${KEY|json}`, `${KEY|base64}` encode it; `$${` is a literal `${`."""
    registries: dict[Registry, Login] = {}
    """Registries of images, each with its login: makes the Secret a pull secret."""
    deletion: Literal["retain", "delete"] = "retain"
    """What becomes of the Secret once its store has none of its values any more."""
    creation: Literal["owner", "orphan"] = "owner"
    """What becomes of the Secret once its ExternalSecret is deleted: `owner` has it deleted too,
    `orphan` leaves it where it is."""

    @model_validator(mode="after")
    def _has_room_for_its_annotations(self) -> "SecretContent":
        size = sum(len(f"{name}{text}".encode()) for name, text in self.annotations.items())
        if size > _ANNOTATIONS_BYTES:
            most = f"Kubernetes takes {_ANNOTATIONS_BYTES:,}, with those of others"
            raise ValueError(f"annotations have {size:,} bytes; {most}")
        return self

    @property
    def secret_type(self) -> str:
        """The Secret's type, which registries imply."""
        return DOCKER_CONFIG if self.registries else self.type

    @cached_property
    def texts_of_one(self) -> dict[str, str]:
        """By key, the shortest text that is made of it alone."""
        found = [(keys[0], name) for name, keys in self.parts.items() if len({*keys}) == 1]
        found = [(key, name) for key, name in found if name in self.texts]
        return dict(sorted(found, key=lambda one: -len(self.texts[one[1]])))

    @property
    def parts(self) -> dict[str, list[str]]:
        """The keys of which each text is made, and the pull secret's configuration."""
        found = {
            name: [one.key for one in parts_of(text) if isinstance(one, Part)]
            for name, text in self.texts.items()
        }
        logins = self.registries.values()
        if logins:
            keys = (key for login in logins for key in (login.username, login.password))
            found[DOCKER_CONFIG_KEY] = [key for key in keys if key]
        return found
