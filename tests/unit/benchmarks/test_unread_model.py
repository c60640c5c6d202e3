"""Which jobs are run with a model that no metric reads: all models would get the same scores."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, unread_model

ITEM, SAMPLE = "{{item.output}}", "{{ sample.output_text | lower }}"
EXACT = {"type": "exact-match", "reference": "{{item.reference}}"}
CHECK = {"type": "string-check", "operation": "contains", "left_template": ITEM, "right_template": ITEM}
JUDGE = {"type": "llm-judge", "scores": [], "prompt_template": {"messages": [{"role": "user", "content": ITEM}]}}


def warning_of(*metrics, model="ws/model", benchmark=None):
    bodies = {f"ws/m{place}": metric for place, metric in enumerate(metrics)}
    benchmark = benchmark or Benchmark("ws/qa", dataset="ws/rows", metrics=bodies)
    template = None if model is None else "{{item.question}}"
    return unread_model(JobRequest(benchmark, model=model, prompt_template=template))


@pytest.mark.parametrize(
    "metric",
    [
        {**EXACT, "candidate": ITEM},
        {**EXACT, "candidate": ITEM, "description": "of the sample"},
        {**EXACT, "candidate": "{{item.sampled}} of a sample"},
        CHECK,
        JUDGE,
    ],
)
def test_metrics_of_the_rows_alone_are_told(metric):
    warning = warning_of(metric, {**EXACT, "candidate": ITEM})
    assert warning is not None
    assert warning.startswith("ws/qa: no metric reads what the model returns, so that every model gets the same scores")
    assert "(ws/m0, ws/m1)" in warning
    assert "{{sample.output_text}}" in warning


@pytest.mark.parametrize(
    "metric",
    [
        {**EXACT, "candidate": SAMPLE},
        EXACT,  # without a candidate it takes the model's
        {**CHECK, "left_template": "{% if sample %}1{% endif %}"},
        {**JUDGE, "prompt_template": {"messages": [{"role": "user", "content": SAMPLE}]}},
        {"type": "llm-judge", "scores": []},
        {"type": "tool-calling", "reference": ITEM},
        {"type": "of-tomorrow", "reference": ITEM},
    ],
)
def test_one_metric_that_may_read_the_model_is_enough(metric):
    assert warning_of({**EXACT, "candidate": ITEM}, metric) is None


def test_without_a_model_and_of_a_stored_benchmark_nothing_is_told():
    assert warning_of({**EXACT, "candidate": ITEM}, model=None) is None
    assert warning_of(benchmark="ws/stored") is None
