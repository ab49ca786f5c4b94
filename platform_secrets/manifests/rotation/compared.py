"""Which fields of the services' Secrets the texts of a one-shot Secret compare, for admission.

The operator runs these texts over the services' Secrets, so they name the key's own fields only.
"""

from platform_secrets.manifests.rotation.cel import Cel, cel
from platform_secrets.manifests.rotation.looked_up import has_right, joined

# By the variable with a field's name, the item of the one-shot Secret that compares it.
_TEXTS = {"field": "is-current", "next": "is-next", "previous": "is-previous"}


def fields_variables() -> dict[str, str]:
    """The field that each text compares: what it quotes first; "" where there is no text."""
    return {name: _quoted_first(item) for name, item in _TEXTS.items()}


def fields_rule() -> dict[str, str]:
    """The condition for it, under the sentence of its refusal."""
    usual = " && ".join(
        f'variables.{name} in ["", variables.key + {cel(ending)}]'
        for name, ending in zip(_TEXTS, ("", "-next", "-previous"), strict=True)
    )
    permitted = has_right("fields", Cel(joined("key", *_TEXTS)))
    return {"a text is about another field than the key's": f"{usual} || {permitted}"}


def _quoted_first(item: str) -> str:
    data = f"variables.spec.?target.?template.?data[?{cel(item)}]"
    return f"""({data}.orValue("") + '""').split('"')[1]"""
