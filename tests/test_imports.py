"""The table of docs/architecture.md, "Who may import what", and other rules of the sources."""

import ast
import json
import re
import subprocess
import sys

import pytest

from tests.declaring import PROJECT

PARTS = (
    *("settings", "manifests", "describing", "diagnosing", "importing"),
    *("components", "secretsctl", "rotator", "policy"),
)
PACKAGE = PROJECT / "platform_secrets"
OWN_PARTS = [f"{part}/**/*.py" for part in PARTS if part != "components"]
SOURCES = {
    path.relative_to(top).as_posix(): path
    for top, parts in (
        (PROJECT, ("__main__.py", "policy/__main__.py", "components/**/*.py")),
        (PACKAGE, ("program.py", "policy_pack.py", *OWN_PARTS)),
    )
    for part in parts
    for path in sorted(top.glob(part))
}
OUTSIDE_WORLD = {"os", "io", "pathlib", "time", "socket", "random", "secrets", "subprocess", "yaml"}


def stem(name):
    return name.rpartition("/")[2].removesuffix(".py")


def allowed(name):
    """The modules of ours that a source may import; a package stands for all that is in it."""
    folder = name.rpartition("/")[0]
    names = {"settings", "manifests.naming", "manifests.entries"}
    if name == "__main__.py":
        return {"program"}
    if name == "policy/__main__.py":
        return {"policy_pack"}
    if name == "policy_pack.py":
        return {"settings", "policy", "describing.asked"}
    if name == "program.py":
        shell = {f"components.{part}" for part in ("interruption", "layer", "secrets_layer")}
        return {"settings", *shell}
    if folder == "settings":
        return {"settings"}
    if name == "manifests/layer.py":
        return {"settings", "manifests"}
    if name in {f"manifests/{part}.py" for part in ("secret_store", "database", "network")}:
        return names | {"manifests.chart", "manifests.providers"}
    if name == "manifests/eso.py":
        return names | {f"manifests.{part}" for part in ("account_tokens", "chart", "providers")}
    if folder == "manifests/providers":
        return names | {"manifests.providers", "rotator.contract"}
    if name == "manifests/external_secret.py":
        beside = ("providers", "remote_values", "secret_template")
        return names | {f"manifests.{part}" for part in beside}
    if name in {f"manifests/{one}.py" for one in ("account_tokens", "deletion", "store_admission")}:
        return names | {"manifests.rotation.cel"}
    if folder == "manifests/admission":
        beside = (
            *("access", "admission", "database", "external_secret", "providers", "rotation"),
            *("secret_store", "store_admission"),
        )
        return names | {"rotator.contract"} | {f"manifests.{part}" for part in beside}
    if name == "manifests/seeding.py":
        beside = ("account_tokens", "rotation.cel", "store_admission")
        return names | {f"manifests.{part}" for part in beside}
    if name == "manifests/migration.py":
        return names | {"manifests.one_shot_objects", "manifests.secret_template"}
    if name == "manifests/first_values.py":
        return names | {"manifests.one_shot_objects", "manifests.providers"}
    if name == "manifests/new_value.py":
        beside = ("one_shot_objects", "providers", "remote_values", "secret_template")
        return names | {f"manifests.{part}" for part in beside}
    if name == "manifests/one_shot_objects.py":
        return names | {"manifests.providers"}
    if name in ("manifests/naming.py", "manifests/entries.py"):
        return {"settings"}
    if folder == "manifests/rotation":
        beside = ("providers", "rotation", "secret_store", "secret_template", "store_admission")
        return names | {"rotator"} | {f"manifests.{part}" for part in beside}
    if folder == "manifests/monitoring":
        return names | {"manifests.monitoring"}
    if name == "manifests/chart.py":
        return {"manifests.naming"}
    if folder == "manifests":
        return names | {"manifests.chart"}
    if name == "components/layer.py":
        asked = {"manifests.providers.table", "manifests.rotation.names"}
        return names | {"components"} | asked
    if name == "components/__init__.py":
        return {"components.secrets_layer"}
    if name == "components/__main__.py":
        return {"components.secrets_layer", "manifests.naming"}
    if name == "components/secrets_layer.py":
        return names | {"rotator", "components.layer"}
    if name == "components/backends/table.py":
        return {"settings", "components.backends"}
    if name == "components/declare.py":
        return {"manifests.chart", "manifests.naming"}
    if name == "components/external_secret.py":
        beside = {"manifests.external_secret", "manifests.migration"}
        return names | {"components.declare", *beside}
    if folder == "components":
        own = f"manifests.{stem(name)}"
        return {"settings", "manifests.naming", "components.declare", own}
    if folder == "components/backends":
        provider = stem(name).partition("_")[0]
        parts = ("alarm", "policies", "rights")
        beside = {f"components.backends.{provider}_{part}" for part in parts}
        return names | {f"manifests.providers.{provider}", *beside}
    if folder in ("rotator", "policy"):
        return {folder}
    if folder == "importing":
        return {"settings", "manifests", "importing"}
    if name == "describing/asked.py":
        return {"settings", "manifests", "policy"}
    if folder == "describing":
        return {"settings", "manifests", "describing", "rotator.contract"}
    if folder == "diagnosing":
        # The rotator says itself what is due, and what of a key its memory knows.
        rotators = {f"rotator.{part}" for part in ("contract", "due", "keys", "memory", "plan")}
        proofs = {"rotator.proof", "rotator.rollout"}
        return {"settings", "manifests", "describing", "diagnosing", *rotators, *proofs}
    assert folder == "secretsctl", f"{name} is in no row of the table"
    beside = {"describing", "diagnosing", "importing", "policy", "rotator"}
    return {"settings", "manifests", "secretsctl", *beside}


def never(name):
    """Modules of others that a source may not import."""
    folder = name.partition("/")[0]
    if folder in ("manifests", "describing", "diagnosing", "importing", "policy"):
        return OUTSIDE_WORLD | {"pulumi", "pulumi_kubernetes", "pydantic"}
    if folder == "settings":
        return OUTSIDE_WORLD - {"pathlib", "yaml"} | {"pulumi", "pulumi_kubernetes"}
    if folder == "components":
        return OUTSIDE_WORLD | {"pydantic"}
    return {"pulumi", "pulumi_kubernetes"} if folder == "secretsctl" else set()


def test_the_rotator_needs_nothing_but_python():
    """It runs in a stock image."""
    sources = [path for name, path in SOURCES.items() if name.startswith("rotator/")]
    found = {one.partition(".")[0] for path in sources for one in imports(path)}
    assert found
    assert found <= sys.stdlib_module_names | {"rotator"}


def imports(path):
    """Every module that a source imports, wherever in it; of `from a import b` the module `a.b`.

    Ours are named without `platform_secrets`, as `allowed` does.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            module = whole_name(path, node) or ""
            for alias in node.names:
                whole = f"{module}.{alias.name}".removeprefix("platform_secrets.")
                file = PACKAGE / whole.replace(".", "/")
                is_module = file.is_dir() or file.with_suffix(".py").is_file()
                found.add(whole if is_module else module.removeprefix("platform_secrets."))
    return found


def whole_name(path, node):
    """The module of a `from … import`; only what is also run or installed elsewhere is relative."""
    if not node.level:
        return node.module
    top = PROJECT if "components" in path.relative_to(PROJECT).parts else PACKAGE
    folder = path.relative_to(top).parts[: -node.level]
    assert folder[:1] in {("rotator",), ("components",)}, "imports name the whole module"
    return ".".join([*folder, *filter(None, [node.module])])


def is_within(module, packages):
    return any(module == one or module.startswith(f"{one}.") for one in packages)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_imports_only_what_its_row_of_the_table_allows(name):
    ours = {one for one in imports(SOURCES[name]) if is_within(one, (*PARTS, "tests", "tools"))}
    assert not {one for one in ours if not is_within(one, allowed(name))}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_imports_nothing_that_its_row_forbids(name):
    assert not {one for one in imports(SOURCES[name]) if is_within(one, never(name))}


@pytest.mark.parametrize("name", SOURCES)
def test_no_source_but_a_backend_imports_a_provider_s_sdk(name):
    sdks = {one.partition(".")[0] for one in imports(SOURCES[name]) if one.startswith("pulumi_")}
    own = (
        {f"pulumi_{stem(name).partition('_')[0]}"}
        if name.startswith("components/backends/")
        else set()
    )
    assert sdks <= {"pulumi_kubernetes"} | {sdk.replace("azure", "azure_native") for sdk in own}


def test_only_the_program_reads_pulumi_s_configuration():
    readers = {
        name
        for name, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) == ("pulumi", "Config")
    }
    assert readers == {"program.py"}


@pytest.mark.parametrize(
    "name", [name for name in SOURCES if not name.startswith(("secretsctl/", "rotator/"))]
)
def test_nothing_below_the_command_line_reads_the_clock(name):
    clocks = {"now", "utcnow", "today", "time", "monotonic"}
    for node in ast.walk(ast.parse(SOURCES[name].read_text())):
        assert not (isinstance(node, ast.Attribute) and node.attr in clocks)


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_s_name_hides_no_other_and_says_what_is_in_it(name):
    hiding = {"secrets", "operator", "platform", "types", "kubernetes"}
    vague = {"utils", "helpers", "common", "base", "core", "manager", "lib"}
    parts = set(name.removesuffix(".py").split("/"))
    assert not parts & (hiding | vague)
    assert not [part for part in parts if part.startswith("pulumi")]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_can_be_read_in_one_sitting(name):
    assert len(SOURCES[name].read_text().splitlines()) <= 260


@pytest.mark.parametrize("name", ["__main__.py", "policy/__main__.py"])
def test_main_holds_no_logic(name):
    text = SOURCES[name].read_text()
    assert len(text.splitlines()) <= 5
    logic = (ast.If, ast.For, ast.While, ast.FunctionDef, ast.ClassDef, ast.With)
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, logic)]


PROGRAM = """
import json, sys
from tests.conftest import STACKS
STACKS[sys.argv[1]].declared
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize(
    ("stack", "sdks"),
    [
        ("development", set()),
        ("two-stores", set()),
        ("production", {"pulumi_vault"}),
        ("production-aws", {"pulumi_aws"}),
        ("production-azure", {"pulumi_azure_native"}),
        ("production-gcp", {"pulumi_gcp"}),
    ],
)
def test_the_program_imports_only_the_sdks_that_its_stack_uses(stack, sdks):
    output = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM, stack],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {one for one in json.loads(output) if one.startswith("pulumi")}
    assert found == {"pulumi", "pulumi_kubernetes"} | sdks


LOADED_MODULES = """
import sys
import platform_secrets.components.backends.azure
# What the SDK offers is listed, and loaded when it is first used.
loaded = [name for name, one in sys.modules.items() if type(one).__name__ == "module"]
print(*{".".join(name.split(".")[:2]) for name in loaded if name.startswith("pulumi_azure")})
"""


def test_of_azure_s_sdk_only_the_modules_that_are_used_are_loaded():
    output = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LOADED_MODULES], cwd=PROJECT, capture_output=True, check=True
    ).stdout
    own = ("_utilities", "authorization", "keyvault", "managedidentity", "monitor", "provider")
    allowed = {"pulumi_azure_native", *(f"pulumi_azure_native.{each}" for each in own)}
    assert {"pulumi_azure_native"} < set(output.decode().split()) <= allowed


def test_the_versions_of_the_operator_s_api_stand_in_one_place():
    """The rotator, which imports nothing of the rest, has its own; admission compares both."""
    versioned = re.compile(r'"(generators\.|kubernetes\.)?external-secrets\.io/v')
    found = {name for name, path in SOURCES.items() if versioned.search(path.read_text())}
    assert found == {"settings/operator_releases.py", "rotator/shapes.py"}


STORE_CLASSES = {
    "VaultStore",
    "AwsStore",
    "ParameterStore",
    "GcpStore",
    "AzureStore",
    "ExistingStore",
}
TABLES = (
    "manifests/providers/table.py",
    "components/backends/table.py",
    "secretsctl/store_commands.py",
)


def asks_for_a_store_s_class(tree):
    """Whether a source has an `isinstance` or a `case` of a store's class."""
    asked = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            asked |= {one.id for one in ast.walk(node.args[1]) if isinstance(one, ast.Name)}
        if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name):
            asked.add(node.cls.id)
    return bool(asked & STORE_CLASSES)


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in TABLES])
def test_only_a_layer_s_table_asks_which_class_a_store_has(name):
    is_a_provider_s_own = name.startswith("manifests/providers/")
    assert is_a_provider_s_own or not asks_for_a_store_s_class(ast.parse(SOURCES[name].read_text()))


@pytest.mark.parametrize(
    "text",
    ["isinstance(a, AwsStore)", "isinstance(a, str | GcpStore)", "match a:\n case VaultStore(): 1"],
)
def test_a_question_for_a_store_s_class_is_found(text):
    assert asks_for_a_store_s_class(ast.parse(text))
