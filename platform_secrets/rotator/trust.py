"""Which servers are trusted: as Kubernetes' own clients do it, and with every Python alike."""

import re
import ssl

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def trust(authority: str | None = None) -> ssl.SSLContext:
    """Trust in one authority, or in the system's. Chain and host name are always checked."""
    context = ssl.create_default_context(cadata=authority)
    # Python 3.13 also refuses an authority without key identifiers. Those of many clusters have
    # none, such as EKS's of earlier years, nor have those of proxies that look into TLS.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Up to 3.12 it trusts an intermediate authority only where it has that one's root too.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def authorities(bundle: str) -> list[str]:
    """The authorities in a PEM text, each to be tried by itself: of several with one name and
    without key identifiers, as while a cluster changes its authority, OpenSSL tries only one."""
    return _CERTIFICATE.findall(bundle)
