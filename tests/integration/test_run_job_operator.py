"""RunBenchmarkJobOperator on the local service, waiting inline and deferred."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskDeferred

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    InvalidRequest,
    JobCancelled,
    JobError,
    JobFailed,
    JobTimeout,
)
from airflow_provider_benchmarks.job_xcom import JOB_XCOM_KEY
from airflow_provider_benchmarks.operators._task_identity import identity_of
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, cancels, wait_until_finished
from tests.support.contexts import TaskInstance, run_task, task_context

LINK = "_link_BenchmarkJobLink"


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


class TestWaiting:
    def test_a_job_that_completes_returns_its_name(self, make, names):
        context = task_context()
        name = run_task(make(), context)
        assert names() == [name]
        assert name == identity_of(context).job_name()
        assert name.startswith("nightly-run-")

    def test_a_failed_job_raises_the_services_reason_and_its_last_log_lines(self, make, service):
        service.fail_jobs(BENCHMARK, "Job exited with code 1", root_error="'context' is undefined on row 17")
        with pytest.raises(JobFailed) as caught:
            run_task(make(), task_context())
        reason, _, lines = str(caught.value).partition(" Last log lines:")
        assert reason.startswith("'context' is undefined on row 17\nbenchmark job ")
        assert f"of benchmark {BENCHMARK} in workspace" in reason
        assert lines.strip()

    def test_the_log_ends_with_the_scores(self, make, service, task_log):
        run_task(make(), task_context())
        assert re.search(r"my-workspace/string-check +string-check +0\.8 +0\.4 +0 +1 +5 +0", task_log())

    def test_scores_that_can_not_be_shown_fail_nothing(self, make, service, task_log):
        service.inject(Fault.answer(404).on("GET", "*/results/*", times=None))
        assert run_task(make(), task_context())
        assert "The scores can't be shown here: " in task_log()

    def test_a_cancelled_job_is_an_error(self, make, service, client):
        service.hold_jobs("active")
        context = task_context()
        name = identity_of(context).job_name()
        context["ti"].on_push = lambda key: client.cancel_job(name)
        with pytest.raises(JobCancelled, match=f'"{name}".*was cancelled on the service'):
            run_task(make(), context)

    @pytest.mark.parametrize("timeout", [0.3, timedelta(seconds=0.3)])
    def test_a_job_that_takes_too_long_is_left_alone(self, make, service, client, timeout):
        service.hold_jobs("active")
        context = task_context()
        with pytest.raises(
            JobTimeout,
            match="did not end in time; last seen: .*It was waited for 0:00:00 .* It still runs, and is left run.*"
            "cancel_on_timeout=True",
        ):
            run_task(make(timeout=timeout), context)
        assert cancels(service) == []
        service.release_jobs()
        assert run_task(make(), context) == identity_of(context).job_name()

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.answer(500),
            Fault.answer(503),
            Fault.answer(401),
            Fault.answer(403),
            Fault.drop_connection(),
            Fault.malformed(b"<html>"),
        ],
    )
    def test_a_service_that_fails_for_a_while_is_waited_for(self, make, service, fault):
        injected = service.inject(fault.on("GET", "*/benchmark-jobs/*", times=2))
        assert run_task(make(), task_context())
        assert injected.fired == 2

    def test_a_token_that_stops_being_valid_ends_the_wait(self, make, service):
        service.hold_jobs("active")
        service.inject(Fault.answer(401).on("GET", "*/status", times=None, after=1))
        with pytest.raises(Exception, match="Set a valid API token"):
            run_task(make(poll_interval=0.001), task_context())

    def test_a_wrong_spec_has_the_services_own_message(self, make, names):
        with pytest.raises(InvalidRequest, match=r"spec\.offline\.foo: Extra inputs are not permitted"):
            run_task(make(spec={**SPEC, "foo": 1}), task_context())
        assert names() == []

    def test_the_job_and_its_link_are_pushed_before_the_wait(self, make, service):
        context = task_context()
        seen = []
        context["ti"].on_push = lambda key: seen.append(
            [r.path for r in service.requests if r.path.endswith("/status")]
        )
        name = run_task(make(), context)
        assert seen == [[], []]
        assert context["ti"].xcoms == [
            (JOB_XCOM_KEY, {"name": name, "workspace": WORKSPACE}),
            (LINK, f"{service.url}/apis/evaluation/v2/workspaces/{WORKSPACE}/benchmark-jobs/{name}"),
        ]

    def test_without_waiting_the_task_ends_when_the_job_is_submitted(self, make, service, client):
        service.hold_jobs("active")
        operator = make(wait_for_completion=False)()
        name = operator.execute(task_context())
        assert not client.get_status(name).is_finished
        operator.on_kill()
        assert cancels(service) == []


class TestDeferral:
    def test_the_deferral_ends_after_the_triggers_own_deadline(self, service):
        service.hold_jobs("active")
        operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, deferrable=True, timeout=100)
        with pytest.raises(TaskDeferred) as caught:
            operator.execute(task_context())
        assert caught.value.trigger.deadline is not None
        assert caught.value.timeout > timedelta(seconds=100)

    def test_no_timeout_no_deadline(self, service):
        service.hold_jobs("active")
        operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, deferrable=True, timeout=None)
        with pytest.raises(TaskDeferred) as caught:
            operator.execute(task_context())
        assert caught.value.trigger.deadline is None
        assert caught.value.timeout is None

    def test_the_tasks_execution_timeout_bounds_the_deferral(self, service):
        service.hold_jobs("active")
        limit = timedelta(seconds=50)
        operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, deferrable=True, execution_timeout=limit)
        with pytest.raises(TaskDeferred) as caught:
            operator.execute(task_context())
        assert caught.value.timeout == limit

    def test_what_the_try_took_before_it_deferred_counts(self, service):
        service.hold_jobs("active")
        limit = timedelta(hours=2)
        operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, deferrable=True, execution_timeout=limit)

        class Started(TaskInstance):
            start_date = datetime.now(UTC) - timedelta(hours=1)

        context = {**task_context(), "ti": Started()}
        with pytest.raises(TaskDeferred) as caught:
            operator.execute(context)
        assert timedelta(0) < caught.value.timeout <= timedelta(hours=1)

    def test_a_job_that_has_ended_needs_no_triggerer(self, service, client):
        context = task_context()
        operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, deferrable=True)
        context["ti"].on_push = lambda key: wait_until_finished(client, identity_of(context).job_name())
        assert operator.execute(context) == identity_of(context).job_name()

    @pytest.mark.parametrize(
        "event",
        [
            None,
            {},
            "completed",
            ["completed"],
            {"status": "completed"},
            {"job_name": "somebody-elses", "status": "completed"},
            {"job_name": "{name}", "status": "success"},
            {"job_name": "{name}", "status": "active"},
            {"job_name": "{name}", "status": None},
            {"job_name": "{name}", "status": "failed_to_wait", "message": "no right to this"},
        ],
    )
    def test_an_event_that_is_not_a_success_is_an_error(self, service, event):
        service.hold_jobs("active")
        context = task_context()
        make = lambda: RunBenchmarkJobOperator(task_id="run", spec=SPEC, deferrable=True)
        with pytest.raises(TaskDeferred) as caught:
            make().execute(context)
        name = identity_of(context).job_name()
        if isinstance(event, dict):
            event = {key: value.format(name=name) if value else value for key, value in event.items()}
        kwargs = {**(caught.value.kwargs or {}), "event": event}
        with pytest.raises(JobError):
            make().resume_execution(caught.value.method_name, kwargs, context)

    def test_the_reason_of_a_failure_is_requested_after_the_event(self, service, client):
        # The event has only the status. The reason comes from the service.
        service.fail_jobs(BENCHMARK, "Job exited with code 1", root_error="no such column")
        context = task_context()
        name = RunBenchmarkJobOperator(task_id="run", spec=SPEC, wait_for_completion=False).execute(context)
        wait_until_finished(client, name)
        event = {"job_name": name, "workspace": None, "status": "error"}
        with pytest.raises(JobFailed, match="no such column"):
            run_again(name, event, context)

    def test_a_failed_job_that_is_gone_is_still_a_failure(self, service, client):
        context = task_context()
        with pytest.raises(JobFailed, match='"gone"'):
            run_again("gone", {"job_name": "gone", "workspace": None, "status": "error"}, context)


def run_again(name, event, context):
    """Resume on a new instance with an event."""
    operator = RunBenchmarkJobOperator(task_id="run", spec=SPEC, deferrable=True)
    return operator.resume_execution("execute_complete", {"event": event}, context)


class TestTemplates:
    def render(self, **arguments):
        with DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1)):
            operator = RunBenchmarkJobOperator(task_id="run", wait_for_completion=False, **arguments)
        context = {"ds": "2026-01-02", "params": {"benchmark": BENCHMARK, "model": "m/x"}, "conn": "mine", "ws": "qa"}
        operator.render_template_fields(context)
        return operator

    def test_the_prompt_template_is_the_services_and_the_rest_airflows(self):
        prompt = {"messages": [{"role": "user", "content": "{{item.input}} {% if x %}{{ ds }}{% endif %}"}]}
        spec = {
            "benchmark": "{{ params.benchmark }}",
            "model": {"name": "{{ params.model }}", "tags": ["{{ ds }}", 1, None]},
            "prompt_template": prompt,
            "inner": {"prompt_template": "{{item.output}}", "day": "{{ ds }}"},
            "agent": {
                "name": "{{ params.model }}",
                "body": {"message": "{{ prompt }}", "ds": "{{ messages | tojson }}"},
            },
        }
        operator = self.render(spec=spec, job_name="nightly-{{ ds }}", conn_id="{{ conn }}", workspace="{{ ws }}")
        assert operator.spec == {
            "benchmark": BENCHMARK,
            "model": {"name": "m/x", "tags": ["2026-01-02", 1, None]},
            "prompt_template": prompt,
            "inner": {"prompt_template": "{{item.output}}", "day": "2026-01-02"},
            "agent": {"name": "m/x", "body": {"message": "{{ prompt }}", "ds": "{{ messages | tojson }}"}},
        }
        assert (operator.job_name, operator.conn_id, operator.workspace) == ("nightly-2026-01-02", "mine", "qa")

    def test_metrics_and_rows_in_a_spec_are_the_services_too(self):
        bundle = {"metric_type": "f1", "payload": {"metric": {"candidate": "{{item.output}}", "note": "{{ ds }}"}}}
        rows = [{"question": "What does {{ ds }} mean?"}]
        spec = {"metrics": [bundle, "my-workspace/{{ ds }}"], "params": {"metrics": ["{{ ds }}", {"a": "{{ ds }}"}]}}
        rendered = {"metrics": [bundle, "my-workspace/2026-01-02"], "params": {"metrics": ["2026-01-02"]}}
        rendered["params"]["metrics"].append({"a": "2026-01-02"})
        assert self.render(spec={**spec, "dataset": rows}).spec == {**rendered, "dataset": rows}
        assert self.render(spec={**spec, "dataset": "{{ conn }}/qa"}).spec == {**rendered, "dataset": "mine/qa"}

    def test_the_service_gets_the_prompt_template_as_it_was_written(self, service):
        service.add_model("my-workspace/model")
        spec = {
            "benchmark": "{{ params.benchmark }}",
            "model": "my-workspace/model",
            "prompt_template": "{{item.input}}",
        }
        self.render(spec=spec).execute(task_context())
        (submit,) = (request for request in service.requests if request.path.endswith("/benchmark-jobs"))
        sent = json.loads(submit.body)["spec"]
        assert (sent["benchmark"], sent["prompt_template"]) == (BENCHMARK, "{{item.input}}")

    def test_a_name_with_statements_is_a_template_too(self):
        operator = self.render(spec=SPEC, job_name="nightly{% if params.model %}-{% raw %}x{% endraw %}{% endif %}")
        assert operator.job_name == "nightly-x"

    def test_a_rendered_name_that_the_service_would_not_take(self, service):
        operator = self.render(spec=SPEC, job_name="Nightly-{{ ds }}")
        with pytest.raises(ConfigurationError, match='"Nightly-2026-01-02" can\'t be the name of a benchmark job'):
            operator.execute(task_context())
        assert service.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spec": {}}, 'spec needs a "benchmark"'),
        ({"spec": {"params": {}}}, 'spec needs a "benchmark"'),
        ({"spec": {"benchmark": ""}}, 'spec needs a "benchmark"'),
        ({"poll_interval": 0}, "poll_interval must be more than 0, found 0"),
        ({"poll_interval": -1}, "poll_interval must be more than 0, found -1"),
        ({"poll_interval": float("nan")}, "poll_interval must be more than 0, found nan"),
        ({"poll_interval": float("inf")}, "poll_interval must be a finite number of seconds, found inf"),
        ({"poll_interval": 10**399}, "poll_interval must be a finite number of seconds, found 1000"),
        ({"poll_interval": "5"}, "poll_interval must be a finite number of seconds, found '5'"),
        ({"timeout": float("nan")}, "timeout must be more than 0, found nan"),
        ({"timeout": float("inf")}, "timeout must be a finite number of seconds, found inf"),
        ({"timeout": 0}, "timeout must be more than 0, found 0"),
        ({"timeout": timedelta(seconds=-1)}, "timeout must be more than 0, found datetime"),
        ({"timeout": "60"}, "timeout must be a finite number of seconds, found '60'"),
        ({"job_name": "Has Capitals"}, '"Has Capitals" can\'t be the name of a benchmark job'),
        ({"job_name": "x"}, "2 to 51 characters"),
        ({"job_name": "a" * 52}, "2 to 51 characters"),
    ],
)
def test_wrong_arguments_raise_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        RunBenchmarkJobOperator(**{"task_id": "run", "spec": SPEC, **arguments})
