"""Load what checks look at from stored scores, and no more."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import missing, require
from airflow_provider_benchmarks.gates.checks import Check
from airflow_provider_benchmarks.gates.no_regression import NoRegression
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.scores.frames import ITEM_HASH
from airflow_provider_benchmarks.scores.json_values import parse_json
from airflow_provider_benchmarks.scores.stored_files import filesystem_of

if TYPE_CHECKING:
    import pandas as pd

#: Names of baselines that stand for whatever a score store has under them, and not for one job.
PINNED, LAST_PASSED, PREVIOUS = "pinned", "last_passed", "previous"
STORED_BASELINES = (PINNED, LAST_PASSED, PREVIOUS)
AGGREGATE_FILE = "aggregate-scores.json"
MANIFEST_FILE = "manifest.json"
ROWS_FILES = ("row-scores.parquet", "row-scores.jsonl", "row-scores.jsonl.gz", "row-scores.jsonl.zst")
#: Those that pyarrow reads.
_BY_PYARROW = (".parquet", ".zst")

logger = logging.getLogger(__name__)


def must_have_rows(checks: Sequence[Check]) -> bool:
    """Whether a check can't be judged by aggregate scores: comparisons, slices and some statistics look at rows."""
    return any(check.needs_rows or isinstance(check, NoRegression) for check in checks)


def need_rows(checks: Sequence[Check], aggregate: AggregateScores) -> bool:
    """Whether rows are to be looked at: where a check can't do without, and to tell why rows have no value."""
    return must_have_rows(checks) or any(score.nan_count for score in _asked(checks, aggregate))


def judged_without_rows(scores: JobScores) -> JobScores:
    """Scores of a job whose rows nothing here can read, and no check must have; says in the log what is not known then."""
    logger.warning(
        'The rows of benchmark job "%s" are not looked at, as pyarrow is not installed: which of those without a value '
        "are calls of the model that failed is not known, and each counts for both limits, max_nan_fraction and "
        "max_error_rate. Install airflow-provider-benchmarks[parquet] to tell them apart.",
        scores.job,
    )
    return replace(scores, rows_unread=True)


def read_rows(checks: Sequence[Check], aggregate: AggregateScores, path: Any) -> pd.DataFrame:
    """Read the columns that checks look at from a Parquet file.

    :param path: a local path or an Airflow ObjectStoragePath
    """
    from airflow_provider_benchmarks.scores.selected_rows import read_selected_rows

    names = [name for score in _asked(checks, aggregate) for name in (score.name, f"{score.metric}:{score.name}")]
    return read_selected_rows(path, scores=names, fields=[name for check in checks for name in check.fields])


def add_items(checks: Sequence[Check], sides: Sequence[tuple[JobScores, Any]]) -> None:
    """Add to rows that are to be compared what tells whether they are of the same item.

    :param sides: scores with what :func:`read_rows` gave of them, and the path that it was read from
    """
    if len(sides) < 2 or not any(isinstance(check, NoRegression) and not check.keys for check in checks):
        return
    import pandas as pd

    from airflow_provider_benchmarks.scores.selected_rows import number_items

    for (scores, _), numbers in zip(sides, number_items([path for _, path in sides]), strict=True):
        assert scores.rows is not None
        scores.rows[ITEM_HASH] = pd.Series(numbers, index=scores.rows.index, copy=False)


def with_items(verdict: Verdict, path: Any) -> Verdict:
    """Add the items of the rows that got worse most, which comparing did not need.

    :param path: the candidate's Parquet file
    """
    indices = {row["row_index"] for result in verdict.results for row in result.worst}
    if not indices:
        return verdict
    from airflow_provider_benchmarks.scores.selected_rows import read_items

    items = read_items(path, sorted(indices))
    results = [
        replace(r, worst=tuple({**row, "item": items.get(row["row_index"], {})} for row in r.worst))
        for r in verdict.results
    ]
    return replace(verdict, results=tuple(results))


def load_scores(path: str, checks: Sequence[Check]) -> tuple[JobScores, str | None]:
    """Load scores that were downloaded or are in a score store.

    :param path: a folder with ``aggregate-scores.json`` and, where there are row scores, ``row-scores.parquet`` or
        ``row-scores.jsonl`` (also ``.gz``, ``.zst``); or a file of aggregate scores. Local, a URL that fsspec opens, or
        one that names an Airflow connection (``s3://connection@bucket/folder``, where Airflow is installed)
    :return: the scores, and the path of their Parquet file
    :raises IncompleteResults: the aggregate scores can't be read
    :raises OSError: there is nothing at the path
    """
    filesystem, place = filesystem_of(path)
    is_folder = filesystem.isdir(place)
    file = f"{place.rstrip('/')}/{AGGREGATE_FILE}" if is_folder else place
    try:
        aggregate = AggregateScores.from_json(parse_json(filesystem.cat_file(file)))
    except ValueError as error:
        raise IncompleteResults(f"{file} holds no aggregate scores: {error}") from error
    folder = place.rstrip("/") if is_folder else None
    scores = JobScores(aggregate, **{"job": place.rstrip("/").rpartition("/")[2], **_described(filesystem, folder)})
    rows = next((row for row in ROWS_FILES if folder and filesystem.exists(f"{folder}/{row}")), None)
    if rows is None or not need_rows(checks, aggregate):
        return scores, None
    if rows.endswith(_BY_PYARROW) and missing("pyarrow"):
        if must_have_rows(checks):
            require(f"{path}: the checks look at rows, and to read {rows} they need", "pyarrow")
        return judged_without_rows(scores), None
    from airflow_provider_benchmarks.scores import read_row_scores

    rows_path = f"{path.rstrip('/')}/{rows}"
    if rows.endswith(".parquet"):
        return replace(scores, rows=read_rows(checks, aggregate, rows_path)), rows_path
    return replace(scores, rows=read_row_scores(rows_path)), None


def _described(filesystem: Any, folder: str | None) -> dict[str, Any]:
    """What a score store says of a job: its name, its benchmark, its dataset."""
    if folder is None or not filesystem.exists(f"{folder}/{MANIFEST_FILE}"):
        return {}
    manifest = parse_json(filesystem.cat_file(f"{folder}/{MANIFEST_FILE}"))
    return {key: str(manifest[key]) for key in ("job", "benchmark", "dataset") if manifest.get(key)}


def load_compared(
    candidate: str, baselines: Mapping[str, str], checks: Sequence[Check]
) -> tuple[JobScores, dict[str, JobScores], str | None]:
    """Load the scores of a candidate and what it is compared with, as :func:`load_scores` does.

    :param baselines: paths, by the name that checks give to the baseline
    :return: the candidate, the baselines by name, and the path of the candidate's Parquet file
    """
    from airflow_provider_benchmarks.scores import read_row_scores

    found = [load_scores(candidate, checks)]
    places = {path: place for place, path in enumerate(dict.fromkeys(baselines.values()), start=1)}
    found += [load_scores(path, checks) for path in places]
    with_rows = [(scores, path) for scores, path in found if scores.rows is not None]
    if all(path for _, path in with_rows):
        add_items(checks, with_rows)
    else:  # a side that is JSONL holds its items as they are
        found = [(replace(scores, rows=read_row_scores(path)) if path else scores, path) for scores, path in found]
    named = {name: found[places[path]][0] for name, path in baselines.items()}
    return found[0][0], named, found[0][1]


def _asked(checks: Sequence[Check], aggregate: AggregateScores) -> list[AggregateScore]:
    metrics = {check.metric for check in checks}
    return [s for s in aggregate.scores if s.metric in metrics or s.metric.rpartition("/")[2] in metrics]
