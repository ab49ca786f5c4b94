"""What whoever runs a cluster's API server is to give it, of this layer's concern."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from platform_secrets.settings.model import DnsLabel, Model, text_of


class KmsPlugin(Model):
    """A KMS plugin of version 2 beside each API server."""

    provider: Literal["kms"]
    """The key stays in a KMS."""
    name: DnsLabel
    """In the file and in etcd; one that is in use is never renamed."""
    socket: Annotated[
        str, text_of(r"(/[A-Za-z0-9._-]+)+", "a path such as /run/kms/plugin.sock", 100)
    ]
    """Where it listens on each API server's host."""


class Secretbox(Model):
    """A key of one's own, for a cluster without a KMS. The file names it, and never holds it."""

    provider: Literal["secretbox"]
    """The key is in a file on each API server's host."""
    name: DnsLabel
    """In the file and in etcd; one that is in use is never renamed."""


class Plain(Model):
    """No encryption: how Secrets were written before, or are to be again."""

    provider: Literal["identity"]
    """Plain text."""


EncryptionProvider = Annotated[KmsPlugin | Secretbox | Plain, Field(discriminator="provider")]


class ControlPlane(Model):
    """Files beside the rendered tree's waves, for the API server's own flags. Managed clusters have
    settings of their provider's instead (docs/encryption.md, docs/audit.md)."""

    audit: bool = False
    """Whether there is an audit policy: who read, wrote or asked for what, without any content."""
    encryption: list[EncryptionProvider] = []
    """How Secrets are kept in etcd: the first provider writes them, each can read what it wrote."""

    @model_validator(mode="after")
    def _each_is_there_once(self) -> "ControlPlane":
        names = [getattr(one, "name", "identity") for one in self.encryption]
        if len(names) != len({*names}):
            raise ValueError("encryption: each name, and identity, may be there once")
        return self
