"""The operator's template of a Secret: a line for each field.

Every value passes a guard that fails the sync when it is missing or empty: without it the operator
drops a missing property silently and stays Ready.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from platform_secrets.manifests.naming import URL_ENCODED
from platform_secrets.settings import Bundle
from platform_secrets.settings.secret_kinds import DOCKER_CONFIG_KEY
from platform_secrets.settings.texts import Filter, Part, parts_of

# What would begin an action, also together with the part that follows.
_BRACES = re.compile(r"\{\{+|\{\Z")
_ACTION = re.compile(r'\{\{ ((?:"(?:[^"\\]|\\.)*"|[^"])*?) \}\}', re.DOTALL)
_WRITES_NOTHING = re.compile(r"\$\w+ :?= |if |fail |end$")
_FILTERS: dict[Filter, str] = {
    "": "",
    "url": f" | {URL_ENCODED}",
    "json": " | toRawJson",
    "base64": " | b64enc",
}


@dataclass(frozen=True)
class Source:
    """Where a template finds a value, and what the sync says where it is missing."""

    name: str
    fault: str
    is_base64: bool = False


def required(source: Source) -> str:
    """A field that is one value."""
    return f"{_value('$v', source)}{{{{ $v }}}}"


def with_fallback(derived: str, current: Source) -> str:
    """A derived key has the current value until a rotation gives it one of its own."""
    fallback = f'{{{{ if not $v }}}}{{{{ $v = index . "{current.name}" }}}}{{{{ end }}}}'
    return f'{{{{ $v := index . "{derived}" }}}}{fallback}{_or_fail("$v", current)}{{{{ $v }}}}'


def text_line(text: str, sources: Mapping[str, Source]) -> str:
    """A field that is a text made of values."""
    parts = [*parts_of(text)]
    keys = dict.fromkeys(one.key for one in parts if isinstance(one, Part))
    variables = {key: f"$p{number}" for number, key in enumerate(keys)}
    found = "".join(_value(variables[key], sources[key]) for key in keys)
    for one in parts:
        found += (
            literal(one)
            if isinstance(one, str)
            else f"{{{{ {variables[one.key]}{_FILTERS[one.filter]} }}}}"
        )
    return found


def text_pipeline(text: str) -> str:
    """A text that is made of one value, `$v`, as a template can go on with it."""
    parts = [*parts_of(text)]
    form = "".join(one.replace("%", "%%") if isinstance(one, str) else "%s" for one in parts)
    values = [f"($v{_FILTERS[one.filter]})" for one in parts if isinstance(one, Part)]
    return f"printf {_quoted(form)} {' '.join(values)}"


def docker_config_line(bundle: Bundle, sources: Mapping[str, Source]) -> str:
    """The configuration with which kubelets log in to the bundle's registries."""
    keys = dict.fromkeys(bundle.parts[DOCKER_CONFIG_KEY])
    variables = {key: f"$p{number}" for number, key in enumerate(keys)}
    found = "".join(_value(variables[key], sources[key]) for key in keys)
    logins = []
    for host, login in bundle.registries.items():
        user = variables[login.username] if login.username else _quoted(login.username_text or "")
        password = variables[login.password]
        logins.append(
            f'{literal(json.dumps(host))}:{{"username":{{{{ {user} | toRawJson }}}},'
            f'"password":{{{{ {password} | toRawJson }}}},'
            f'"auth":"{{{{ printf "%s:%s" {user} {password} | b64enc }}}}"}}'
        )
    return f'{found}{{"auths":{{{",".join(logins)}}}}}'


def literal(text: str) -> str:
    """Text that stands in a template for itself."""
    return _BRACES.sub(lambda match: f'{{{{ "{match[0]}" }}}}', text)


def _quoted(text: str) -> str:
    """A text as a template's constant."""
    return json.dumps(text, ensure_ascii=False)


def _value(variable: str, source: Source) -> str:
    """Makes the value known as `variable`, or fails."""
    found = f'{{{{ {variable} := index . "{source.name}" }}}}{_or_fail(variable, source)}'
    if not source.is_base64:
        return found
    # What can't be decoded becomes an error's text, which is shorter or longer when encoded again.
    entry = source.fault.removesuffix(" is empty")
    fault = f"{entry} is no base64" if entry != source.fault else f"{source.fault} in base64"
    return (
        f"{found}{{{{ {variable} = {variable} | nospace }}}}"
        f"{{{{ if or (not {variable}) (ne ({variable} | b64dec | b64enc) {variable}) }}}}"
        f'{{{{ fail "{fault}" }}}}{{{{ end }}}}{{{{ {variable} = {variable} | b64dec }}}}'
    )


def _or_fail(variable: str, source: Source) -> str:
    return f'{{{{ if not {variable} }}}}{{{{ fail "{source.fault}" }}}}{{{{ end }}}}'


def comparison(name: str, line: str) -> str:
    """A text that fails unless what it runs over has under `name` what this line makes. It holds a
    hash of that, so that no error can show it."""
    pipeline, before = _pipeline(line)
    begin, end = _around_hash(name)
    return f"{before}{{{{ `{begin}` }}}}{{{{ {pipeline} | sha256sum }}}}{{{{ `{end}` }}}}"


def only_text(name: str) -> str:
    """A text that fails where the value under `name` has bytes that JSON can't have, which is how
    the operator writes it into a store."""
    is_text = "eq $v ($v | toJson | fromJson)"
    fault = f'{{{{ fail "{name} is no text" }}}}'
    guard = f"{{{{ if not ({is_text}) }}}}{fault}{{{{ end }}}}"
    return f'{{{{ $v := index . "{name}" }}}}{guard}{{{{ $v }}}}'


def compares(name: str, sha256: str) -> str:
    """The same of a value with this hash, in hexadecimal digits."""
    return sha256.join(_around_hash(name))


def _around_hash(name: str) -> tuple[str, str]:
    begin = f'{{{{ if ne (index . "{name}" | sha256sum) "'
    return begin, f'" }}}}{{{{ fail "{name} has another value" }}}}{{{{ end }}}}'


def _pipeline(line: str) -> tuple[str, str]:
    """What a line writes, as one pipeline, and the actions before, which write nothing."""
    form, values, before = "", [], ""
    for at, part in enumerate(_ACTION.split(line)):
        if at % 2 == 0:
            form += part.replace("%", "%%")
        elif _WRITES_NOTHING.match(part):
            before += f"{{{{ {part} }}}}"
        else:
            form += "%s"
            values.append(f"({part})")
    return f"printf {_quoted(form)} {' '.join(values)}".rstrip(), before
