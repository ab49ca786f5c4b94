"""What a policy looks up in RBAC: rights of the rotator that say what a key's objects may name.

So a policy is as short for ten thousand keys as for one, and what no Role names is refused.
"""

from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.rotator import contract


def has_right(verb: str, name: str) -> str:
    """Whether the rotator has a right, one of `contract.rights`."""
    return (
        f"authorizer.group({cel(contract.RIGHTS_GROUP)}).resource({cel(contract.RIGHTS_RESOURCE)})"
        f".namespace(request.namespace).name({cel(name)}).check({cel(verb)}).allowed()"
    )


def joined(*variables: str) -> str:
    """As `contract.right_name`."""
    return right_name([f"variables.{one}" for one in variables])


def right_name(texts: list[str]) -> str:
    """The expression of a right's name, made of expressions."""
    escaped = "part" + "".join(
        f".replace({cel(character)}, {cel(code)})" for character, code in contract.ESCAPED.items()
    )
    of_one_type = ", ".join(f"string({text})" for text in texts)
    return f'[{of_one_type}].filter(part, part != "").map(part, {escaped}).join(" ")'
