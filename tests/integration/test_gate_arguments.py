"""What a gate can be given, and what it says of anything else."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, ObjectStoragePath

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoDrift, NoRegression, Threshold, WithinHistory
from airflow_provider_benchmarks.operators.gates import (
    BenchmarkGateBranchOperator,
    BenchmarkGateOperator,
    PinBaselineOperator,
)
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from tests.support import gate_jobs
from tests.support.contexts import task_context

CHECK = Threshold("m", at_least=0.5)


@pytest.fixture
def dag():
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)) as made:
        yield made


@pytest.fixture
def output(dag):
    """The output of a task, which is not known before the DAG runs."""
    return BaseOperator(task_id="before").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "has no checks"),
        ({"checks": [Threshold("m", at_least=1)], "policy": "p.yaml"}, "give checks or a policy file, not both"),
        ({"checks": [Threshold("m", at_least=1)], "report": "x.pdf"}, "the report must end in .md, .html, .json, .xml"),
        ({"checks": [Threshold("m", at_least=1)], "if_inconclusive": "no"}, "must be fail, warn or pass"),
    ],
)
def test_a_wrong_gate_fails_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        BenchmarkGateOperator(task_id="gate", job_name="j", **arguments)


LIST = (
    'gate "gate": checks must be a list of Threshold, NoRegression, WithinHistory or NoDrift objects, or of dicts with '
    "their"
)


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        (CHECK, "; put it into brackets: checks=[…]"),
        ({"metric": "m", "at_least": 0.5}, "found {'metric': 'm', 'at_least': 0.5}; put it into brackets: checks=[…]"),
        ("policies/release.yaml", "found 'policies/release.yaml'; a policy file is named with policy=\"…\""),
        (["exact-match"], "found 'exact-match'"),
        ([CHECK, None], "found None"),
        ([[CHECK]], "found [Threshold("),
        (0.5, "found 0.5"),
    ],
)
def test_checks_that_are_none_are_reported_with_what_to_write(checks, message):
    with pytest.raises(ConfigurationError) as caught:
        BenchmarkGateOperator(task_id="gate", job_name="j", checks=checks)
    assert str(caught.value).startswith(LIST)
    assert message in str(caught.value)


@pytest.mark.parametrize("wrap", [lambda output: output, lambda output: [output]])
def test_checks_of_another_task_need_mapping(output, wrap):
    with pytest.raises(ConfigurationError) as caught:
        BenchmarkGateOperator(task_id="gate", job_name="j", checks=wrap(output))
    assert str(caught.value).startswith(LIST)
    assert "found the output of a task" in str(caught.value)
    assert "a task that gives a list of such lists: .partial(…).expand(checks=…)" in str(caught.value)


class TestNoScoreStore:
    """What is in a score store can't be compared with where there is none, and nothing is shown so."""

    @pytest.mark.parametrize("store", [None, ""])
    @pytest.mark.parametrize(
        ("check", "baseline", "wanted"),
        [
            (NoRegression("m"), None, 'the baseline "pinned"'),
            (NoRegression("m"), "last_passed", 'the baseline "last_passed"'),
            (NoRegression("m", baseline="previous"), "release-1", 'the baseline "previous"'),
            (WithinHistory("m"), "release-1", "the history"),
            (NoDrift("m"), "release-1", "the history"),
        ],
    )
    def test_it_is_reported_when_the_dag_is_parsed(self, tmp_path, store, check, baseline, wanted):
        (tmp_path / "policy.json").write_text(json.dumps({"checks": [{"type": check.kind, **check.to_dict()}]}))
        for where in ({"checks": [CHECK, check]}, {"policy": str(tmp_path / "policy.json")}):
            with pytest.raises(ConfigurationError) as caught:
                BenchmarkGateOperator(
                    task_id="gate", job_name="j", baseline=baseline, store=store, if_no_baseline="warn", **where
                )
            other = ', or name a job with baseline="…"' if isinstance(check, NoRegression) else ""
            assert str(caught.value) == (
                f'gate "gate": {check.kind} of m looks at {wanted} of a score store, and there is none: set store=, or '
                f"[benchmarks] score_store{other}"
            )

    @pytest.mark.parametrize("baseline", ["release-1", "/scores/release-1", "{{ params.released }}"])
    def test_a_job_needs_none(self, baseline):
        BenchmarkGateOperator(task_id="gate", job_name="j", checks=[NoRegression("m")], baseline=baseline)
        BenchmarkGateOperator(task_id="own", job_name="j", checks=[NoRegression("m", baseline=baseline)])

    def test_what_is_not_known_yet_is_checked_when_the_task_runs(self, output):
        for number, arguments in enumerate(({"store": "{{ params.store }}"}, {"store": output}, {"baseline": output})):
            BenchmarkGateOperator(task_id=f"gate-{number}", job_name="j", checks=[NoRegression("m")], **arguments)

    def test_one_that_airflow_is_configured_with(self, monkeypatch):
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__SCORE_STORE", "s3://scores")
        BenchmarkGateOperator(task_id="gate", job_name="j", checks=[NoRegression("m"), WithinHistory("m")])
        with pytest.raises(ConfigurationError, match="there is none"):  # an empty text means none
            BenchmarkGateOperator(task_id="gate", job_name="j", checks=[NoRegression("m")], store="")


def test_outputs_of_other_tasks_as_paths(output):
    names = ("job_name", "baseline", "store", "report")
    operator = BenchmarkGateOperator(task_id="gate", checks=[CHECK], **dict.fromkeys(names, output))
    assert {name: getattr(operator, name) for name in names} == dict.fromkeys(names, output)
    assert operator.upstream_task_ids == {"before"}
    assert BenchmarkGateOperator(task_id="by-policy", job_name="j", policy=output).policy is output


@pytest.mark.parametrize("path", [Path("/x/report.md"), ObjectStoragePath("s3://bucket/report.md"), "/x/report.md"])
def test_path_objects(path):
    operator = BenchmarkGateOperator(task_id="gate", job_name="j", checks=[CHECK], report=path, store=path)
    assert (operator.report, operator.store) == (str(path), str(path))


def test_a_report_that_is_a_template_with_an_end_of_its_own():
    BenchmarkGateOperator(
        task_id="gate", job_name="j", checks=[CHECK], report="{% if x %}a.md{% else %}b.md{% endif %}"
    )


@pytest.mark.parametrize(
    "kind", [BenchmarkGateOperator, partial(BenchmarkGateBranchOperator, follow_if_passed="a", follow_if_failed="b")]
)
def test_templates_in_checks_are_rendered(service, dag, kind):
    gate_jobs.run_job(service, "old"), gate_jobs.run_job(service, "new")
    checks = [
        {"type": "no_regression", "metric": "{{ params.metric }}", "baseline": "{{ params.released }}"},
        Threshold("m", at_least=0.1, where={"category": ["{{ params.category }}", "{{ params.category }}"]}),
        CHECK,
    ]
    operator = kind(task_id="gate", job_name="new", checks=checks)
    operator.do_branch = lambda context, chosen: None
    context = {**task_context(), "params": {"metric": "m", "released": "old", "category": "math"}}
    operator.execute(context)
    ((_, verdict),) = context["ti"].values
    assert [(result["outcome"], result.get("group")) for result in verdict["results"]] == [
        ("pass", None),
        ("pass", "category in math, math"),
        ("pass", None),
    ]
    assert verdict["results"][0]["check"]["baseline"] == "old"
    assert operator.checks[2] is CHECK


def test_a_dag_with_gates_can_be_stored(tmp_path):
    """As the scheduler sees it: without what only the worker needs, but whole enough to run."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialized
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialized

    checks = [CHECK, NoRegression("m", key=["a", "b"], where={"x": {"above": 1}}), WithinHistory("m"), NoDrift("m")]
    report = str(tmp_path / "{{ ds }}.md")
    arguments = {"job_name": "{{ params.job }}", "baseline": "last_passed", "store": str(tmp_path), "report": report}
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        BenchmarkGateOperator(task_id="gate", checks=checks, **arguments)
        BenchmarkGateOperator.partial(task_id="by-job", checks=checks).expand(job_name=["a", "b"])
        BenchmarkGateOperator.partial(task_id="by-check", job_name="a").expand(checks=[[check] for check in checks])
    stored = Serialized.from_dict(Serialized.to_dict(dag))
    gate = stored.get_task("gate")
    assert {name: getattr(gate, name) for name in arguments} == arguments
    mapped = {task.task_id for task in stored.tasks if type(task).__name__.endswith("MappedOperator")}
    assert (set(stored.task_ids), mapped) == ({"gate", "by-job", "by-check"}, {"by-job", "by-check"})


@pytest.mark.parametrize("name", [2026, None, "None", "", ["job-1"]])
@pytest.mark.parametrize(
    "operator",
    [
        lambda name: BenchmarkGateOperator(task_id="t", job_name=name, checks=[Threshold("m", at_least=0)]),
        lambda name: PinBaselineOperator(task_id="t", job_name=name, store="/nowhere"),
        lambda name: DownloadAggregateScoresOperator(task_id="t", job_name=name),
        lambda name: DownloadRowScoresOperator(task_id="t", job_name=name),
        lambda name: BenchmarkJobSensor(task_id="t", job_name=name),
        lambda name: BenchmarkJobSensor(task_id="t", job_name=name, deferrable=True),
    ],
)
def test_a_job_name_that_a_template_made_another_thing(operator, name):
    with pytest.raises(ConfigurationError, match="job_name must be the name of a job, found"):
        operator(name).execute(task_context())


@pytest.mark.parametrize("name", [None, "None"])
def test_a_name_that_an_upstream_task_did_not_return(name):
    """A template makes a text of None, unless it is rendered as a native object."""
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        gate = BenchmarkGateOperator(task_id="gate", job_name="{{ params.job }}", checks=[Threshold("m", at_least=0)])
        BaseOperator(task_id="run") >> gate
    gate.job_name = name
    told = "the upstream task (run) that it comes from returned nothing, or was skipped. Let it return the job's name."
    with pytest.raises(ConfigurationError) as caught:
        gate.execute(task_context())
    assert str(caught.value) == f'task "gate": job_name must be the name of a job, found {name!r}: {told}'


def test_a_baseline_that_an_upstream_task_did_not_return():
    gate = BenchmarkGateOperator(
        task_id="gate", job_name="job-1", baseline="None", checks=[NoRegression("m")], store="/nowhere"
    )
    with pytest.raises(
        ConfigurationError, match="task \"gate\": baseline must be the name of a job, found 'None': the up"
    ):
        gate.execute(task_context())
