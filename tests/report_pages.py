"""A page as a reader of the page has it: its tables by their captions, its headings, its tags."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_WITHOUT_END = {"meta", "br", "wbr"}


@dataclass
class Table:
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    """With the row of headers."""
    scopes: list[str | None] = field(default_factory=list)
    """Of each header."""

    def by_header(self) -> dict[str, dict[str, str]]:
        """By row and column."""
        [head, *rows] = self.rows
        return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


class Page(HTMLParser):
    """Raises AssertionError where a tag is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.tables: dict[str, Table] = {}
        self.text = ""
        self.style = ""
        self._open: list[str] = []
        self._table = Table()
        self.feed(text)
        self.close()
        assert not self._open

    def attributes(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [of_tag[name] or "" for _, of_tag in self.tags if name in of_tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _WITHOUT_END:
            self._open.append(tag)
        if tag == "table":
            self._table = Table()
        elif tag == "tr":
            self._table.rows.append([])
        elif tag in ("th", "td"):
            self._table.rows[-1].append("")
            if tag == "th":
                self._table.scopes.append(dict(attrs).get("scope"))
        elif tag[0] == "h" and tag[1:].isdigit():
            self.headings.append((int(tag[1:]), ""))
        elif tag in ("li", "span") and {"td", "th"} & {*self._open}:
            self._table.rows[-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, (tag, self.getpos())
        if tag == "table":
            found = self._table
            found.rows = [[" ".join(cell.split()) for cell in row] for row in found.rows]
            self.tables[" ".join(found.caption.split())] = found

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.style += data
            return
        self.text += data
        if "caption" in self._open:
            self._table.caption += data
        elif {"th", "td"} & {*self._open}:
            self._table.rows[-1][-1] += data
        elif self._open and self._open[-1][0] == "h" and self._open[-1][1:].isdigit():
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
