"""The real Pulumi engine, run on a program in this process: preview, up, refresh and destroy."""

import contextlib
import json
import os
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml
from pulumi import automation

from tests.e2e.process import MORE_MEMORY_FOR_LESS_WORK, Run
from tests.e2e.state_key import SECRETS_PROVIDER, key_service
from tools.build import build

NOT_OF_THE_PROGRAM = {"tests", "tools"}
NOT_ASKED: Any = object()
INLINE = "auto.inline"


class EngineError(RuntimeError):
    """The engine refused or failed; the message is its output."""


@dataclass
class Outcome:
    """What one operation of the engine did. `counts` maps its operations ("create", "same",
    "delete-replaced", ...) to numbers of resources; `steps` lists (operation, URN) in order.
    `done_before` maps a URN to the number of steps that had begun when its own was done."""

    counts: dict[str, int] = field(default_factory=dict)
    steps: list[tuple[str, str]] = field(default_factory=list)
    done_before: dict[str, int] = field(default_factory=dict)
    text: str = ""

    @property
    def changes(self) -> dict[str, int]:
        """The counts of everything but "same"."""
        return {operation: n for operation, n in self.counts.items() if operation != "same"}


class Stack:
    """One stack of one program, with its state in the run's folder.

    `providers` maps package names to the ports of test providers that are already listening.
    `program` is run in this process, or is a folder with a program in another language, whose own
    host and component packages are in the folder `plugins`. `stack_file` is a
    `Pulumi.<stack>.yaml`; a copy of it is used. With `hears_debug` the engine is also told what the
    SDK says for debugging, in five calls for each resource.
    """

    def __init__(
        self,
        run: Run,
        name: str,
        program: Callable[[], None] | Path,
        *,
        providers: Mapping[str, int],
        project: str = "platform-secrets",
        stack_file: Path | None = None,
        plugins: Path | None = None,
    ) -> None:
        self.name = name
        self.hears_debug = False
        self._said: list[Any] = []
        self.folder = run.folder / f"pulumi-{project}-{name}"
        self._work = self.folder / "work"
        if isinstance(program, Path):
            shutil.copytree(program, self._work)
        else:
            self._work.mkdir(parents=True)
        if stack_file:
            shutil.copy(stack_file, self._work / f"Pulumi.{name}.yaml")
        (self.folder / "state").mkdir()
        source: dict[str, Any] = {"project_name": project, "program": program}
        if isinstance(program, Path):
            source = {"work_dir": str(self._work)}
        self._variables = {
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{n}:{p}" for n, p in providers.items()),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # The state is written when an operation ends: after each step is half of its work.
            "PULUMI_SKIP_CHECKPOINTS": "true",
            **key_service(),
            **MORE_MEMORY_FOR_LESS_WORK,
            "PATH": ":".join(map(str, filter(None, (plugins, pack_host(run), os.environ["PATH"])))),
        }
        self._stack = automation.create_stack(
            name,
            **source,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(self._work),
                pulumi_home=str(self.folder / "home"),
                pulumi_command=pulumi_command(run),
                env_vars=self._variables,
                secrets_provider=SECRETS_PROVIDER,
            ),
        )
        # Asked by the Automation API after each operation, of three more processes, for nobody.
        vars(self._stack)["info"] = lambda *_: NOT_ASKED
        vars(self._stack)["outputs"] = lambda: NOT_ASKED

    @property
    def program(self) -> Callable[[], Any]:
        program = self._stack.workspace.program
        assert program
        return program

    @program.setter
    def program(self, program: Callable[[], None]) -> None:
        self._stack.workspace.program = program

    def preview(self, **options: Any) -> Outcome:
        return self._run(self._stack.preview, **options)

    def up(self, **options: Any) -> Outcome:
        return self._run(self._stack.up, **options)

    def refresh(self, **options: Any) -> Outcome:
        return self._run(self._stack.refresh, **options)

    def destroy(self, **options: Any) -> Outcome:
        return self._run(self._stack.destroy, **options)

    def destroy_by_command(self) -> None:
        """`pulumi destroy --yes`, which begins with a preview; the Automation API leaves that out,
        and so deletes what is not protected before it fails at what is."""
        try:
            self._stack._run_pulumi_cmd_sync(["destroy", "--yes"])
        except automation.CommandError as error:
            raise EngineError(str(error)) from error

    def served_by_command(self, *arguments: str, port: int) -> str:
        """What `pulumi ARGUMENTS` prints, for a program that another process serves at the port."""
        client = [f"--client=127.0.0.1:{port}", f"--exec-kind={INLINE}"]
        try:
            return self._stack._run_pulumi_cmd_sync([*arguments, *client]).stdout
        except automation.CommandError as error:
            raise EngineError(str(error)) from error

    def import_by_command(self, file: Path, *, language_port: int) -> None:
        """`pulumi import --file FILE` for what is not protected; no program is written."""
        variables = self._variables
        variables["PULUMI_DEBUG_LANGUAGES"] = f"python:{language_port}"
        flags = ["--generate-code=false", "--protect=false", "--yes"]
        try:
            self._stack._run_pulumi_cmd_sync(["import", "--file", str(file), *flags])
        finally:
            del variables["PULUMI_DEBUG_LANGUAGES"]

    def unprotect_by_command(self, urn: str) -> None:
        """`pulumi state unprotect URN`, of one resource alone."""
        self._stack._run_pulumi_cmd_sync(["state", "unprotect", urn, "--yes"])

    def unprotect(self) -> bool:
        """Takes away protection from deletion, as `pulumi state unprotect --all` does: a destroy
        then leaves what is retained, and nothing else. Whether anything is there to destroy."""
        [file] = (self.folder / "state").rglob(f"stacks/**/{self.name}.json")
        state = json.loads(file.read_text(encoding="utf-8"))
        resources = state["checkpoint"]["latest"].get("resources", [])
        if [each for each in resources if each.pop("protect", False)]:
            file.write_text(json.dumps(state), encoding="utf-8")
        return bool(resources)

    def set_config(self, path: str, value: str) -> None:
        """As `pulumi config set --path PATH VALUE` does."""
        self._stack.set_config(path, automation.ConfigValue(value), path=True)

    def set_secret(self, name: str, value: str) -> None:
        """As `pulumi config set --secret NAME` does with the value on its standard input."""
        self._stack.set_config(name, automation.ConfigValue(value, secret=True))

    def remove_config(self, path: str) -> None:
        """As `pulumi config rm --path PATH` does."""
        self._stack.remove_config(path, path=True)

    @property
    def outputs(self) -> dict[str, Any]:
        """What the program exported in the last update."""
        found = automation.Stack.outputs(self._stack)
        return {name: output.value for name, output in found.items()}

    @property
    def heard(self) -> list[str]:
        """All that the engine ever said: lines, events as JSON, and errors."""
        return [
            one if isinstance(one, str) else json.dumps(one, default=vars) for one in self._said
        ]

    @property
    def state_text(self) -> str:
        """Everything that the backend keeps of this stack, as text: a leak would be in it."""
        files = [f for f in (self.folder / "state").rglob("*") if f.is_file()]
        return "\n".join(f.read_text(encoding="utf-8", errors="replace") for f in files)

    def _run(self, operation: Callable[..., Any], **options: Any) -> Outcome:
        outcome = Outcome()
        lines: list[str] = []

        def note(event: automation.EngineEvent) -> None:
            self._said.append(event)
            if event.resource_pre_event:
                metadata = event.resource_pre_event.metadata
                outcome.steps.append((str(metadata.op.value), metadata.urn))
            if event.res_outputs_event:
                outcome.done_before[event.res_outputs_event.metadata.urn] = len(outcome.steps)
            if event.summary_event:
                changes = event.summary_event.resource_changes
                outcome.counts = {str(getattr(op, "value", op)): n for op, n in changes.items()}

        debug = pulumi.log.debug if self.hears_debug else _say_nothing
        try:
            with patch.object(pulumi.log, "debug", debug):
                operation(on_event=note, on_output=lines.append, **options)
        except automation.CommandError as error:
            self._said.append(str(error))
            raise EngineError(str(error)) from error
        outcome.text = "\n".join(lines)
        self._said.append(outcome.text)
        return outcome


def _say_nothing(*_: object, **__: object) -> None:
    pass


def project_program(folder: Path) -> Callable[[], None]:
    """A program that runs the project's `__main__.py` as the engine's language host would: its
    folder is the working directory and first on the path, its modules are imported anew."""

    def program() -> None:
        with contextlib.chdir(folder), fresh_modules(folder):
            runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    return program


@contextlib.contextmanager
def fresh_modules(folder: Path) -> Iterator[None]:
    """Inside, the folder's modules are not imported yet; afterwards the earlier ones are back."""
    names = {path.stem for path in folder.iterdir()} - NOT_OF_THE_PROGRAM

    def taken_out() -> dict[str, Any]:
        own = [name for name in sys.modules if name.partition(".")[0] in names - {"__main__"}]
        return {name: sys.modules.pop(name) for name in own}

    earlier = taken_out()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        taken_out()
        sys.modules.update(earlier)


def project_stack(
    run: Run, folder: Path, stack: str, *, providers: Mapping[str, int], name: str = ""
) -> Stack:
    """A stack of the project in `folder`, with the configuration of its `Pulumi.<stack>.yaml`."""
    settings = yaml.safe_load((folder / "Pulumi.yaml").read_text(encoding="utf-8"))
    return Stack(
        run,
        name or stack,
        project_program(folder),
        providers=providers,
        project=settings["name"],
        stack_file=folder / f"Pulumi.{stack}.yaml",
    )


@cache
def pulumi_command(run: Run) -> automation.PulumiCommand:
    """Our own build of the CLI, where the Automation API looks for it: in a folder `bin`."""
    link = run.folder / "pulumi" / "bin" / "pulumi"
    link.parent.mkdir(parents=True)
    link.symlink_to(build("pulumi"))
    return automation.PulumiCommand(root=str(run.folder / "pulumi"))


@cache
def pack_host(run: Run) -> Path:
    """A folder with what starts policy packs."""
    folder = run.new_folder("pack-host")
    write_pack_host(folder)
    return folder


def write_pack_host(folder: Path) -> None:
    """Puts there what starts a policy pack in Python: Pulumi had a program of this name before its
    language host did that."""
    script = folder / "pulumi-analyzer-policy-python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -u -m pulumi.policy "$1" "$2"\n')
    script.chmod(0o755)
