"""A folder that nothing describes: its rows are those that its aggregate scores were made of, or are not judged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.gates.rows_of_aggregate import require_rows_of
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource
from airflow_provider_benchmarks.scores import AggregateScores, row_scores_frame
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows

WHOLE = [1.0] * 15 + [0.0] * 25
CHECKS = [
    Threshold("m", at_least=0.8, where={"part": "a"}),
    Threshold("m", at_least=0.8, by="part"),
    NoRegression("m", margin=0.3, mode="prove"),
]


def folder(path, values, *, aggregate_of=None, row_format="jsonl"):
    """The scores of a job; the aggregate scores may be those of other values."""
    path.mkdir()
    counted = np.array(values if aggregate_of is None else aggregate_of)
    score = {"name": "s", "count": counted.size, "nan_count": 0, "mean": counted.mean()}
    scores = {"results": [{"metric": "w/m", "scores": [score]}]}
    (path / "aggregate-scores.json").write_text(json.dumps(scores))
    lines = [
        json.dumps({"row_index": i, "item": {"part": "a"}, "metrics": {"w/m": [{"name": "s", "value": v}]}}).encode()
        for i, v in enumerate(values)
    ]
    place = Place(str(path / f"row-scores.{row_format}"))
    store_rows([b"\n".join(lines)], place, row_format=RowFormat(name=row_format))
    return str(path)


@pytest.mark.parametrize("row_format", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("values", "figures"),
    [
        (WHOLE[:15], "it has 15 rows, and .*/aggregate-scores.json counts 40"),
        ([1.0] * 40, 'the mean of "s" of w/m is 1 in its rows, and 0.375 there'),
        ([*WHOLE, 1.0], 'it has 41 values of "s" of w/m, and .*/aggregate-scores.json counts 40'),
        ([*WHOLE[:39], None], 'it has 39 values of "s" of w/m, and .*/aggregate-scores.json counts 40'),
    ],
)
@pytest.mark.parametrize("check", CHECKS)
def test_rows_that_are_cut_short_or_of_another_job_are_refused(tmp_path, values, figures, row_format, check):
    odd = folder(tmp_path / "odd", values, aggregate_of=WHOLE, row_format=row_format)
    own = folder(tmp_path / "own", WHOLE, row_format=row_format)
    message = f"odd/row-scores.{row_format} does not have the rows of .*odd/aggregate-scores.json: {figures}.* Put both"
    for paths in [(odd, own)] + ([(own, odd)] if isinstance(check, NoRegression) else []):
        source = FolderSource(checks=[check], candidate_path=paths[0], baseline_paths={"": paths[1]})
        with pytest.raises(IncompleteResults, match=message):
            run_gate([check], source)


@pytest.mark.parametrize("row_format", ["jsonl", "parquet"])
def test_rows_of_the_job_are_judged(tmp_path, row_format):
    rng = np.random.default_rng(7)
    values = rng.normal(1e6, 1, 1000).tolist()
    path = folder(tmp_path / "own", values, row_format=row_format)
    check = Threshold("m", at_least=0.8, where={"part": "a"})
    assert run_gate([check], FolderSource(checks=[check], candidate_path=path)).passed


def require(values, score, **more):
    """Compare rows of these values with an aggregate score."""
    rows = [
        RowScore(row_index=i, item={}, sample={}, metrics={} if v is ... else {"w/m": {"s": v}})
        for i, v in enumerate(values)
    ]
    aggregate = AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [{"name": "s", **score}]}], **more})
    require_rows_of(aggregate, row_scores_frame(rows), file="rows", aggregate_file="aggregate")


@pytest.mark.parametrize(
    ("values", "score"),
    [
        pytest.param([1.0, 0.0], {}, id="an aggregate that says nothing"),
        pytest.param([1.0, 0.0], {"mean": None, "count": 2, "nan_count": None}, id="one that says half"),
        pytest.param([..., ..., ...], {"count": 1, "nan_count": 0, "mean": 31.7}, id="one number for the whole job"),
        pytest.param([..., ..., ...], {"score_type": "scalar", "value": 31.7}, id="a scalar"),
        pytest.param([1.0, ..., 0.0], {"count": 2, "nan_count": 0, "mean": 0.5}, id="a failed call is not counted"),
        pytest.param([1.0, np.nan], {"count": 1, "nan_count": 1, "mean": 1.0}, id="a row without a value"),
        pytest.param([1.0, np.inf], {"count": 2, "nan_count": 0, "mean": None}, id="an infinity is counted"),
        pytest.param([True, False], {"count": 2, "nan_count": 0, "mean": 0.5}, id="booleans"),
        pytest.param(["a", "b"], {"count": 2, "nan_count": 0}, id="labels"),
        pytest.param([1e308, -1e308, 1e308], {"count": 3, "mean": 1e308 / 3}, id="the sum is beyond floats"),
        pytest.param([1 / 3, 2 / 3], {"count": 2, "mean": 0.4999999}, id="fewer digits"),
        pytest.param([0.0, 0.0], {"count": 2, "mean": 0.0, "min": 0, "max": 0}, id="zeros"),
    ],
)
def test_what_services_count_otherwise_is_no_difference(values, score):
    require(values, score)


@pytest.mark.parametrize(
    ("values", "score"),
    [
        ([1e308, -1e308, 1e308], {"count": 3, "mean": 1e307}),
        ([..., ...], {"count": 2, "nan_count": 0}),
        ([1.0, 0.0], {"count": 2, "nan_count": 1}),
        ([1.0, 0.0], {"count": 3}),
        ([1.0, 0.0], {"mean": 0.6}),
    ],
)
def test_what_is_a_difference(values, score):
    if values[0] is ...:
        values = [None, None]
    with pytest.raises(IncompleteResults, match="rows does not have the rows of aggregate"):
        require(values, score)


@pytest.mark.parametrize("digits", [3, 4, 5])
def test_a_rounded_mean_is_the_same(digits):
    values = list(np.random.default_rng(1).random(100))
    mean = round(float(np.mean(values)), digits)
    require(values, {"mean": mean})
    with pytest.raises(IncompleteResults, match="the mean of"):
        require(values, {"mean": mean + 10.0**-digits})
