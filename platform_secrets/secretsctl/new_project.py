"""A repository of one's own, as `secretsctl init` writes it: what a project needs, and no more."""

import re
from pathlib import Path

from platform_secrets import __version__
from platform_secrets.settings import Problem, SettingsError

_TEXTS = Path(__file__).with_name("new_project")
_FIELD = re.compile(r"@([a-z]+)@")
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# A platform's own limit; in GCP that of a service account, <name>-production-rotation: 30.
_LONGEST = {"vault": 24, "aws": 24, "gcp": 10, "azure": 24}
_WORKFLOWS = ".github/workflows"
_BY_PULUMI = {
    ".github/actions/login/action.yaml": ["login.yaml"],
    **{f"{_WORKFLOWS}/{name}": [name] for name in ("update.yaml", "preview.yaml", "drift.yaml")},
}
TOOLS = {"argo-cd": ("Argo CD", "argocd", "argocd"), "flux": ("Flux", "flux", "flux-system")}
"""How a tool is called, its folder in a rendered tree, and the namespace in which it runs."""


def project_files(name: str, provider: str, delivery: str, tool: str) -> dict[str, str]:
    """The texts by file name. `delivery` is a stack file's own word, `tool` one of TOOLS."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST[provider]:
        length = f"with {provider} of up to {_LONGEST[provider]} characters"
        message = f"must be a name of lower-case letters, digits, hyphens, {length}"
        raise SettingsError([Problem("--name", None, (), message)])
    called, folder, namespace = TOOLS[tool]
    fields = {"name": name, "provider": provider, "version": __version__}
    fields |= {"tool": called, "folder": folder, "namespace": namespace}
    fields["apply"] = _text(f"readme-{delivery}.md", fields)
    production = ["stack-production.yaml", f"store-{provider}.yaml"]
    if delivery == "gitops":
        production.append("gitops.yaml")
    sources = {
        "Pulumi.yaml": ["Pulumi.yaml"],
        "__main__.py": ["main.txt"],
        "policy/PulumiPolicy.yaml": ["PulumiPolicy.yaml"],
        "policy/__main__.py": ["policy.txt"],
        "requirements.txt": ["requirements.txt"],
        ".gitignore": ["gitignore.txt"],
        "catalogue.yaml": ["catalogue.yaml"],
        "Pulumi.development.yaml": ["stack-development.yaml"],
        "Pulumi.production.yaml": production,
        "Makefile": ["review.mk", *(["delivery.mk"] if delivery == "pulumi" else [])],
        f"{_WORKFLOWS}/check.yaml": ["check.yaml"],
        f"{_WORKFLOWS}/deploy.yaml": [f"deploy-{delivery}.yaml"],
        **(_BY_PULUMI if delivery == "pulumi" else {}),
        "renovate.json": ["renovate.json"],
        "README.md": ["README.md"],
    }
    return {
        file: "".join(_text(source, fields) for source in names) for file, names in sources.items()
    }


def _text(source: str, fields: dict[str, str]) -> str:
    text = (_TEXTS / source).read_text(encoding="utf-8")
    return _FIELD.sub(lambda match: fields[match[1]], text)


def in_the_way(folder: Path, names: list[str]) -> list[str]:
    """A line for each file that is there already, or that stands where a folder is needed."""
    paths = {folder / name for name in names}
    parents = {parent for path in paths for parent in path.parents if parent.is_file()}
    taken = [path for path in paths if path.is_symlink() or path.exists()]
    return [
        f"{path}: is there already, and nothing is overwritten; choose an empty folder"
        for path in sorted({*taken, *parents})
    ]
