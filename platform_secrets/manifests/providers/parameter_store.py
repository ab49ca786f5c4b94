"""AWS Parameter Store: Secrets Manager's sibling, with the same roles and parameters as entries."""

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.aws import Aws
from platform_secrets.manifests.providers.provider import metadata_of_push


class AwsParameters(Aws):
    """A store in AWS Parameter Store."""

    _service = "ParameterStore"

    @property
    def version_before(self) -> None:
        """Its versions have numbers, and labels that somebody gives."""

    @property
    def address(self) -> tuple[object, ...]:
        return (self._service, *super().address)

    @property
    def push_metadata(self) -> Manifest | None:
        """The operator writes plain text unless it is told otherwise."""
        return metadata_of_push({"secretType": "SecureString"})
