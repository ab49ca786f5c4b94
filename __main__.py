"""One environment's whole secrets layer, as `pulumi up` sees it."""

from pathlib import Path

import pulumi

import settings
from components.interruption import end_at_interrupt
from components.layer import SecretsLayer

end_at_interrupt()
config = pulumi.Config()
stack_file = f"Pulumi.{pulumi.get_stack()}.yaml"
try:
    stack = settings.Document(stack_file, config.require_object("environment"))
    [loaded] = settings.load([stack], settings.catalogue_document(Path("catalogue.yaml")))
    values = settings.basic_values(loaded, Path("secrets.env"), config.get)
except settings.SettingsError as error:
    raise pulumi.RunError(str(error)) from None
sources = (Path(__file__).parent / "rotator").glob("*.py")
rotator = {source.name: source.read_text("utf-8") for source in sources}
layer = SecretsLayer(
    "secrets",
    settings=loaded,
    values={key: pulumi.Output.secret(value) for key, value in values.items()},
    rotator=rotator,
    database_admin_password=config.get_secret("database-admin-password"),
)
pulumi.export("namespace", loaded.namespace)
pulumi.export("expected-entries", layer.expected_entries)
