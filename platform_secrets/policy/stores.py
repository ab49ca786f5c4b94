"""How the operator logs in to providers."""

import re
from collections.abc import Iterator

from platform_secrets.policy.judged import Asked, Object, Violation, at, fields

_OF_SERVICE_ACCOUNTS = ("vault", "aws", "gcpsm", "azurekv")
_SWITCHES_OFF = re.compile(r"insecure|skip.*(verify|verification|tls)", re.IGNORECASE)


def logs_in_without_a_key(store: Object, _: Asked) -> Iterator[Violation]:
    """By its namespace's ServiceAccount alone: without one it would be the operator itself."""
    right = "log in as a ServiceAccount of the namespace, by `serviceAccountRef`"
    provider = at(store, "spec", "provider")
    found = [*fields(provider, "spec.provider")]
    for path, name, _content in found:
        if name.lower().endswith("secretref"):
            yield Violation(path, "logs in with what a Secret keeps", right)
    for kind in _OF_SERVICE_ACCOUNTS:
        own = [name for path, name, _ in found if path.startswith(f"spec.provider.{kind}.")]
        if at(provider, kind) is not None and "serviceAccountRef" not in own:
            yield Violation(f"spec.provider.{kind}", "names no ServiceAccount", right)


def is_asked_over_verified_tls(store: Object, _: Asked) -> Iterator[Violation]:
    for path, name, content in fields(at(store, "spec", "provider"), "spec.provider"):
        if isinstance(content, str) and content.lower().startswith("http://"):
            yield Violation(path, "is without TLS", "https://, and `caProvider` for your own CA")
        if _SWITCHES_OFF.search(name) and content not in (False, None):
            yield Violation(path, "turns TLS's verification off", "leave it out")
    server = at(store, "spec", "provider", "vault", "server")
    if server is not None and not str(server).lower().startswith(("http://", "https://")):
        yield Violation("spec.provider.vault.server", "names no https://", "begin it with https://")
