"""A job whose spec or custom fields hold numbers that JSON has not is stored all the same."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.store import ScoreStore

AGGREGATE = AggregateScores.from_json(
    {"results": [{"metric": "ws/m", "scores": [{"name": "m", "count": 1, "mean": 1}]}]}
)


@pytest.mark.parametrize("levels", [300, 3000])
@pytest.mark.parametrize("part", ["spec", "custom_fields"])
def test_what_could_not_be_read_again_is_not_stored(tmp_path: Path, part, levels):
    deep: dict[str, object] = {}
    for _ in range(levels):
        deep = {"a": deep}
    job = BenchmarkJob(name="job-1", workspace="ws", benchmark="ws/b", status="completed", **{part: deep})
    with pytest.raises(IncompleteResults, match="job-1.* can't be stored, as its spec or its custom fields could not"):
        ScoreStore(str(tmp_path)).add(job, AGGREGATE, store_rows=None)
    assert not [*tmp_path.rglob("*.json")]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("part", ["spec", "custom_fields"])
def test_it_is_stored_as_null(tmp_path: Path, part, number):
    odd = {part: {"params": {"a": [number]}}}
    job = BenchmarkJob(name="job-1", workspace="ws", benchmark="ws/b", status="completed", **odd)
    stored = ScoreStore(str(tmp_path)).add(job, AGGREGATE, store_rows=None)
    assert stored.job == "job-1"
    (file,) = tmp_path.rglob("job.json")
    assert json.loads(file.read_text())[part] == {"params": {"a": [None]}}
