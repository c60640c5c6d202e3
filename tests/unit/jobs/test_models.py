from __future__ import annotations

from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStep


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
