"""A task in the place of its result: what to write instead."""

from __future__ import annotations

from datetime import datetime

import pytest
from airflow.providers.common.compat.sdk import DAG, task, task_group

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.operators.gates import (
    BenchmarkGateBranchOperator,
    BenchmarkGateOperator,
    PinBaselineOperator,
)
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator, StoreResultsOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from tests.support.contexts import task_context

CHECKS = [Threshold("m", at_least=0.5)]
GATE = {"job_name": "j", "checks": CHECKS}


@pytest.fixture
def run():
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        yield RunBenchmarkJobOperator(task_id="run", spec={"benchmark": "w/b"})


#: Arguments that take the results of other tasks, with what stands beside them.
ARGUMENTS = pytest.mark.parametrize(
    ("kind", "name", "beside"),
    [
        (BenchmarkGateOperator, "job_name", GATE),
        (BenchmarkGateOperator, "baseline", GATE),
        (BenchmarkGateOperator, "report", GATE),
        (BenchmarkGateOperator, "aliases", GATE),
        (BenchmarkGateOperator, "policy", {"job_name": "j"}),
        (BenchmarkJobSensor, "job_name", {}),
        (PinBaselineOperator, "store", {"job_name": "j"}),
        (DownloadRowScoresOperator, "job_name", {}),
        (DownloadRowScoresOperator, "destination", {"job_name": "j"}),
        (StoreResultsOperator, "path", {"store": "/s"}),
        (RunBenchmarkJobOperator, "benchmark", {}),
        (RunBenchmarkJobOperator, "spec", {}),
        (RunBenchmarkJobOperator, "model", {"benchmark": "w/b"}),
        (RunBenchmarkJobOperator, "workspace", {"benchmark": "w/b"}),
    ],
)


@ARGUMENTS
def test_a_task_itself_is_refused_and_its_result_is_taken(run, kind, name, beside):
    with pytest.raises(ConfigurationError, match=rf'"t": {name}: found the task "run" itself: .*{name}=run\.output'):
        kind(**{**beside, "task_id": "t", name: run})
    kind(**{**beside, "task_id": "t2", name: run.output})


@ARGUMENTS
@pytest.mark.parametrize("of_a_task", [True, False])
def test_an_argument_of_a_mapped_task_group_is_taken(run, kind, name, beside, of_a_task):
    made = []

    @task_group
    def group(value):
        made.append(kind(**{**beside, "task_id": "t", name: value}))

    group.expand(value=run.output if of_a_task else ["a", "b"])
    words = "the result of task run" if of_a_task else "an argument of the task group"
    assert made[0].given_argument(name) == words


def test_a_text_of_an_argument_of_a_mapped_task_group_is_refused(run):
    @task_group
    def group(value):
        BenchmarkGateOperator(task_id="gate", **GATE, report=f"/reports/{value}.md")

    with pytest.raises(ConfigurationError, match=r'"group\.gate": report: found .*is no text yet'):
        group.expand(value=["a", "b"])


def test_names_within_a_map_may_be_arguments_of_a_mapped_task_group(run):
    @task_group
    def group(value):
        BenchmarkGateOperator(task_id="gate", **GATE, aliases={"exact-match": value})
        model = {"url": "http://models.example.com", "name": value}
        RunBenchmarkJobOperator(task_id="run2", benchmark="w/b", model=model)

    group.expand(value=["w/a", "w/b"])


def test_what_takes_no_result_of_a_task_says_so(run):
    with pytest.raises(ConfigurationError, match="prompt_template has the service's own templates"):
        RunBenchmarkJobOperator(task_id="t", benchmark="w/b", model="w/m", prompt_template=run.output)
    with pytest.raises(ConfigurationError, match="follow_if_failed must be a text, or several"):
        BenchmarkGateBranchOperator(task_id="t2", **GATE, follow_if_passed="a", follow_if_failed=run.output)


@pytest.mark.parametrize("model", [None, "", "None", 5, [1], {}, {"url": "u", "name": None}, {"url": "u", "name": ""}])
def test_a_model_that_a_task_has_not_given_is_refused_before_the_submit(run, model):
    operator = RunBenchmarkJobOperator(task_id="t", benchmark="w/b", model=run.output)
    operator.model = model
    with pytest.raises(ConfigurationError, match=r'task "t": model .*the result of task run'):
        operator.execute(task_context())


def test_the_checks_are_no_argument_of_a_mapped_task_group(run):
    @task_group
    def group(checks):
        BenchmarkGateOperator(task_id="gate", job_name="j", checks=checks)

    with pytest.raises(ConfigurationError, match=r"map the gate over a task .*expand\(checks="):
        group.expand(checks=[[CHECKS[0].to_dict()]])


def test_a_task_in_a_mapping_or_not_called_yet_or_among_names(run):
    @task
    def choose():
        return "j"

    with pytest.raises(
        ConfigurationError, match=r'spec: found the task "run" itself: give its result, spec=run\.output'
    ):
        RunBenchmarkJobOperator(task_id="t3", spec={"benchmark": "w/b", "params": [run]})
    with pytest.raises(
        ConfigurationError, match=r"job_name: found a task's function itself: call it, job_name=choose\(\)"
    ):
        BenchmarkJobSensor(task_id="t4", job_name=choose)
    with pytest.raises(ConfigurationError, match=r"follow_if_passed: found .* its name, run\.task_id"):
        BenchmarkGateBranchOperator(task_id="t5", **GATE, follow_if_passed=run, follow_if_failed="x")
