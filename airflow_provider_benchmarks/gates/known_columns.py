"""What the columns of a frame are, where the frame itself does not say it.

A frame that somebody made has no attributes, and pandas drops those of a frame that it merges, joins or concatenates.
The aggregate scores say which columns are scores.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores import JobScores
from airflow_provider_benchmarks.scores.column_names import without_number
from airflow_provider_benchmarks.scores.columns import INFERENCE_ERROR, ROW_INDEX
from airflow_provider_benchmarks.scores.frames import CALL_ERRORS, ITEM_HASH, PLACE, SCORE_COLUMNS
from airflow_provider_benchmarks.scores.json_values import LABEL

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.scores import AggregateScore


def with_known_columns(scores: JobScores) -> JobScores:
    """The scores of a job with rows that say which of their columns are scores, and for which the call failed.

    What the frame says of itself counts; the user's own frame stays as it is. Names of columns become texts.

    :raises ConfigurationError: two columns have one name
    """
    if scores.rows is None:
        return scores
    rows = _with_text_names(scores.rows, scores.job)
    columns = [column for score in scores.aggregate.scores for column in _columns_of(score, rows)]
    known = list(dict.fromkeys([*rows.attrs.get(SCORE_COLUMNS, ()), *columns]))
    attrs = {CALL_ERRORS: None, **rows.attrs, SCORE_COLUMNS: known}
    rows = _by_row_index(rows)
    if attrs[CALL_ERRORS] is None:
        attrs[CALL_ERRORS] = list(rows.index[rows[INFERENCE_ERROR].notna()]) if INFERENCE_ERROR in rows.columns else []
    if rows is scores.rows and attrs == rows.attrs:
        return scores
    rows = rows.copy(deep=False)
    rows.attrs = attrs
    return replace(scores, rows=rows)


def _with_text_names(rows: pd.DataFrame, job: str) -> pd.DataFrame:
    # The package's own labels are no texts, so that no field can have them.
    names = [name if name in (ITEM_HASH, PLACE) else str(name) for name in rows.columns.tolist()]
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        of_job = f' of "{shortened(job)}"' if job else ""
        raise ConfigurationError(f'two columns of the rows{of_job} are named "{shortened(twice)}": rename one of them')
    if names == list(rows.columns):
        return rows
    named = rows.set_axis(names, axis="columns")
    named.attrs = {**rows.attrs}
    if SCORE_COLUMNS in rows.attrs:
        named.attrs[SCORE_COLUMNS] = list(map(str, rows.attrs[SCORE_COLUMNS]))
    return named


def _columns_of(score: AggregateScore, rows: pd.DataFrame) -> list[str]:
    """The columns of a score, and of its labels."""
    # One number for the whole job has no column: one of its name is a field of the items.
    if score.count == 1 < len(rows):
        return []
    long = f"{score.metric}:{score.name}"
    if {long, score.name} & set(map(without_number, rows.attrs.get(SCORE_COLUMNS, ()))):
        return []  # the frame says it itself
    # The short name is a field's where the score has the long one.
    column = long if long in rows.columns else score.name
    return [name for name in (column, f"{column}{LABEL}") if name in rows.columns]


def _by_row_index(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows under their row indices, which stored files have as a column."""
    if ROW_INDEX not in rows.columns or rows.index.name == ROW_INDEX:
        return rows
    return rows.set_index(ROW_INDEX)
