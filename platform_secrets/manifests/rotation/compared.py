"""Which fields of the services' Secrets the texts of a one-shot Secret compare, and what those are
made of, for admission.

The operator runs these texts over the services' Secrets, so they name the key's own fields only.
"""

from platform_secrets.manifests.rotation.cel import Cel, cel
from platform_secrets.manifests.rotation.looked_up import has_right, joined

# By the variable with a field's name, the item of the one-shot Secret that compares it.
_TEXTS = {"field": "is-current", "next": "is-next", "previous": "is-previous"}


def fields_variables() -> dict[str, str]:
    """What each text compares, a field by all of its names; "" where there is no text."""
    return {name: _looked_up_first(item) for name, item in _TEXTS.items()} | {"text": _hashed()}


def fields_rule() -> dict[str, str]:
    """The condition for it, under the sentence of its refusal."""
    usual = " && ".join(
        f'variables.{name} in ["", variables.key + {cel(ending)}]'
        for name, ending in zip(_TEXTS, ("", "-next", "-previous"), strict=True)
    )
    permitted = has_right("fields", Cel(joined("key", *_TEXTS)))
    has_text = has_right("text", Cel(joined("key", "text")))
    return {
        "a text is about another field than the key's": f"{usual} || {permitted}",
        "a text is made of the value in another way than the key's field": (
            f'!(variables.verb in ["generate", "current"]) || variables.text == "$v" || {has_text}'
        ),
    }


def _looked_up_first(item: str) -> str:
    begin = cel('splitList "/" "')
    return f"""({_data(item)} + {begin} + '"').split({begin})[1].split('"')[0]"""


def _hashed() -> str:
    """What stands in the first text where its hash is made."""
    begin, end = cel("` }}{{ "), cel(" | sha256sum }}{{ `")
    return f"({_data('is-current')} + {begin}).split({begin})[1].split({end})[0]"


def _data(item: str) -> str:
    return f'variables.spec.?target.?template.?data[?{cel(item)}].orValue("")'
