"""One environment's whole secrets layer, as `pulumi up` sees it: what `__main__.py` runs."""

from pathlib import Path

import pulumi

from platform_secrets import settings
from platform_secrets.components.interruption import end_at_interrupt
from platform_secrets.components.layer import Layer
from platform_secrets.components.secrets_layer import rotator_source


def run() -> None:
    """Declares what the stack file and `catalogue.yaml` in the working directory say."""
    end_at_interrupt()
    config = pulumi.Config()
    stack_file = f"Pulumi.{pulumi.get_stack()}.yaml"
    try:
        stack = settings.Document(stack_file, config.require_object("environment"))
        [loaded] = settings.load([stack], settings.catalogue_document(Path("catalogue.yaml")))
        values = settings.basic_values(loaded, Path("secrets.env"), config.get)
    except settings.SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    layer = Layer(
        "secrets",
        settings=loaded,
        values={key: pulumi.Output.secret(value) for key, value in values.items()},
        rotator=rotator_source(),
        database_admin_password=config.get_secret("database-admin-password"),
    )
    pulumi.export("namespace", loaded.namespace)
    pulumi.export("expected-entries", layer.expected_entries)
