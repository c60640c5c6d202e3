"""A verdict in Markdown: a comment on a pull request, or what a person sees who approves a release."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_benchmarks.gates.result import Outcome
from airflow_provider_benchmarks.inert import markdown_text
from airflow_provider_benchmarks.storable import storable_text
from airflow_provider_benchmarks.views.verdict import CheckView, RowView, VerdictView

#: Characters of a whole page: GitHub takes 65,536 for a comment.
MOST_CHARACTERS = 60_000
#: Characters of a text in a table, before its signs are escaped. A reason of one or two sentences is whole.
_MOST_IN_CELL = 500
_MOST_OF_ITEM = 160
#: What of a page each part may have, of failures, passes and rows.
_SHARES = (0.5, 0.2, 0.25)
_CHECKS = ("", "check", "observed", "required", "why")
_ROWS = ("row", "score", "baseline", "this job", "item")


def markdown_page(view: VerdictView) -> str:
    """The verdict, failures first, passes folded, and the rows that got worse most; what does not fit is counted."""
    failures, passes, rows = (int(MOST_CHARACTERS * share) for share in _SHARES)
    held = [check for check in view.checks if check.outcome is Outcome.PASS]
    others = [check for check in view.checks if check.outcome is not Outcome.PASS]
    held_left = view.left_out.get(Outcome.PASS, 0)
    others_left = sum(view.left_out.values()) - held_left
    parts = [f"**{_cell(view.headline)}**", _cell(view.subject, 2000)]
    if others or others_left:
        parts.append(_table(_CHECKS, map(_check, others), room=failures, left=others_left))
    if held or held_left:
        number = len(held) + held_left
        holds = f"{number:,} checks that hold" if number > 1 else "1 check that holds"
        table = _table(_CHECKS, map(_check, held), room=passes, left=held_left)
        parts.append(f"<details><summary>{holds}</summary>\n\n{table}\n\n</details>")
    if view.worst:
        parts.append("**Rows that got worse most**")
        parts.append(_table(_ROWS, map(_row, view.worst), room=rows, last=_MOST_OF_ITEM))
    return "\n\n".join(parts) + "\n"


def _check(check: CheckView) -> Sequence[str]:
    return check.outcome.upper(), check.what, check.observed, check.required, check.why


def _row(row: RowView) -> Sequence[str]:
    return str(row.row_index), row.what, f"{row.baseline:.4g}", f"{row.candidate:.4g}", row.item_text


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, room: int, last: int = _MOST_IN_CELL, left: int = 0
) -> str:
    """A table of as many rows as there is room for, and the number of the others.

    :param room: in characters
    :param last: maximum number of characters of a text in the last column
    :param left: number of rows that are not among these
    """
    lines = [_line(columns), _line(["---"] * len(columns))]
    is_full = False
    for row in rows:
        line = _line([*map(_cell, row[:-1]), _cell(row[-1], last)])
        if is_full or len(line) > room:
            is_full = True
            left += 1
            continue
        room -= len(line) + 1
        lines.append(line)
    return "\n".join(lines) + (f"\n\nand {left:,} more" if left else "")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str, most: int = _MOST_IN_CELL) -> str:
    text = storable_text(text)
    return markdown_text(text if len(text) <= most else f"{text[: most - 1]}…")
