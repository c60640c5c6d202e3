"""A score store with three jobs of a benchmark, the last of which is worse."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.gates import Threshold, evaluate
from airflow_provider_benchmarks.store import ScoreStore
from tests.support.stored_scores import store_job

#: Names of metrics: one as people write it, and one with marks of rich, of HTML and of a terminal.
METRICS = ("w/exact-match", "w/[bold]x[/bold]<b>\x1b[31m\n")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("AIRFLOW__BENCHMARKS__SCORE_STORE", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    found = ScoreStore(str(tmp_path / "store"))
    for day, (name, bad) in enumerate([("release-7", 20), ("night-1", 22), ("night-2", 50)], 1):
        job = store_job(found, name, [float(i >= bad) for i in range(100)], metrics=METRICS, day=day)
        verdict = evaluate([Threshold("exact-match", at_least=0.7)], found.scores(job))
        found.add_verdict(job, "nightly.gate", verdict.to_dict())
    return found


@pytest.fixture
def command(store, monkeypatch):
    """Run a command on the store; return its exit code."""
    from airflow_provider_benchmarks.__main__ import main

    monkeypatch.chdir(store.root)
    return lambda *arguments: main([*arguments, "--store", store.root])
