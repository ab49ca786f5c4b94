"""Labels and annotations of people, as opposed to the bookkeeping of tools."""

import re

from platform_secrets.importing.found import mapping

_BOOKKEEPING = re.compile(
    r"([^/]*\.)?(argoproj\.io|fluxcd\.io|helm\.sh|kubectl\.kubernetes\.io|config\.kubernetes\.io"
    r"|external-secrets\.io|bitnami\.com)/.*|app\.kubernetes\.io/managed-by"
)
# These of Argo CD are how it finds its own Secrets.
_OF_PEOPLE = ("argocd.argoproj.io/secret-type",)


def own_metadata(given: object) -> dict[str, str]:
    """What people wrote."""
    return {
        name: str(text)
        for name, text in mapping(given).items()
        if name in _OF_PEOPLE or not _BOOKKEEPING.fullmatch(name)
    }
