"""What `secretsctl COMMAND --help` says below the options: examples and exit codes."""

EXAMPLES = {
    "init": ["secretsctl init shop --provider aws", "secretsctl init shop --delivery gitops"],
    "import": [
        "kubectl get externalsecret,deployment -A -o yaml | secretsctl import --from - --check",
        "secretsctl import --from-cluster --namespace shop --env production",
    ],
    "render": ["secretsctl render --all", "secretsctl render --env production --check"],
    "check": ["secretsctl check", "secretsctl check --env production --json"],
    "diff": ["secretsctl diff --base HEAD", "secretsctl diff --base HEAD --markdown --exit-code"],
    "status": ["secretsctl status --env production", "secretsctl status --env production --watch"],
    "doctor": ["secretsctl doctor --env production", "secretsctl doctor --env production --json"],
    "planned": ["pulumi preview --json > preview.json; secretsctl planned preview.json"],
    "who": [
        "secretsctl who web",
        "secretsctl who web/signing-key --env production --live",
    ],
    "report": ["secretsctl report", "secretsctl report --env production --out -"],
    "basic-secrets": ["secretsctl basic-secrets --env development"],
    "example": ["secretsctl example > secrets.env.example"],
    "schema": ["secretsctl schema"],
    "completion": [
        'eval "$(secretsctl completion bash)"   # in ~/.bashrc; zsh: in ~/.zshrc, after compinit',
        "secretsctl completion fish | source    # in ~/.config/fish/config.fish",
    ],
    "pin-image": [
        "secretsctl pin-image --env production --print",
        "secretsctl pin-image --all",
    ],
    "seed": [
        "secretsctl seed --env production --from-env-file values.env --dry-run",
        "secretsctl seed web/mail-password --env production --from-env-file values.env",
    ],
    "put-commands": [
        "secretsctl put-commands --env production > put.sh",
        "secretsctl put-commands mail-password --env production",
    ],
    "rotate": [
        "secretsctl rotate signing-key --env production --dry-run",
        "secretsctl rotate signing-key --env production --wait",
    ],
    "set": [
        "secretsctl set mail-password --env production",
        "secretsctl set mail-password --env production --previous",
    ],
    "rotated": ["secretsctl rotated mail-password --env production --on 2026-01-31"],
    "sync": ["secretsctl sync --env production --wait"],
    "restart": ["secretsctl restart mail-password --env production"],
    "migrate": [
        "secretsctl migrate web --env production --dry-run",
        "secretsctl migrate web --env production",
    ],
}
"""Of each command; each runs as it stands in what `secretsctl init` writes."""

NEEDED = {
    "check": "what `secretsctl render` wrote",
    "basic-secrets": "what `secretsctl render` wrote, and secrets.env",
    "seed": "`seeding` in the stack file (docs/values.md)",
    "set": "`seeding` in the stack file (docs/values.md)",
    "migrate": "`seeding`, and the bundle in `migrating`, in the stack file (docs/migrating.md)",
}
"""What a command needs besides."""

_OF_CLUSTER = "the cluster did not answer"
FAILURES = {
    "import": "something was left out; with --check also: something is different",
    "render": "with --check: something is stale",
    "check": "a rule is broken",
    "diff": "with --exit-code: something differs; with --fail-on-loss: data is deleted",
    "status": f"something is wrong, or {_OF_CLUSTER}",
    "doctor": f"something is at fault, or {_OF_CLUSTER}",
    "planned": "the preview failed, or more is deleted or replaced than was approved; "
    "with --exit-code: something would change",
    "who": f"with --live: {_OF_CLUSTER}",
    "pin-image": "the registry did not answer",
    "seed": f"a value did not get into the store in time, or {_OF_CLUSTER}",
    "put-commands": f"with --not-ready: {_OF_CLUSTER}",
    "rotate": f"the rotation was refused or failed, or {_OF_CLUSTER}",
    "set": f"failed, and it says which value is in use now; or {_OF_CLUSTER}",
    "rotated": f"the rotator has no memory yet, or {_OF_CLUSTER}",
    "sync": f"not synced in time, or {_OF_CLUSTER}",
    "restart": f"not rolled out in time, or {_OF_CLUSTER}",
    "migrate": f"refused, or not synced in time, or {_OF_CLUSTER}",
}
"""What exit code 1 means; of a command that is not here it is none."""


def help_text(command: str) -> str:
    """The text for a command."""
    needed = [f"needs {NEEDED[command]}", ""] if command in NEEDED else []
    failed = [f"  1    {FAILURES[command]}"] if command in FAILURES else []
    return "\n".join(
        [
            *needed,
            "examples:",
            *(f"  {one}" for one in EXAMPLES[command]),
            "",
            "exit codes:",
            "  0    done",
            *failed,
            "  2    something given is wrong, or a file can't be read or written",
            "  130  ended with Ctrl-C",
        ]
    )
