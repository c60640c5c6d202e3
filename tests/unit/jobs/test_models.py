from __future__ import annotations

import math

import pytest

from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStep, RowCounts


def test_a_later_status_keeps_the_spec():
    job = BenchmarkJob(name="a", workspace="w", status="active", benchmark="w/b", spec={"benchmark": "w/b"})
    later = job.with_status(
        BenchmarkJob(
            name="a", workspace="w", status="completed", steps=(JobStep(name="evaluation", status="completed"),)
        )
    )
    assert later.status == "completed"
    assert (later.benchmark, later.spec) == ("w/b", {"benchmark": "w/b"})
    assert later.steps


def test_an_unknown_status_word_is_not_finished():
    job = BenchmarkJob(name="a", workspace="w", status="archived")
    assert job.status == "archived"
    assert not job.is_finished


@pytest.mark.parametrize("odd", ["N/A", 10**399, -(10**399), 2**70, math.nan, math.inf, -math.inf, 1e300, True, None])
def test_a_count_of_rows_that_is_none_is_not_known(odd):
    counts = RowCounts.from_json({"total": 10, "scored": odd, "errored": 1.0})
    assert counts == RowCounts(total=10, scored=None, errored=1)
