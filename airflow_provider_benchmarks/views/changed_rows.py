"""The rows that changed most, in full: what both jobs have, and what differs between them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.gates.result import CheckResult
from airflow_provider_benchmarks.gates.row_changes import shown_rows
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.scores.equality import canonical
from airflow_provider_benchmarks.views.bounded import ShownText, cost, line, shown
from airflow_provider_benchmarks.views.verdict import CheckView

#: Bytes on the page for all rows, and the most of one, of one of its fields, and of the page around a field.
_ROOM, _MOST_OF_ROW, _MOST_OF_FIELD, _AROUND_FIELD = 170_000, 20_000, 8_000, 300
_MOST_OF_NAME = 200
_MOST_FIELDS = 30
_NO_ANSWERS = "The rows of this report's jobs are kept without the answers of the model."
_SAME_ANSWERS = "Both jobs have the same answer of the model."
_NOT_READ = "What each job has of this row was not read, or its row index comes twice."


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """A field of a row.

    :param baseline: what the baseline has, where it is not the same; None where both have the same
    :param candidate: what this job has; None where it has no such field
    """

    name: str
    candidate: ShownText | None
    baseline: ShownText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPairView:
    """A row of both jobs.

    :param shared: fields that are the same in both: input and reference
    :param differing: those that are not: the answers
    :param note: what is not shown, in words
    """

    title: str
    what: str
    baseline: str
    candidate: str
    shared: tuple[FieldView, ...]
    differing: tuple[FieldView, ...]
    note: str


def changed_rows(verdict: Verdict) -> tuple[tuple[RowPairView, ...], tuple[RowPairView, ...]]:
    """The rows that got worse most, and those that got better most."""
    parts = [shown_rows(verdict, better=better) for better in (False, True)]
    room, left = _ROOM, sum(map(len, parts))
    views: list[list[RowPairView]] = [[], []]
    for part, rows in zip(views, parts, strict=True):
        for result, row in rows:
            found = _Row(verdict.workspace, result, row, room=min(_MOST_OF_ROW, room // left))
            part.append(found.view())
            room, left = room - found.used, left - 1
    return tuple(views[0]), tuple(views[1])


class _Row:
    """Writes one row.

    :param room: bytes that it may take
    """

    def __init__(self, workspace: str, result: CheckResult, row: Mapping[str, Any], *, room: int) -> None:
        self._row, self._result = row, result
        self._what = line(CheckView.of(result, workspace=workspace).what, 2 * _MOST_OF_NAME)
        self.used = cost(self._what) + 1_000
        self._room = room

    def view(self) -> RowPairView:
        records = self._result.changes.records if self._result.changes is not None else {}
        baseline, candidate = records.get(self._row["row_index"], (self._row["item"], self._row["item"]))
        names = list(dict.fromkeys([*candidate, *baseline]))
        same = {name for name in names if name in baseline and name in candidate}
        same = {name for name in same if _are_equal(baseline[name], candidate[name])}
        # Answers first, as there may be no room for all.
        differing = [name for name in names if name not in same]
        shown_names = [*differing, *(name for name in names if name in same)][:_MOST_FIELDS]
        fields = {name: self._field(name, baseline, candidate, is_same=name in same) for name in shown_names}
        notes = [f"and {len(names) - len(shown_names):,} more fields"] if len(names) > len(shown_names) else []
        notes += [] if differing else [self._nothing_differs()]
        return RowPairView(
            title=f"row {line(str(self._row['row_index']), 60)}",
            what=self._what,
            baseline=f"{self._row['baseline']:.4g}",
            candidate=f"{self._row['candidate']:.4g}",
            shared=tuple(view for name, view in fields.items() if name in same),
            differing=tuple(view for name, view in fields.items() if name not in same),
            note="; ".join(notes),
        )

    def _nothing_differs(self) -> str:
        """Why no answers are shown side by side."""
        changes, index = self._result.changes, self._row["row_index"]
        if changes is None or index not in changes.records:
            return _NOT_READ
        return _SAME_ANSWERS if index in changes.answered else _NO_ANSWERS

    def _field(
        self, name: str, baseline: Mapping[str, Any], candidate: Mapping[str, Any], *, is_same: bool
    ) -> FieldView:
        most = max(min(_MOST_OF_FIELD, (self._room - self.used) // 3, self._room // 2), 100)
        shown_name = line(name, _MOST_OF_NAME)
        mine = shown(candidate[name], most) if name in candidate else None
        theirs = shown(baseline[name], most) if name in baseline and not is_same else None
        sides = [side for side in (mine, theirs) if side is not None]
        self.used += cost(shown_name) + sum(_AROUND_FIELD + cost(side.text) for side in sides)
        return FieldView(name=shown_name, candidate=mine, baseline=theirs)


def _are_equal(one: Any, other: Any) -> bool:
    return one is other or canonical(one) == canonical(other)
