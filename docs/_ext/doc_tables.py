"""Tables of plain texts as Sphinx has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from docutils import nodes


def code(text: str) -> nodes.literal:
    """A text as code."""
    return nodes.literal("", text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str | nodes.Node]]) -> nodes.table:
    """A table with a head; texts stay as they are, whatever marks are in them."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in heads), cols=len(heads))
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=["docutils"])


def _row(cells: Sequence[str | nodes.Node]) -> nodes.row:
    entries = []
    for cell in cells:
        content = nodes.Text(cell) if isinstance(cell, str) else cell
        entries.append(nodes.entry("", nodes.paragraph("", "", content)))
    return nodes.row("", *entries)
