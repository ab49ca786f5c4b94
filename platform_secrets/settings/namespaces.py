"""Another namespace of an environment."""

from typing import Annotated, Literal

from pydantic import Field

from platform_secrets.settings.model import Model, ServiceName


class OtherNamespace(Model):
    """A namespace beside the environment's own."""

    namespace: Literal["create", "existing"] = "create"
    """Whether this program creates it."""
    bundles: Annotated[list[ServiceName], Field(min_length=1)]
    """The bundles whose Secrets are there. A service is where the bundles are that it reads."""
