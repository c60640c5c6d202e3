"""A file's name says what it is: one that says something else is refused before anything is downloaded."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.store import Place, RowOptions


@pytest.mark.parametrize(
    ("name", "arguments", "advice"),
    [
        ("/x/rows.parquet", {}, 'has the name of a parquet file, and format is "jsonl": set format="parquet"'),
        ("s3://b/{{ ds }}.CSV", {}, 'set format="csv"'),
        ("/x/rows.jsonl", {"format": "parquet"}, 'set format="jsonl"'),
        ("/x/rows.jsonl.gz", {}, 'packed with gzip, and compression is None: set compression="gzip"'),
        ("/x/rows.zst", {"compression": "gzip"}, 'set compression="zstd"'),
        ("/x/rows.csv.gz", {"format": "csv"}, "packed with gzip, and compression is None: give it another ending"),
    ],
)
def test_another_ending_than_the_format_has_is_refused(name, arguments, advice):
    with pytest.raises(ConfigurationError, match=advice):
        RowOptions.of(Place(name), **arguments)
    with pytest.raises(ConfigurationError, match=f'task "t": destination .*{advice}'):
        DownloadRowScoresOperator(task_id="t", job_name="j", destination=name, **arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("/x/rows.parquet", {"format": "parquet"}),
        ("/x/rows.jsonl.gz", {"compression": "gzip"}),
        ("/x/rows.jsonl", {"compression": "zstd"}),
        ("/x/rows", {"format": "csv"}),
        ("/x/rows.json", {}),
        ("/x/rows.csv", {"format": "parquet", "partition_by": "category"}),
    ],
)
def test_endings_that_fit_or_say_nothing_are_taken(name, arguments):
    assert RowOptions.of(Place(name), **arguments).place == Place(name)


@pytest.mark.parametrize("name", ["/x/scores.csv", "/x/scores.parquet", "/x/scores.json.gz"])
def test_aggregate_scores_are_json_and_nothing_else(name):
    with pytest.raises(ConfigurationError, match="destination .*has the name of a .*: give it another ending"):
        DownloadAggregateScoresOperator(task_id="t", job_name="j", destination=name)
    DownloadAggregateScoresOperator(task_id="t", job_name="j", destination="/x/scores.json")
