"""secrets.env.example: what a developer copies to secrets.env and fills in."""

from platform_secrets.settings import Catalogue, Key

_OPENING = """\
# Copy to secrets.env, which git ignores, and fill in every key.
# One key=value each line; the value is taken as it stands, without quotes.
"""


def example_text(catalogue: Catalogue) -> str:
    """Every key with what it is, its rules and its example; no values."""
    blocks = [_OPENING]
    spellings = {id: name for name, id in catalogue.spellings.items()}
    for bundle in catalogue.bundles.values():
        lines = [f"\n# --- Secret {bundle.secret}\n"]
        own = [key for key in bundle.keys.values() if not key.same_as]
        lines += [_block(spellings[key.id], key) for key in own]
        blocks += lines if own else []
    return "".join(blocks)


def _block(name: str, key: Key) -> str:
    return f"{about(key)}{name}=\n"


def about(key: Key) -> str:
    """What a key is, its rules and its example, as comments."""
    rules = []
    if key.format != "text":
        rules.append(f"format: {key.format}")
    if key.pattern:
        rules.append(f"pattern: {key.pattern}")
    if key.alphabet and key.alphabet != "letters-and-digits":
        rules.append(f"{key.alphabet}, {key.generated_length} characters")
    if key.min_length > 1:
        rules.append(f"at least {key.min_length} characters")
    text = key.description + (f" ({'; '.join(rules)})" if rules else "")
    if key.example:
        text += f"\nexample: {key.example}"
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())
