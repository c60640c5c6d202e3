"""Tables that commands print, in each of the forms that they can be asked for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.commands.terminal import inert, rendered, terminal_width
from airflow_provider_benchmarks.inert import markdown_text, one_line
from airflow_provider_benchmarks.scores.json_values import json_safe
from airflow_provider_benchmarks.storable import storable_text

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
    from rich.table import Table

TABLE, JSON, MARKDOWN, HTML = FORMS = ("table", "json", "md", "html")
#: Earlier names of forms.
_OTHER_NAMES = {"markdown": MARKDOWN}
#: Characters of a word, and of one in the first column, from which on it may be broken.
_LONG_WORD, _LONG_FIRST_WORD = 16, 24
#: Characters between two columns.
_GAP = 2
#: Styles of words wherever they are a whole cell.
_STYLES = {
    "pass": "green", "fail": "bold red", "warn": "yellow", "inconclusive": "yellow", "better": "green", "worse": "red",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table with lines above and below.

    :param title: the line above; empty for none
    :param rows: cells are texts, numbers, or None for what is not known
    :param notes: lines below
    """

    title: str = ""
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses a form."""
    parser.add_argument(
        "--format",
        type=lambda name: _OTHER_NAMES.get(name, name),
        choices=FORMS,
        default=TABLE,
        help="table (for the terminal, the default), json, md (Markdown) or html",
    )


def shown(sheets: Sequence[Sheet], form: str, data: Any) -> str:
    """Tables in a form.

    :param data: what the form ``json`` has
    """
    if form == JSON:
        return json.dumps(json_safe(data), indent=1)
    if form == MARKDOWN:
        return "\n\n".join(map(_markdown, sheets))
    if form == HTML:
        title = escape(_plain(sheets[0].title))
        return f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n' + "\n".join(map(_html, sheets))
    return "\n\n".join(map(_table, sheets))


def _table(sheet: Sheet) -> str:
    notes = "".join(f"\n{_plain(note)}" for note in sheet.notes)
    parts: list[RenderableType] = [inert(sheet.title, "bold")] if sheet.title else []
    if not sheet.rows:
        return f"{rendered(*parts)}{notes}"
    # Earlier releases of rich leave a gap behind the last column, too.
    widths = _widths(sheet, terminal_width() - _GAP * len(sheet.columns))
    # What is wider than the terminal all the same breaks there, and is not cut.
    return f"{rendered(*parts, _rich_table(sheet, widths), least=sum(widths) + _GAP * len(widths))}{notes}"


def _rich_table(sheet: Sheet, widths: Sequence[int]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place, column in enumerate(sheet.columns):
        side: JustifyMethod = "right" if _is_of_numbers(sheet, place) else "left"
        table.add_column(inert(column), justify=side, overflow="fold", width=widths[place])
    for row in sheet.rows:
        table.add_row(*(inert(_text(cell), _STYLES.get(str(cell).lower(), "")) for cell in row))
    return table


def _widths(sheet: Sheet, available: int) -> list[int]:
    """Widths of the columns: the widest ones give way, but numbers stay whole, and words unless they are long."""
    from rich.cells import cell_len

    texts = [
        [_plain(column), *(_plain(_text(row[place])) for row in sheet.rows)]
        for place, column in enumerate(sheet.columns)
    ]
    widths = [max(map(cell_len, each)) for each in texts]
    least = []
    for place, (_, *cells) in enumerate(texts):
        words = max((cell_len(word) for text in texts[place] for word in text.split()), default=1)
        longest = min(words, _LONG_FIRST_WORD if place == 0 else _LONG_WORD)
        least.append(max(map(cell_len, cells)) if _is_of_numbers(sheet, place) else longest)
    while sum(widths) > available and (wider := [i for i in range(len(widths)) if widths[i] > least[i]]):
        widths[max(wider, key=widths.__getitem__)] -= 1
    return widths


def _is_of_numbers(sheet: Sheet, place: int) -> bool:
    cells = [row[place] for row in sheet.rows]
    return any(cell is not None for cell in cells) and all(
        cell is None or isinstance(cell, int | float) for cell in cells
    )


def _markdown(sheet: Sheet) -> str:
    lines = [f"**{markdown_text(storable_text(sheet.title))}**\n"] if sheet.title else []
    if sheet.rows:
        cells = [sheet.columns, *([_text(cell) for cell in row] for row in sheet.rows)]
        head, *body = (f"| {' | '.join(markdown_text(storable_text(cell)) for cell in row)} |" for row in cells)
        lines += [head, f"|{' --- |' * len(sheet.columns)}", *body]
    lines += [f"\n{markdown_text(storable_text(note))}" for note in sheet.notes]
    return "\n".join(lines)


def _html(sheet: Sheet) -> str:
    def row(cells: Sequence[Any], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(_plain(_text(cell)))}</{tag}>' for cell in cells)}</tr>"

    title = f"<p><strong>{escape(_plain(sheet.title))}</strong></p>\n" if sheet.title else ""
    body = "\n".join(row(each, "td") for each in sheet.rows)
    table = f"<table>\n<thead>{row(sheet.columns, 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return title + (table if sheet.rows else "") + "".join(f"\n<p>{escape(_plain(note))}</p>" for note in sheet.notes)


def _text(cell: Any) -> str:
    if cell is None:
        return "–"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _plain(text: str) -> str:
    return one_line(storable_text(text))
