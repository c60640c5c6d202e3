"""A model that got worse on a part of the rows only, evaluated by the real platform."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed
from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE, Seeder
from tests.support.airflow_runs import connection
from tests.support.contexts import task_context

pytestmark = pytest.mark.releases("0.1")

ROWS = 80


def answers(wrong: set[int]) -> list[dict[str, str]]:
    """Questions, of which a quarter is about math, with a model's answers."""
    return [
        {
            "input": f"Question {i}?",
            "output": "no idea" if i in wrong else f"answer {i}",
            "reference": f"answer {i}",
            "category": "math" if i % 4 == 0 else "prose",
        }
        for i in range(ROWS)
    ]


@pytest.fixture(scope="module")
def jobs(platform):
    """Two jobs of one benchmark: the second model fails at half of the math, and is better at prose."""
    benchmark = f"{EXAMPLE_WORKSPACE}/sliced"
    with pytest.MonkeyPatch.context() as patch, Seeder(platform.url) as seeder:
        patch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection(platform.url))
        hook = BenchmarkHook()
        models = {"before": set(range(1, 20, 4)), "after": set(range(0, ROWS, 8))}
        for name, wrong in models.items():
            dataset = seeder.dataset(EXAMPLE_WORKSPACE, "sliced", answers(wrong))
            if name == "before":
                seeder.benchmark(
                    EXAMPLE_WORKSPACE, "sliced", metrics=[f"{EXAMPLE_WORKSPACE}/exact-match"], dataset=dataset
                )
            hook.submit_job({"benchmark": benchmark, "params": {"parallelism": 4}}, name=f"sliced-{name}")
            hook.wait_for_job(f"sliced-{name}", poll_interval=1, timeout=1800)
        yield {"job_name": "sliced-after", "baseline": "sliced-before"}


def gate(*checks, **jobs):
    return BenchmarkGateOperator(task_id="gate", checks=checks, **jobs).execute(task_context())


def test_the_whole_passes_and_the_slice_is_stopped(platform, jobs, monkeypatch, capsys, caplog):
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection(platform.url))
    whole = NoRegression("exact-match", key="input", margin=0.1)
    verdict = gate(whole, Threshold("exact-match", at_least=0.85), **jobs)
    assert verdict["outcome"] == "pass"
    assert verdict["results"][0]["observed"] == pytest.approx(-5 / ROWS)
    with pytest.raises(GateFailed) as caught:
        gate(whole, NoRegression("exact-match", key="input", margin=0.1, by="category"), **jobs)
    assert "exact-match difference [category = math]: exact-match fell by 50 points" in str(caught.value)
    log = capsys.readouterr().out + caplog.text
    assert "exact-match [category = math] 1 → 0  input: Question 0?, output: no idea, reference: answer 0" in log
