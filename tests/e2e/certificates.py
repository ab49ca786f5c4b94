"""A certificate authority that lives for one run, and the certificate of the local servers."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Certificates:
    """PEM files: the servers' certificate and key, and what a client must trust.

    `authority` is the run's own; `trust` holds the system's roots too: it is meant for
    `SSL_CERT_FILE`.
    """

    certificate: Path
    key: Path
    authority: Path
    trust: Path


def certificates_for(
    host_names: list[str],
    folder: Path,
    *,
    has_key_identifiers: bool = True,
    is_intermediate: bool = False,
    lasts: timedelta = timedelta(days=1),
) -> Certificates:
    """Makes an authority, whose key is kept nowhere, and one certificate for all host names. An
    intermediate authority is signed by another one, which is nowhere. Both end `lasts` from now."""
    ends = datetime.now(UTC) + lasts
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("local clouds, one run")
    issuer_name, issuer_key = authority_name, authority_key
    if is_intermediate:
        issuer_name, issuer_key = _name("a root elsewhere"), ec.generate_private_key(ec.SECP256R1())
    certificate = _with_key_identifiers if has_key_identifiers else _certificate
    authority = (
        certificate(authority_name, authority_key.public_key(), issuer_name, issuer_key)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = (
        certificate(_name("local cloud"), server_key.public_key(), authority_name, authority_key)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in host_names]),
            critical=False,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    files = ("server.crt", "server.key", "authority.crt", "trust.pem")
    made = Certificates(*(folder / file for file in files))
    made.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    roots = ssl.create_default_context().get_ca_certs(binary_form=True)
    made.trust.write_text(
        "".join(ssl.DER_cert_to_PEM_cert(root) for root in roots) + made.authority.read_text()
    )
    return made


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=2))
    )


def _with_key_identifiers(
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    return (
        _certificate(subject, public_key, issuer, issuer_key)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
