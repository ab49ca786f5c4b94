"""One bundle as a plain Secret, for an environment without stores."""

import base64
from collections.abc import Mapping
from typing import Unpack

import pulumi
from pulumi import Output

from platform_secrets.manifests.basic_secret import basic_secret
from platform_secrets.settings import Bundle, Settings
from platform_secrets.settings.secret_fields import secret_field

from .declare import Part, Placed


class BasicSecret(Part):
    """Declares `basic_secret` with its values, which are secrets in Pulumi's state.

    Without values, which only a preview may be, the Secret's own stay as they are. What is declared
    no more stays in the cluster: the operator takes it over where an ExternalSecret comes instead,
    and no reader finds it missing.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        bundle: str,
        values: Mapping[str, Output[str]],
        **placed: Unpack[Placed],
    ) -> None:
        manifest = basic_secret(settings, bundle)
        if values:
            content = settings.catalogue.bundles[bundle]
            data = {name: _field(content, name, values) for name in content.fields}
            manifest = {**manifest, "data": data}
        super().__init__(
            "platform-secrets:secrets:BasicSecret",
            name,
            [manifest],
            placed,
            protect=settings.environment.protect,
            retain=True,
            ignore_changes=[] if values else ["data"],
        )


def _field(bundle: Bundle, name: str, values: Mapping[str, Output[str]]) -> Output[str]:
    parts = {key: values[bundle.keys[key].id] for key in bundle.fields[name]}

    def encoded(found: dict[str, str]) -> str:
        return base64.b64encode(secret_field(bundle, name, found)).decode()

    # Not Output.all, which makes a list of no parts: a constant has none.
    return Output.from_input(parts).apply(encoded)


def require_values(values: Mapping[str, Output[str]]) -> None:
    """Raises RunError when an update would declare Secrets without values; warns in a preview."""
    if values:
        return
    message = (
        "secrets.env: no such file, and no value is set by `pulumi config set --secret`; "
        "copy secrets.env.example to secrets.env and fill it in"
    )
    if not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(message)
    pulumi.log.warn(message)
