"""The logins in a pull secret's configuration, where it is written in a template."""

import json
import re
from typing import Any

from platform_secrets.importing.found import Expression, Filtered, Login, Logins, Piece, Value
from platform_secrets.settings.secret_kinds import DOCKER_CONFIG_KEY

_MARK = re.compile("\x02([0-9]+)\x03")


def with_logins(field: str, expression: Expression) -> Expression:
    """The same, as logins where it is a configuration with nothing but those."""
    if field != DOCKER_CONFIG_KEY or len(expression) < 2:
        return expression
    marked = ""
    for number, piece in enumerate(expression):
        mark = f"\x02{number}\x03"
        is_json = isinstance(piece, Filtered) and piece.by in ("json", "toJson")
        marked += piece if isinstance(piece, str) else f'"{mark}"' if is_json else mark
    try:
        content = json.loads(marked, strict=False)
        logins = [_login(host, one, expression) for host, one in content["auths"].items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        return expression
    if {*content} != {"auths"}:
        return expression
    return (Logins(tuple(logins)),)


def _login(host: str, content: dict[str, Any], expression: Expression) -> Login:
    """Raises ValueError where there is more than a name and a password, or less."""
    if {*content} != {"username", "password", "auth"}:
        raise ValueError
    username, password, auth = (
        _value(content[name], expression) for name in ("username", "password", "auth")
    )
    joined = (*username, ":", *password)
    if isinstance(username[0], str):
        joined = (f"{username[0]}:", *password)
    if auth != (Filtered(joined, "base64"),):
        raise ValueError
    return Login(host, username, password)


def _value(text: str, expression: Expression) -> Expression:
    mark = _MARK.fullmatch(text)
    if not mark:
        if _MARK.search(text) or not text:
            raise ValueError
        return (text,)
    piece: Piece = expression[int(mark[1])]
    if isinstance(piece, Filtered) and piece.by in ("json", "toJson"):
        return piece.of
    if isinstance(piece, Value | Filtered):
        return (piece,)
    raise ValueError
