"""What OpenLineage's own extraction makes of a gate."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, Asset
from airflow.providers.openlineage.extractors.base import DefaultExtractor, OperatorLineage
from openlineage.client.facet_v2 import data_quality_assertions_dataset, external_query_run

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import NotFound
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.masking import register_secrets
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed, PinBaselineOperator
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.store import ScoreStore
from tests.integration.conftest import SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import outlet_events, task_context


@pytest.fixture
def gate(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
        wait_until_finished(client, "job-1")
    checks = [Threshold("exact-match", at_least=0.5), Threshold("string-check", at_least=0.9)]
    return BenchmarkGateOperator(task_id="gate", job_name="job-1", checks=checks)


def lineage_of(gate: BenchmarkGateOperator) -> OperatorLineage:
    found = DefaultExtractor(gate).extract_on_failure(task_instance=None)
    assert found is not None
    return found


def test_each_check_of_a_missed_gate_is_an_assertion_on_the_scores(gate, service) -> None:
    with pytest.raises(GateFailed):
        gate.execute(task_context())

    (scores,) = lineage_of(gate).inputs
    assert (scores.namespace, scores.name) == (
        f"nemo-evaluator://{service.url.removeprefix('http://')}",
        "my-workspace/job-1/scores",
    )
    found = scores.inputFacets["dataQualityAssertions"].assertions
    assert [(each.assertion, each.success, each.column) for each in found] == [
        ("mean ≥ 0.5", True, "my-workspace/exact-match:exact-match"),
        ("mean ≥ 0.9", False, "my-workspace/string-check:string-check"),
    ]


def test_a_gate_that_could_not_judge_says_which_scores_it_was_to_judge(gate, service) -> None:
    gate.job_name = "job-2"
    with pytest.raises(NotFound):
        gate.execute(task_context())
    (scores,) = lineage_of(gate).inputs
    assert (scores.name, scores.inputFacets) == ("my-workspace/job-2/scores", {})


def test_a_gate_that_has_not_begun_says_nothing(gate) -> None:
    # Nothing that is no lineage at all: OpenLineage warns of that.
    assert lineage_of(gate) == OperatorLineage()


def test_a_further_try_tells_its_own(gate) -> None:
    with pytest.raises(GateFailed):
        gate.execute(task_context())
    gate.job_name, gate.baseline = "job-2", None
    with pytest.raises(NotFound):
        gate.execute(task_context())
    assert [scores.name for scores in lineage_of(gate).inputs] == ["my-workspace/job-2/scores"]


def test_texts_that_databases_refuse_are_replaced(gate) -> None:
    gate.checks = [Threshold("odd\0 metric", at_least=0.5), Threshold("exact-match\ud800", at_least=0)]
    with pytest.raises(GateFailed):
        gate.execute(task_context())
    (scores,) = lineage_of(gate).inputs
    found = [(each.assertion, each.column) for each in scores.inputFacets["dataQualityAssertions"].assertions]
    assert found == [
        ("mean ≥ 0.5", "odd␀ metric"),
        ("mean ≥ 0", "exact-match�"),
    ]


def test_secrets_are_masked(gate) -> None:
    register_secrets(["nvapi-of-nobody"])
    gate.checks = [Threshold("nvapi-of-nobody", at_least=0.5)]
    with pytest.raises(GateFailed):
        gate.execute(task_context())
    (scores,) = lineage_of(gate).inputs
    (found,) = scores.inputFacets["dataQualityAssertions"].assertions
    assert found.column == "***"
    assert "nvapi-of-nobody" not in repr(found)


def test_a_facet_that_can_not_be_made_costs_no_other(gate, monkeypatch, caplog) -> None:
    def refuse(**fields):
        raise ValueError("not this one")

    monkeypatch.setattr(external_query_run, "ExternalQueryRunFacet", refuse)
    with pytest.raises(GateFailed):
        gate.execute(task_context())
    lineage = lineage_of(gate)
    assert lineage.run_facets == {}
    assert list(lineage.inputs[0].inputFacets) == ["dataQualityMetrics", "dataQualityAssertions"]
    assert "Left out of OpenLineage's event: externalQuery (ValueError('not this one'))" in caplog.text


def test_an_older_client_has_fewer_fields(gate, monkeypatch) -> None:
    class Assertion:
        def __init__(self, assertion, success, column=None):
            self.assertion, self.success, self.column = assertion, success, column

    monkeypatch.setattr(data_quality_assertions_dataset, "Assertion", Assertion)
    with pytest.raises(GateFailed):
        gate.execute(task_context())
    found = lineage_of(gate).inputs[0].inputFacets["dataQualityAssertions"].assertions
    assert [each.success for each in found] == [True, False]


@pytest.mark.parametrize(("on_failure", "outputs"), [("skip", ["r.md"]), ("continue", ["r.md", "elsewhere"])])
def test_a_gate_that_skips_has_not_written_its_outlets(gate, tmp_path, on_failure, outputs) -> None:
    gate.on_failure, gate.report = on_failure, str(tmp_path / "r.md")
    gate.outlets = [Asset("s3://bucket/elsewhere")]
    context, state = {**task_context(), "outlet_events": outlet_events()}, "success"
    try:
        gate.execute(context)
    except AirflowSkipException:
        state = "skipped"
    found = DefaultExtractor(gate).extract_on_complete(task_instance=SimpleNamespace(state=state))
    assert found is not None
    assert [each.name.rpartition("/")[2] for each in found.outputs] == outputs


@pytest.mark.parametrize("kind", ["gate", "baseline", "rows", "aggregate", "pin"])
def test_what_the_service_has_purged_is_read_from_the_store(gate, tmp_path, kind) -> None:
    store = ScoreStore(str(tmp_path / "store"))
    folder = store.job_folder(gate.hook.store_job(store, "job-1"))
    if kind == "baseline":
        gate.hook.client.submit_job(SPEC, name="job-2")
        wait_until_finished(gate.hook.client, "job-2")
    gate.hook.client.delete_job("job-1")
    known = {"task_id": kind, "job_name": "job-1", "store": store.root}
    threshold = Threshold("exact-match", at_least=0.5)
    task = {
        "gate": lambda: BenchmarkGateOperator(**known, checks=[threshold]),
        "baseline": lambda: BenchmarkGateOperator(
            **{**known, "job_name": "job-2"},
            baseline="job-1",
            checks=[NoRegression("exact-match")],
            on_failure="continue",
        ),
        "rows": lambda: DownloadRowScoresOperator(**known, destination=str(tmp_path / "rows.jsonl")),
        "aggregate": lambda: DownloadAggregateScoresOperator(**known),
        "pin": lambda: PinBaselineOperator(**known),
    }[kind]()
    task.execute(task_context())
    found = DefaultExtractor(task).extract_on_complete(task_instance=None)
    assert found is not None
    judged = ["my-workspace/job-2/scores"] if kind == "baseline" else []
    assert sorted(each.name for each in found.inputs) == sorted([*judged, folder])
    (stored,) = (each for each in found.inputs if each.name == folder)
    assert "my-workspace/exact-match:exact-match" in stored.inputFacets["dataQualityMetrics"].columnMetrics
    written = {"rows": ["rows.jsonl"], "aggregate": [], "pin": ["_pinned.json"]}.get(kind)
    if written is not None:  # a gate adds its verdict
        assert [each.name.rpartition("/")[2] for each in found.outputs] == written
