"""One environment's whole secrets layer, as `pulumi up` sees it: what `__main__.py` runs."""

from pathlib import Path

import pulumi

from platform_secrets import rotator, settings
from platform_secrets.components.interruption import end_at_interrupt
from platform_secrets.components.layer import SecretsLayer


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
    sources = Path(rotator.__file__).parent.glob("*.py")
    programs = {source.name: source.read_text("utf-8") for source in sources}
    layer = SecretsLayer(
        "secrets",
        settings=loaded,
        values={key: pulumi.Output.secret(value) for key, value in values.items()},
        rotator=programs,
        database_admin_password=config.get_secret("database-admin-password"),
    )
    pulumi.export("namespace", loaded.namespace)
    pulumi.export("expected-entries", layer.expected_entries)
