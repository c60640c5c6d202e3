"""How the scores of paired rows changed: the rows that changed most, and how many changed by how much."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_benchmarks.gates.pairing import PairedScores, items_in, json_value
from airflow_provider_benchmarks.scores.equality import canonical

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.pairing import Values
    from airflow_provider_benchmarks.gates.result import CheckResult
    from airflow_provider_benchmarks.gates.verdict import Verdict

#: Number of rows that a result shows; of each of many groups, fewer of those that got better.
WORST_ROWS = 10
_BETTER_OF_GROUP = 2
#: Bins of a histogram: an odd number, so that 0 is in the middle of one.
_BINS = 41


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChanges:
    """The changes of one score, for a report; no part of a verdict's data.

    :param worse: number of rows that got worse
    :param same: number of rows whose scores are equal
    :param better: number of rows that got better
    :param largest: the largest change, whatever its sign; the histogram is from its negative to it
    :param counts: number of rows that changed in each bin of the histogram, candidate − baseline
    :param best: the rows that got better most, as a result has those that got worse most
    :param baseline_rows: the baseline's own row index of each row that is shown, by the candidate's
    :param records: what each job has of these rows, the baseline's first, by the candidate's row index; empty where
        that was not read, and without rows whose index comes twice
    :param answered: row indices of those of which a job has answers of the model
    """

    worse: int
    same: int
    better: int
    largest: float
    counts: tuple[int, ...]
    best: tuple[Mapping[str, Any], ...] = ()
    baseline_rows: Mapping[Any, Any] = field(default_factory=dict)
    records: Mapping[Any, tuple[Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=dict)
    answered: Collection[Any] = frozenset()

    @classmethod
    def of(cls, pairs: PairedScores, *, higher_is_better: bool, of_group: bool) -> Self:
        """Count the changes of pairs in which both have a value."""
        import numpy as np

        change = pairs.first - pairs.second
        largest = float(np.abs(change).max(initial=0.0))
        changed = change[change != 0]
        counts = np.histogram(changed, bins=_BINS, range=(-largest, largest))[0] if changed.size else ()
        signed = change if higher_is_better else -change
        worst = _most_negative(signed, WORST_ROWS)
        best = _most_negative(-signed, _BETTER_OF_GROUP if of_group else WORST_ROWS)
        own = {}
        if pairs.repeats is None:
            index = pairs.rows.index if pairs.baseline_index is None else pairs.baseline_index
            for place in (*worst.tolist(), *best.tolist()):
                own[json_value(pairs.rows.index[place])] = json_value(index[place])
        return cls(
            worse=int((signed < 0).sum()),
            same=int(change.size - changed.size),
            better=int((signed > 0).sum()),
            largest=largest,
            counts=tuple(map(int, counts)),
            best=_rows_at(pairs, best),
            baseline_rows=own,
        )


def worst_rows(pairs: PairedScores, *, higher_is_better: bool) -> tuple[dict[str, Any], ...]:
    """The rows that got worse most, worst first; of equal ones the first."""
    change = (pairs.first - pairs.second) * (1 if higher_is_better else -1)
    return _rows_at(pairs, _most_negative(change, WORST_ROWS))


def shown_rows(verdict: Verdict, *, better: bool) -> list[tuple[CheckResult, Mapping[str, Any]]]:
    """The rows that a report shows, each once: of the checks that did not pass, or of all where these have none.

    :param better: those that got better, in place of those that got worse
    """
    found: dict[tuple[Any, ...], dict[Any, tuple[CheckResult, Mapping[str, Any]]]] = {}
    missed = [result for result in verdict.results if not result.passed and _rows_of(result, better=better)]
    for result in missed or verdict.results:
        of_score = found.setdefault((result.metric, result.score, result.baseline), {})
        for row in _rows_of(result, better=better):
            place = row_identity(row)
            if place not in of_score or (not of_score[place][0].group and result.group):
                of_score[place] = result, row
    # The changes of two scores do not compare: each has its turn.
    turns = zip_longest(*(sorted(of_score.values(), key=_change) for of_score in found.values()))
    return [each for turn in turns for each in turn if each is not None][:WORST_ROWS]


def row_identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells a row of a result from others: rows that are paired by a key may share a row index."""
    try:
        item = canonical(row["item"])
    except RecursionError:  # nested too deeply to be compared
        item = ""
    return (row["row_index"], row["candidate"], row["baseline"], item)


def _rows_of(result: CheckResult, *, better: bool) -> Sequence[Mapping[str, Any]]:
    if not better:
        return result.worst
    return () if result.changes is None else result.changes.best


def _change(shown: tuple[CheckResult, Mapping[str, Any]]) -> float:
    _, row = shown
    change: float = row["candidate"] - row["baseline"]
    return -abs(change)


def _most_negative(change: Values, most: int) -> Any:
    """Places of the most negative changes, in their order; of equal ones the first."""
    import numpy as np

    (lost,) = np.nonzero(change < 0)
    if lost.size > most:
        # Of rows that are as bad as the last one shown, the first are shown.
        lost = lost[change[lost] <= np.partition(change[lost], most - 1)[most - 1]]
    return lost[np.argsort(change[lost], kind="stable")][:most]


def _rows_at(pairs: PairedScores, places: Any) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "row_index": json_value(pairs.rows.index[place]),
            "candidate": float(pairs.first[place]),
            "baseline": float(pairs.second[place]),
            "item": item,
        }
        for place, item in zip(places.tolist(), items_in(pairs.rows, places), strict=True)
    )
