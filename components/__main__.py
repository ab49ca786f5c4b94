"""The component package: what Pulumi runs for programs in other languages.

It is run as a folder, so it imports by whole names, unlike the rest of this folder.
"""

import sys
from typing import Any, cast

from pulumi import Input, Inputs, Output, ResourceOptions, RunError
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError
from pulumi.runtime.stack import wait_for_rpcs

from platform_secrets import __version__
from platform_secrets.components.secrets_layer import SecretsLayer
from platform_secrets.manifests.naming import PROJECT


class Provider(ComponentProvider):
    """Serves SecretsLayer. The schema is made of its annotations."""

    def __init__(self) -> None:
        super().__init__([SecretsLayer], PROJECT, version=__version__)

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Inputs,
        options: ResourceOptions | None = None,
    ) -> ConstructResult:
        """Raises InputPropertiesError for what a program in Python would end with: the engine shows
        its text alone, and of other errors the type or the traceback. So does the result's URN."""
        try:
            made = super().construct(name, resource_type, _settled(inputs), options)
        except ComponentInitError as error:
            if isinstance(error.inner, RunError):
                raise _refused(error.inner) from None
            raise
        return ConstructResult(_declared(made.urn), made.state)


async def _declared(urn: Input[str]) -> str:
    """The same URN, when everything has been declared: a wrong cluster, or a wrong value, is found
    only on the way."""
    try:
        await wait_for_rpcs(await_all_outstanding_tasks=False)
    except RunError as error:
        raise _refused(error) from None
    return cast(str, await Output.from_input(urn).future())


def _refused(error: RunError) -> InputPropertiesError:
    # Without a list, be it empty, the SDK fails at this error itself.
    return InputPropertiesError(str(error), [])


def _settled(value: Any) -> Any:
    """The same in one order, with whole numbers: the engine passes mappings on in any order, by
    which the next update would change what is made of them, and all numbers as floats."""
    if isinstance(value, dict):
        return {key: _settled(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [_settled(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


if __name__ == "__main__":
    main(Provider(), sys.argv[1:])
