"""What OpenLineage's own extraction makes of a gate."""

from __future__ import annotations

import pytest
from airflow.providers.openlineage.extractors.base import DefaultExtractor

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed
from tests.integration.conftest import SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import task_context


@pytest.fixture
def gate(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
        wait_until_finished(client, "job-1")
    checks = [Threshold("exact-match", at_least=0.5), Threshold("string-check", at_least=0.9)]
    return BenchmarkGateOperator(task_id="gate", job_name="job-1", checks=checks)


def test_each_check_of_a_missed_gate_is_an_assertion_on_the_scores(gate, service) -> None:
    with pytest.raises(GateFailed):
        gate.execute(task_context())

    lineage = DefaultExtractor(gate).extract_on_failure(task_instance=None)

    assert lineage is not None
    (scores,) = lineage.inputs
    assert (scores.namespace, scores.name) == (
        f"nemo-evaluator://{service.url.removeprefix('http://')}",
        "my-workspace/job-1/scores",
    )
    found = scores.inputFacets["dataQualityAssertions"].assertions
    assert [(each.assertion, each.success, each.column) for each in found] == [
        ("mean ≥ 0.5", True, "my-workspace/exact-match:exact-match"),
        ("mean ≥ 0.9", False, "my-workspace/string-check:string-check"),
    ]


def test_a_gate_that_could_not_judge_says_nothing(gate) -> None:
    assert DefaultExtractor(gate).extract_on_failure(task_instance=None) is None


def test_texts_that_databases_refuse_are_replaced(gate) -> None:
    gate.checks = [Threshold("odd\0 metric", at_least=0.5), Threshold("exact-match\ud800", at_least=0)]
    with pytest.raises(GateFailed):
        gate.execute(task_context())
    (scores,) = DefaultExtractor(gate).extract_on_failure(task_instance=None).inputs
    found = [(each.assertion, each.column) for each in scores.inputFacets["dataQualityAssertions"].assertions]
    assert found == [
        ("mean ≥ 0.5", "odd␀ metric"),
        ("mean ≥ 0", "exact-match�"),
    ]
