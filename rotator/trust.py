"""Which servers are trusted."""

import ssl


def trust(ca_file: str | None = None) -> ssl.SSLContext:
    """Trust in the authorities of a file, or in the system's, as Kubernetes' own clients have it,
    with every Python alike. The chain and the host name are always checked."""
    context = ssl.create_default_context(cafile=ca_file)
    # Python 3.13 also refuses an authority without key identifiers. Those of many clusters have
    # none, such as EKS's of earlier years, nor have those of proxies that look into TLS.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Up to 3.12 it trusts an intermediate authority only where it has that one's root too.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
