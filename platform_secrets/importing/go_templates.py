"""The operator's Go templates, as far as they only put values into text."""

import json
import re
from collections.abc import Iterator

from platform_secrets.importing.found import Expression, Filtered, Piece, Value

_ACTION = re.compile(
    r'\{\{(-\s)?\s*((?:"(?:\\.|[^"\\])*"|`[^`]*`|/\*.*?\*/|[^"`}]|\}(?!\}))*?)\s*(?:(\s-)|)\}\}',
    re.DOTALL,
)
_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<sign>:=|=|\||\(|\))'
    r"|(?P<word>\$?[A-Za-z_][A-Za-z0-9_]*|\.[A-Za-z_][A-Za-z0-9_]*|\.|-?[0-9]+))"
)
# Guards: a value that is missing, or no base64, fails the sync. Ours always do.
_GUARD = re.compile(r"if (not \S+|or \(not \S+\) \(ne \(\S+ \| b64dec \| b64enc\) \S+\))")
_FILTERS = {"b64enc": "base64", "b64dec": "decoded", "toRawJson": "json", "urlquery": "form"}
_KEPT = ("toJson", "nospace")
_SAME = ("toString",)


class HasLogicError(Exception):
    """What a template does beside putting values into text."""


def expression_of(template: str) -> Expression:
    """What a template makes. Raises HasLogicError."""
    variables: dict[str, Expression] = {}
    pieces: list[Piece] = []
    parts = [*_parts(template)]
    while parts:
        is_action, text = parts.pop(0)
        if not is_action:
            pieces.append(text)
        elif _GUARD.fullmatch(text):
            _skip_guard(parts, text)
        else:
            pieces += _action(text, variables)
    return joined(pieces)


def joined(pieces: list[Piece]) -> Expression:
    """Pieces, with texts beside each other as one."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found)


def _parts(template: str) -> Iterator[tuple[bool, str]]:
    """Literal texts and actions, each as whether it is an action; blanks are trimmed."""
    end, trims = 0, False
    for match in _ACTION.finditer(template):
        literal = template[end : match.start()]
        literal = literal.lstrip() if trims else literal
        literal = literal.rstrip() if match[1] else literal
        yield from _literal(literal)
        if not match[2].startswith("/*"):
            yield True, match[2]
        end, trims = match.end(), bool(match[3])
    literal = template[end:]
    yield from _literal(literal.lstrip() if trims else literal)


def _literal(text: str) -> Iterator[tuple[bool, str]]:
    if "{{" in text:
        raise HasLogicError("an action without its end")
    if text:
        yield False, text


def _skip_guard(parts: list[tuple[bool, str]], guard: str) -> None:
    actions = []
    while len(actions) < 2 and parts:
        is_action, text = parts.pop(0)
        if is_action:
            actions.append(text)
        elif text.strip():
            raise HasLogicError(guard)
    if len(actions) < 2 or not actions[0].startswith("fail ") or actions[1] != "end":
        raise HasLogicError(guard)


def _action(text: str, variables: dict[str, Expression]) -> Expression:
    tokens = [*_tokens(text)]
    if len(tokens) > 2 and tokens[0].startswith("$") and tokens[1] in (":=", "="):
        variables[tokens[0]] = _pipeline(tokens[2:], variables, text)
        return ()
    return _pipeline(tokens, variables, text)


def _tokens(text: str) -> Iterator[str]:
    end = 0
    while text[end:].strip():
        match = _TOKEN.match(text, end)
        if not match:
            raise HasLogicError(text)
        yield match[0].strip()
        end = match.end()
        if match["word"] and text[end : end + 1] == ".":
            raise HasLogicError(text)


def _pipeline(tokens: list[str], variables: dict[str, Expression], text: str) -> Expression:
    found: Expression | None = None
    for command in _split(tokens, text):
        arguments = [*_arguments(command, variables, text)]
        found = _called(arguments, found, text)
    if found is None:
        raise HasLogicError(text)
    return found


def _split(tokens: list[str], text: str) -> Iterator[list[str]]:
    """The commands between the pipes that stand in no brackets."""
    depth, command = 0, list[str]()
    for word in tokens:
        depth += (word == "(") - (word == ")")
        if word == "|" and depth == 0:
            yield command
            command = []
        else:
            command.append(word)
    if depth:
        raise HasLogicError(text)
    yield command


def _arguments(
    command: list[str], variables: dict[str, Expression], text: str
) -> Iterator[str | Expression]:
    """Words as they are, and what values, texts and brackets make."""
    place = 0
    while place < len(command):
        word = command[place]
        place += 1
        if word == "(":
            end = _end_of_bracket(command, place)
            yield _pipeline(command[place:end], variables, text)
            place = end + 1
        elif word[0] in '"`':
            yield (_unquoted(word, text),)
        elif word.startswith("$"):
            if word not in variables:
                raise HasLogicError(text)
            yield variables[word]
        elif word.startswith(".") and len(word) > 1:
            yield (Value(word[1:], word[1:]),)
        else:
            yield word


def _end_of_bracket(command: list[str], start: int) -> int:
    depth = 1
    for place in range(start, len(command)):
        depth += (command[place] == "(") - (command[place] == ")")
        if depth == 0:
            return place
    return len(command)


def _unquoted(token: str, text: str) -> str:
    inner = token[1:-1]
    if token[0] == "`" or "\\" not in inner:
        return inner
    known = {r"\"": '"', r"\\": "\\", r"\n": "\n", r"\t": "\t", r"\r": "\r"}
    found = re.sub(r"\\.", lambda match: known.get(match[0], "\0"), inner)
    if "\0" in found:
        raise HasLogicError(text)
    return found


def _called(arguments: list[str | Expression], piped: Expression | None, text: str) -> Expression:
    """What one command makes of its arguments and of what is piped into it."""
    name, *rest = arguments or [""]
    given: list[str | Expression] = rest if piped is None else [*rest, piped]
    if not isinstance(name, str):
        if given:
            raise HasLogicError(text)
        return name
    if name == "index" and len(given) == 2 and given[0] == ".":
        match given[1]:
            case (str(key),):
                return (Value(key, key),)
            case _:
                raise HasLogicError(text)
    wanted = [one for one in given if isinstance(one, tuple)]
    if len(wanted) < len(given):
        raise HasLogicError(text)
    if name == "printf" and wanted:
        return _printed(wanted, text)
    if name == "replace" and wanted[:2] == [("+",), ("%20",)]:
        return tuple(_url(piece, text) for piece in wanted[2])
    if len(wanted) != 1:
        raise HasLogicError(text)
    return _filtered(name, wanted[0], text)


def _printed(given: list[Expression], text: str) -> Expression:
    form, *values = given
    match (form, *values):
        case (("%q",), (str(text),)) if text.isascii() and text.isprintable():
            return (json.dumps(text),)
        case _:
            pass
    pieces = re.split(r"%[sv]", form[0]) if len(form) == 1 and isinstance(form[0], str) else []
    if len(pieces) != len(values) + 1 or any("%" in piece for piece in pieces):
        raise HasLogicError(text)
    found: list[Piece] = [pieces[0]]
    for value, literal in zip(values, pieces[1:], strict=True):
        found += [*value, literal]
    return joined(found)


def _url(piece: Piece, text: str) -> Piece:
    if isinstance(piece, Filtered) and piece.by == "form":
        return Filtered(piece.of, "url")
    raise HasLogicError(text)


def _filtered(name: str, value: Expression, text: str) -> Expression:
    if name in _SAME:
        return value
    if name not in _FILTERS and name not in _KEPT:
        raise HasLogicError(text)
    if name == "b64dec" and len(value) == 1:
        inner = value[0]
        if isinstance(inner, Filtered) and inner.by == "nospace":
            value = inner.of
    return (Filtered(value, _FILTERS.get(name, name)),)
