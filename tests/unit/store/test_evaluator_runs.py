"""Results of other evaluators in a score store; the files are those of the real evaluators."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from airflow_provider_benchmarks.benchmarks.recorded import RecordedBenchmark
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold, WithinHistory, evaluate
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource, load_scores
from airflow_provider_benchmarks.scores import read_results
from airflow_provider_benchmarks.store import ScoreStore, store_results

RECORDED = Path(__file__).parents[2] / "recorded" / "evaluators"
CASES = [("lm-eval", "trivia", "exact_match"), ("inspect_ai", "trivia", "match"), ("nel", "trivia", "reward")]
CASES.append(("lighteval", "trivia|0", "em"))


@pytest.fixture
def store(tmp_path):
    return ScoreStore(str(tmp_path / "store"))


@pytest.mark.parametrize(("tool", "task", "metric"), CASES)
class TestEachEvaluator:
    def test_a_job_has_all_that_was_read(self, store, tool, task, metric):
        (stored,) = store_results(RECORDED / tool / "better", store, task=task)
        read = read_results(RECORDED / tool / "better", task=task)
        assert (stored.job, stored.workspace, stored.benchmark) == (read.job, tool, f"{tool}/{task}")
        loaded = store.scores(store.get(stored.job, workspace=tool, benchmark=stored.benchmark))
        assert loaded.benchmark == read.benchmark
        assert loaded.aggregate.to_json() == read.aggregate.to_json()
        columns = list(read.rows.columns)
        assert loaded.rows[columns].equals(read.rows)
        assert loaded.rows.attrs["call_errors"] == read.rows.attrs["call_errors"]

    def test_storing_again_changes_nothing(self, store, tool, task, metric):
        first, second = (store_results(RECORDED / tool / "better", store, task=task)[0] for _ in range(2))
        assert first == second
        assert store.job_names(workspace=tool, benchmark=first.benchmark) == [first.job]

    def test_checks_work_on_what_is_stored(self, store, tool, task, metric):
        better, worse = (
            store_results(RECORDED / tool / run, store, task=task, benchmark="qa/trivia")[0]
            for run in ("better", "worse")
        )
        assert better.workspace == "qa"
        history = store.history(workspace="qa", benchmark="qa/trivia")
        assert [job.job for job in history] == [worse.job, better.job]
        score = "strict" if tool == "lm-eval" else None
        checks = [
            Threshold(metric, score=score, at_least=0.5, max_error_rate=0.2),
            NoRegression(metric, score=score, min_count=5, max_error_rate=0.2),
        ]
        source = FolderSource(
            checks=checks, candidate_path=store.job_folder(worse), baseline_paths={"": store.job_folder(better)}
        )
        threshold, comparison = run_gate(checks, source).results
        assert threshold.outcome == "fail"
        assert comparison.observed < -0.3, comparison.reason
        assert comparison.details["pairs"] == threshold.count
        past = [load_scores(store.job_folder(better), ()).scores] * 5
        within = evaluate([WithinHistory(metric, score=score)], store.scores(worse), history=past).results[0]
        assert within.observed == threshold.observed


def change_rows(folder, **values):
    """Change each line of the samples of lm-eval, and leave the harness's own scores out."""
    (samples,), (results,) = folder.rglob("samples_trivia*"), folder.rglob("results_*")
    samples.write_text("\n".join(json.dumps(json.loads(line) | values) for line in samples.read_text().splitlines()))
    data = json.loads(results.read_text())
    data["results"]["trivia"] = {}
    results.write_text(json.dumps(data))


def test_another_run_of_the_same_time_is_another_job(store, tmp_path):
    """Two variants of a task may have begun in one second, and a run may be scored again."""
    folder = Path(shutil.copytree(RECORDED / "lm-eval" / "better", tmp_path / "again"))
    change_rows(folder, exact_match=0.0)
    paths = (RECORDED / "lm-eval" / "better", folder, RECORDED / "lm-eval" / "better", folder)
    stored = [store_results(path, store, task="trivia")[0] for path in paths]
    assert [job.aggregate.get("exact_match", "strict").mean for job in stored] == [6 / 9, 0, 6 / 9, 0]
    assert stored[0].job != stored[1].job
    assert (stored[2], stored[3]) == (stored[0], stored[1])
    assert len({job.created_at for job in stored}) == 1
    assert len(store.job_names(workspace="lm-eval", benchmark="lm-eval/trivia")) == 2


def test_two_versions_of_a_task_are_not_compared(store, tmp_path):
    folder = Path(shutil.copytree(RECORDED / "lm-eval" / "worse", tmp_path / "other"))
    (results,) = folder.rglob("results_*")
    data = json.loads(results.read_text())
    data["n-shot"]["trivia"] = 5
    results.write_text(json.dumps(data))
    paths = {"few": folder, "none": RECORDED / "lm-eval" / "better"}
    jobs = {name: store_results(path, store, task="trivia", benchmark="qa/t")[0] for name, path in paths.items()}
    assert jobs["few"].content["task"]["num_fewshot"] == 5
    manifest = json.loads(Path(store.job_folder(jobs["few"]), "manifest.json").read_text())
    assert manifest["benchmark_hash"] == RecordedBenchmark("qa/t", jobs["few"].content).content_hash
    checks = [NoRegression("exact_match", score="strict", min_count=5)]
    few, none = (store.job_folder(jobs[name]) for name in ("few", "none"))
    (result,) = run_gate(checks, FolderSource(checks=checks, candidate_path=few, baseline_paths={"": none})).results
    assert result.outcome == "fail"
    assert "another version of the benchmark was measured: task.num_fewshot is 5 and was 0" in result.reason


def test_each_benchmark_of_a_run_is_a_job_of_its_own(store):
    stored = store_results(RECORDED / "lm-eval" / "better", store)
    assert [job.benchmark for job in stored] == ["lm-eval/colours", "lm-eval/trivia"]
    assert stored[0].created_at == stored[1].created_at


def test_several_benchmarks_are_not_stored_as_one(store):
    with pytest.raises(ConfigurationError, match='2 benchmarks, which can\'t all be "qa/all": colours, trivia'):
        store_results(RECORDED / "lm-eval" / "better", store, benchmark="qa/all")


@pytest.mark.parametrize("benchmark", ["", "trivia", "/trivia", "qa/", "qa/a/b"])
def test_a_benchmark_needs_its_workspace(store, benchmark):
    with pytest.raises(ConfigurationError, match='expected a benchmark as "workspace/name"'):
        store_results(RECORDED / "nel" / "better", store, benchmark=benchmark)


def test_what_is_missing_is_named(store, monkeypatch):
    monkeypatch.setattr("airflow_provider_benchmarks.extras.find_spec", lambda module: None)
    with pytest.raises(ConfigurationError, match=r"needs pyarrow and xxhash: install .*\[parquet\]"):
        store_results(RECORDED / "nel" / "better", store)
    for tool in ("inspect_ai", "lighteval"):
        with pytest.raises(ConfigurationError, match=r"need pyarrow: install airflow-provider-benchmarks\[parquet\]"):
            read_results(RECORDED / tool / "better")
    for tool in ("lm-eval", "nel"):
        assert read_results(RECORDED / tool / "better", task="trivia").rows is not None


def test_items_and_tasks_of_any_names_are_stored(store, tmp_path):
    folder = Path(shutil.copytree(RECORDED / "nel" / "better", tmp_path / "run"))
    (rows,), (bundle,) = folder.rglob("results.jsonl"), folder.rglob("eval-*.json")
    odd = {"prompt": "half \ud800", "expected_answer": {"a": [1, None]}, "metadata": {"category": ["x"]}}
    odd |= {"scorer_rewards": {"row_index": 1, "prompt": 0.5, "\ud800": 1}, "scoring_details": {}}
    lines = [json.dumps(json.loads(line) | odd) for line in rows.read_text().splitlines()]
    rows.write_text("\n".join(lines))
    data = json.loads(bundle.read_text())
    data["benchmark"]["name"] = "a/b \ud800 ü"
    bundle.write_text(json.dumps(data))
    (stored,) = store_results(folder, store)
    assert stored.benchmark == "nel/a:b \\ud800 ü"
    loaded, read = store.scores(stored), read_results(folder)
    assert loaded.aggregate.to_json() == read.aggregate.to_json()
    assert len(loaded.rows) == 18
    assert loaded.aggregate.get("prompt").mean == 0.5
