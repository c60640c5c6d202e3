"""A verdict in each form that a command can be asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.commands.sheets import HTML, JSON, MARKDOWN, TABLE, Sheet, shown

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates import Verdict
    from airflow_provider_benchmarks.gates.report_context import ReportContext

_COLUMNS = ("outcome", "score", "observed", "required", "why")
_COLUMNS_OF_ROWS = ("score", "rows", "row index", "baseline", "this job", "item")
_WIDEST_ITEM = 160


def verdict_text(verdict: Verdict, form: str, context: Callable[[], ReportContext] | None = None) -> str:
    """A verdict in a form.

    :param context: what its page says besides
    """
    if form == JSON:
        return json.dumps(verdict.to_dict(), indent=1, default=str)
    if form == MARKDOWN:
        return verdict.to_markdown()
    if form == HTML:
        from airflow_provider_benchmarks.views import html_page

        return html_page(verdict, None if context is None else context())
    return shown(_sheets(verdict), TABLE, None)


def _sheets(verdict: Verdict) -> list[Sheet]:
    from airflow_provider_benchmarks.views import VerdictView

    view = VerdictView.of(verdict)
    checks = [[c.outcome.upper(), c.what, c.observed, c.required, c.why or None] for c in view.checks]
    sheets = [Sheet(title=view.headline, columns=_COLUMNS, rows=checks, notes=[view.subject])]
    if view.worst:
        rows = [[w.score, w.group or None, w.row_index, w.baseline, w.candidate, _cut(w.item_text)] for w in view.worst]
        sheets.append(Sheet(title="Rows that got worse most", columns=_COLUMNS_OF_ROWS, rows=rows))
    return sheets


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST_ITEM else f"{text[:_WIDEST_ITEM]}…"
