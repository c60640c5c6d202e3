"""Read from stored row scores what checks need, and no more."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_benchmarks.gates.check import Check
from airflow_provider_benchmarks.gates.result import CheckResult
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.scores.columns import SAMPLE
from airflow_provider_benchmarks.scores.frames import ITEM_HASH, SCORE_COLUMNS, STORED_ITEMS

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

#: An item, and the model's outputs.
_Record: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Any]]
#: Those of the baseline, and of the candidate.
_Records: TypeAlias = tuple[_Record, _Record]


def must_have_rows(checks: Sequence[Check]) -> bool:
    """True if a check needs row scores."""
    return any(check.needs().rows for check in checks)


def should_read_rows(checks: Sequence[Check], aggregate: AggregateScores) -> bool:
    """True if a check needs row scores, or a score has rows without a value: only the rows have the reasons.

    A score that does not say how many such rows it has may have some.
    """
    return must_have_rows(checks) or any(score.nan_count != 0 for score in _checked_scores(checks, aggregate))


def without_rows(scores: JobScores) -> JobScores:
    """The scores of a job whose rows no installed package can read, and no check needs; logs what is unknown then."""
    logger.warning(
        'The rows of benchmark job "%s" are not looked at, as pyarrow is not installed: which of those without a value '
        "are calls of the model that failed is not known, and each counts for both limits, max_nan_fraction and "
        "max_error_rate. Install airflow-provider-benchmarks[parquet] to tell them apart.",
        scores.job,
    )
    return replace(scores, rows_unread=True)


def read_rows(
    checks: Sequence[Check], aggregate: AggregateScores, path: Any, *, renamed: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read the columns that checks need from a Parquet file.

    :param path: a local path or an Airflow ObjectStoragePath
    :param renamed: names that metrics have in the aggregate scores, by those that they have in the file, where these
        are others
    """
    fields = [name for check in checks for name in check.needs().fields]
    return _read(path, _checked_scores(checks, aggregate), fields, renamed or {})


def read_all_scores(aggregate: AggregateScores, path: Any, *, renamed: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read the columns of all scores, and no field of the items, from a Parquet file.

    :param path: as of :func:`read_rows`
    :param renamed: the same
    """
    return _read(path, aggregate.scores, (), renamed or {})


def _read(
    path: Any, scores: Sequence[AggregateScore], fields: Sequence[str], renamed: Mapping[str, str]
) -> pd.DataFrame:
    from airflow_provider_benchmarks.scores.selected_rows import read_selected_rows

    in_file = {now: earlier for earlier, now in renamed.items()}
    columns = {f"{in_file.get(s.metric, s.metric)}:{s.name}": f"{s.metric}:{s.name}" for s in scores}
    frame = read_selected_rows(path, scores=[*(score.name for score in scores), *columns], fields=fields)
    frame = frame.rename(columns=columns)
    frame.attrs[SCORE_COLUMNS] = [columns.get(name, name) for name in frame.attrs[SCORE_COLUMNS]]
    return frame


def add_item_hashes(jobs: Sequence[tuple[JobScores, Any]], *, by_field: bool = False) -> None:
    """Add a column to the rows of some jobs that is equal where the items of two rows are.

    :param jobs: scores with the rows of :func:`read_rows`, and the path of the Parquet file of the rows
    :param by_field: what a field adds can be taken from the column, for checks of repeats
    """
    import pandas as pd

    from airflow_provider_benchmarks.scores.selected_rows import StoredItems, number_items

    numbers = number_items([path for _, path in jobs], by_field=by_field)
    for (scores, path), hashes in zip(jobs, numbers, strict=True):
        assert scores.rows is not None
        scores.rows[ITEM_HASH] = pd.Series(hashes, index=scores.rows.index, copy=False)
        scores.rows.attrs[STORED_ITEMS] = StoredItems(path)


def numbered_rows(jobs: Sequence[tuple[JobScores, Any]]) -> list[pd.DataFrame]:
    """Rows of some jobs with the column of :func:`add_item_hashes`, by which they compare with one another only.

    :param jobs: scores with rows, and the path of the Parquet file of the rows
    """
    copies = []
    for scores, path in jobs:
        assert scores.rows is not None
        rows = scores.rows.copy(deep=False)
        rows.attrs = scores.rows.attrs
        copies.append((replace(scores, rows=rows), path))
    add_item_hashes(copies)
    return [scores.rows for scores, _ in copies if scores.rows is not None]


def with_items(verdict: Verdict, path: Any) -> Verdict:
    """Add the items of the rows that got worse or better most; the comparison itself read no more than it needed.

    A row whose index comes twice keeps what was read, its key: the index does not tell which row it is.

    :param path: the candidate's Parquet file
    """
    indices = {row["row_index"] for result in verdict.results for row in (*result.worst, *_best(result))}
    if not indices:
        return verdict
    from airflow_provider_benchmarks.scores.selected_rows import read_items

    items = read_items(path, sorted(indices))

    def shown(result: CheckResult, rows: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
        return tuple({**row, "item": _shown(items.get(row["row_index"], row["item"]), result.check)} for row in rows)

    results = [
        replace(
            r,
            worst=shown(r, r.worst),
            changes=None if r.changes is None else replace(r.changes, best=shown(r, r.changes.best)),
        )
        for r in verdict.results
    ]
    return replace(verdict, results=tuple(results))


def _best(result: CheckResult) -> Sequence[Mapping[str, Any]]:
    return () if result.changes is None else result.changes.best


def with_records(verdict: Verdict, candidate: Any, baselines: Mapping[str, Any]) -> Verdict:
    """Add what both jobs have of the rows that a report shows: all fields of their items, and the model's outputs.

    :param candidate: the candidate's file of row scores
    :param baselines: those of the baselines, by their names in checks
    """
    from airflow_provider_benchmarks.gates.row_changes import shown_rows
    from airflow_provider_benchmarks.scores.row_records import read_row_records

    wanted: dict[str, set[tuple[Any, Any]]] = {}
    for result, row in [*shown_rows(verdict, better=False), *shown_rows(verdict, better=True)]:
        own = {} if result.changes is None else result.changes.baseline_rows
        name = result.check.needs().baseline or ""
        if name in baselines and row["row_index"] in own:
            wanted.setdefault(name, set()).add((row["row_index"], own[row["row_index"]]))
    # By both indices: checks with other keys pair a row with another one of the same baseline.
    found: dict[str, dict[tuple[Any, Any], _Records]] = {}
    for name, rows in wanted.items():
        mine = read_row_records(candidate, {index for index, _ in rows})
        theirs = read_row_records(baselines[name], {own for _, own in rows})
        found[name] = {(i, own): (theirs[own], mine[i]) for i, own in rows if i in mine and own in theirs}

    def with_own(result: CheckResult) -> CheckResult:
        records = found.get(result.check.needs().baseline or "")
        if result.changes is None or not records:
            return result
        pairs = {
            index: pair for index, own in result.changes.baseline_rows.items() if (pair := records.get((index, own)))
        }
        changes = replace(
            result.changes,
            records={index: _joined(*pair) for index, pair in pairs.items()},
            answered=frozenset(index for index, pair in pairs.items() if any(outputs for _, outputs in pair)),
        )
        return replace(result, changes=changes)

    return replace(verdict, results=tuple(map(with_own, verdict.results)))


def _joined(*records: _Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of each job the item and the model's outputs; outputs with the name of a field of either have a longer name."""
    names: dict[str, str] = {}
    fields = {name for item, _ in records for name in item}
    for output in dict.fromkeys(name for _, outputs in records for name in outputs):
        name = output
        while name in fields or name in names.values():
            name = f"{SAMPLE}.{name}"
        names[output] = name
    baseline, candidate = ({**item, **{names[n]: value for n, value in outputs.items()}} for item, outputs in records)
    return baseline, candidate


def _shown(item: Mapping[str, Any], check: Check) -> dict[str, Any]:
    """An item without the field that tells its repeats apart, where a check takes them for one."""
    repeat_by = check.needs().repeat_by
    return {name: value for name, value in item.items() if name != repeat_by}


def _checked_scores(checks: Sequence[Check], aggregate: AggregateScores) -> list[AggregateScore]:
    """The scores of the metrics that the checks name."""
    metrics = {check.metric for check in checks}
    return [s for s in aggregate.scores if s.metric in metrics or s.metric.rpartition("/")[2] in metrics]
