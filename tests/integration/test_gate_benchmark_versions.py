"""What a job has measured goes into the score store with it, and gates compare that, wherever scores come from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, RecordedBenchmark
from airflow_provider_benchmarks.exceptions import GateFailed
from airflow_provider_benchmarks.gates import NoRegression
from airflow_provider_benchmarks.gates.sources import load_scores
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context

METRICS = {f"{WORKSPACE}/{name}": body for name, body in EXAMPLE_METRICS.items()}
STORED = Benchmark(BENCHMARK, dataset=f"{WORKSPACE}/qa", metrics=METRICS)
EXACT = f"{WORKSPACE}/exact-match"
CHANGED = replace(STORED, metrics={**METRICS, EXACT: {**METRICS[EXACT], "candidate": "{{item.output | lower}}"}})


@pytest.fixture
def hook(service):
    return BenchmarkHook()


@pytest.fixture
def store(tmp_path):
    return ScoreStore(str(tmp_path / "store"))


def submit(hook, name, benchmark):
    fields = RecordedBenchmark.of(benchmark).to_custom_fields()
    hook.client.submit_job(SPEC, name=name, custom_fields=fields)
    wait_until_finished(hook.client, name)


def gate(metric, **arguments):
    check = NoRegression(metric, margin=0.5, min_count=5)
    return BenchmarkGateOperator(task_id="gate", checks=[check], **arguments).execute(task_context())


def test_the_store_keeps_the_content_and_its_hash(hook, store):
    name = hook.submit_job(benchmark=STORED).name
    wait_until_finished(hook.client, name)
    stored = hook.store_job(store, name)
    assert stored.content == STORED.content
    assert store.scores(stored).content == STORED.content
    folder = f"{store.folder(WORKSPACE, BENCHMARK)}/{name}"
    manifest = json.loads((Path(folder) / "manifest.json").read_text())
    assert manifest["benchmark_hash"] == STORED.content_hash
    assert load_scores(folder, ()).scores.content == STORED.content


def test_a_job_without_a_benchmark_as_code_has_none(hook, store):
    name = hook.submit_job(SPEC).name
    wait_until_finished(hook.client, name)
    assert hook.store_job(store, name).content is None
    assert load_scores(f"{store.folder(WORKSPACE, BENCHMARK)}/{name}", ()).scores.content is None


@pytest.mark.parametrize("with_store", [True, False])
def test_a_gate_does_not_compare_two_versions_of_a_metric(hook, store, with_store):
    submit(hook, "old", STORED), submit(hook, "new", CHANGED)
    place = {"store": store.root} if with_store else {}
    with pytest.raises(GateFailed, match=r'candidate is "{{item.output \| lower}}" and was "{{item.output}}"'):
        gate("exact-match", job_name="new", baseline="old", **place)
    verdict = gate("string-check", job_name="new", baseline="old", **place)
    assert verdict["results"][0]["outcome"] != "fail"
