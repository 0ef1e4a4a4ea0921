"""Web pages and drawings taken apart: tables, words, attributes, comments, embedded data."""

from __future__ import annotations

import base64
import binascii
import json
import re
from html.parser import HTMLParser

from baseeval.disclosure.contents import Contents, Grid
from baseeval.disclosure.images import read_png
from baseeval.disclosure.nested import read_nested

_PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
_INLINE = frozenset(
    ("a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "sub", "sup", "tspan")
)
_LINK = re.compile(r"https?://")


def read_markup(text: str) -> Contents:
    """Read HTML or SVG."""
    page = _Page()
    page.feed(text)
    page.close()
    contents = Contents(
        grids=[Grid(f"table {i + 1}", rows, laid_out=True) for i, rows in enumerate(page.tables)],
        texts=[("words", "".join(page.words)), ("attributes", "\n".join(page.attributes))],
    )
    for script in page.scripts:
        try:
            contents.add(read_nested(json.loads(script), "script"))
        except json.JSONDecodeError:
            contents.texts.append(("script", script))
    for image in _PNG.findall(text):
        try:
            contents.add(read_png(base64.b64decode(image)))
        except binascii.Error:
            contents.faults.append(("image", "cannot be read", "Write the page again."))
    return contents


class _Page(HTMLParser):
    """Collects the parts of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self.attributes: list[str] = []
        self.scripts: list[str] = []
        self._open: list[list[list[str]]] = []
        self._cell: list[str] | None = None
        self._span = 1
        self._raw = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        shown = (v for v in given.values() if not v.startswith("data:") and not _LINK.match(v))
        self.attributes.extend(shown)
        if tag in ("script", "style"):
            self._raw = tag
            if tag == "script":
                self.scripts.append("")
        elif tag == "table":
            self._open.append([])
            self.tables.append(self._open[-1])
        elif tag == "tr" and self._open:
            self._end_cell()
            self._open[-1].append([])
        elif tag in ("td", "th") and self._open:
            self._end_cell()
            self._cell = []
            self._span = int(given["colspan"]) if given.get("colspan", "").isdigit() else 1
        if tag not in _INLINE:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._raw = ""
        elif tag in ("td", "th", "tr", "table"):
            self._end_cell()
            if tag == "table" and self._open:
                self._open.pop()
        if tag not in _INLINE:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if self._raw == "script":
            self.scripts[-1] += data
        elif not self._raw:
            self.words.append(data)
            if self._cell is not None:
                self._cell.append(data)

    def handle_comment(self, data: str) -> None:
        self.words.append(f"\n{data}\n")

    def _end_cell(self) -> None:
        """Put a finished cell into the row, as often as it spans columns."""
        if self._cell is not None and self._open:
            if not self._open[-1]:
                self._open[-1].append([])
            words = " ".join("".join(self._cell).split())
            self._open[-1][-1].extend([words] * min(self._span, 100))
        self._cell = None
