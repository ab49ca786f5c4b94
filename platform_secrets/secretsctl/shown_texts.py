"""What a terminal, a page or a comment shows of texts that anybody may have written."""

from collections.abc import Iterable


def printable(line: str) -> str:
    """A group may be called anything: nothing of it moves a terminal's cursor or ends a line."""
    return "".join(one if one.isprintable() else "?" for one in line)


def fenced_block(lines: Iterable[str]) -> str:
    """A block of Markdown in which no name is taken for a mention, a link or markup."""
    block = "\n".join(printable(line).replace("`", "'") for line in lines)
    return f"```diff\n{block}\n```\n"


def shortened(comment: str, most_bytes: int, command: str) -> str:
    """All of a comment where it is short enough; else its beginning, with what is open closed, and
    the command that shows the rest."""
    if len(comment.encode()) <= most_bytes:
        return comment
    kept = comment.encode()[:most_bytes].decode(errors="ignore").rpartition("\n")[0]
    fence = "\n```" if kept.count("```") % 2 else ""
    fold = "\n</details>" if kept.count("<details>") > kept.count("</details>") else ""
    return f"{kept}{fence}{fold}\n\nToo long for a comment; `{command}` shows the rest.\n"
