"""BenchmarkJobSensor on the local service: poke, reschedule and deferrable."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobCancelled, JobError, JobFailed, NotFound, Unauthorized
from airflow_provider_benchmarks.hooks import inline_wait
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.testing import EvaluationService, Fault
from tests.integration.conftest import SPEC, WORKSPACE, cancels
from tests.support.contexts import TaskInstance, run_task, task_context

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # Airflow 2
    from airflow.exceptions import AirflowRescheduleException

STATUS = ("GET", "*/status")
MODES = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


@pytest.fixture
def client(service, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0")
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
        yield client


@pytest.fixture(autouse=True)
def short_pauses_after_refusals(monkeypatch):
    monkeypatch.setattr(inline_wait, "REFUSED_POLL_INTERVAL_SECONDS", 0.001)


def sensor(**arguments):
    known = {"task_id": "wait", "job_name": "job-1", "poke_interval": 0.05, "timeout": 60}
    return BenchmarkJobSensor(**{**known, **arguments})


@pytest.fixture(params=MODES)
def wait(request, client, monkeypatch):
    """Run a sensor to its end in each mode, as often as it is rescheduled."""
    first_start = datetime.now(UTC)

    def started() -> datetime:
        return first_start - run.passed * run.rescheduled

    try:  # Airflow 2.11 reads the task's first start from its database
        from airflow.sensors import base

        if hasattr(base, "_orig_start_date"):
            monkeypatch.setattr(base, "_orig_start_date", lambda **_: started())
    except ImportError:
        pass

    class Rescheduled(TaskInstance):
        def get_first_reschedule_date(self, context):
            return started()

    def run(**arguments):
        while True:
            context = {**task_context(), "ti": Rescheduled(task_id="wait")}
            try:
                return run_task(lambda: sensor(**{**MODES[request.param], **arguments}), context)
            except AirflowRescheduleException:
                run.rescheduled += 1

    run.mode = request.param
    run.rescheduled = 0
    run.passed = timedelta(0)
    return run


def polls(service):
    return sum(request.path.endswith("/status") for request in service.requests)


def release_after(service, count):
    """Let the held jobs go on after a number of polls."""
    end = time.monotonic() + 60
    while polls(service) < count and time.monotonic() < end:
        time.sleep(0.01)
    service.release_jobs()


def test_a_service_that_is_down_at_first_is_polled_again(monkeypatch):
    """Its paths are not known then, so that there is no link yet; that is no reason to fail."""
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0")
    with EvaluationService() as service:
        connection = service.connection_json()
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection)
    context = {**task_context(), "ti": TaskInstance(task_id="wait")}
    with pytest.raises(AirflowRescheduleException):
        run_task(lambda: sensor(mode="reschedule"), context)


class TestEveryMode:
    def test_a_running_job_is_waited_for(self, wait, service):
        service.hold_jobs("active")
        releasing = threading.Thread(target=release_after, args=(service, 3), daemon=True)
        releasing.start()
        assert wait() is None
        releasing.join()
        assert polls(service) >= 3
        assert (wait.rescheduled > 0) == (wait.mode == "reschedule")

    def test_a_job_that_has_completed(self, wait, service):
        service.hold_jobs("active")
        service.finish_job(WORKSPACE, "job-1", "completed")
        assert wait() is None
        assert wait.rescheduled == 0

    def test_a_failed_job_raises_its_reason(self, wait, service):
        service.hold_jobs("active")
        service.finish_job(WORKSPACE, "job-1", "error", root_error="'context' is undefined on row 17")
        with pytest.raises(JobFailed, match="'context' is undefined on row 17") as caught:
            wait()
        assert "Last log lines:" in str(caught.value)

    def test_a_cancelled_job_is_never_waited_for(self, wait, service):
        service.hold_jobs("active")
        service.finish_job(WORKSPACE, "job-1", "cancelled")
        with pytest.raises(JobCancelled):
            wait()

    @pytest.mark.parametrize("status", ["error", "cancelled"])
    def test_soft_fail_is_for_the_timeout_and_not_for_the_job(self, wait, service, status):
        service.hold_jobs("active")
        service.finish_job(WORKSPACE, "job-1", status)
        with pytest.raises(JobError):
            wait(soft_fail=True)

    @pytest.mark.parametrize("fault", [Fault.answer(503), Fault.answer(500), Fault.drop_connection()])
    def test_a_service_that_fails_for_a_while_is_polled_again(self, wait, service, fault):
        injected = service.inject(fault.on(*STATUS, times=2))
        assert wait() is None
        assert injected.fired == 2

    def test_a_job_that_is_not_there(self, wait):
        with pytest.raises(NotFound, match='benchmark job "none"'):
            wait(job_name="none")

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_temporary_refusal_does_not_end_the_wait(self, wait, service, status):
        refused = service.inject(Fault.answer(status).on(*STATUS, times=4))
        assert wait() is None
        assert refused.fired == 4

    def test_a_token_that_is_not_valid(self, wait, service):
        refused = service.inject(Fault.answer(401).on(*STATUS, times=None))
        with pytest.raises(Unauthorized):
            wait()
        assert refused.fired == 5


class TestTimeout:
    @pytest.mark.parametrize("mode", ["poke", "deferrable"])
    def test_is_airflows_own(self, client, service, mode):
        service.hold_jobs("active")
        with pytest.raises(AirflowSensorTimeout):
            run_task(lambda: sensor(timeout=0.3, **MODES[mode]), task_context())

    @pytest.mark.parametrize("mode", ["poke", "deferrable"])
    def test_skips_with_soft_fail(self, client, service, mode):
        service.hold_jobs("active")
        with pytest.raises(AirflowSkipException):
            run_task(lambda: sensor(timeout=0.3, soft_fail=True, **MODES[mode]), task_context())

    @pytest.mark.parametrize(("soft_fail", "error"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
    def test_counts_from_the_first_start_over_reschedules(self, wait, service, soft_fail, error):
        service.hold_jobs("active")
        wait.passed = timedelta(hours=2)  # between two starts
        with pytest.raises(error):
            wait(timeout=3600 if wait.mode == "reschedule" else 0.3, soft_fail=soft_fail)
        assert (wait.rescheduled > 0) == (wait.mode == "reschedule")

    def test_leaves_the_job_alone(self, wait, service):
        service.hold_jobs("active")
        with pytest.raises(AirflowSensorTimeout):
            wait(timeout=0.3)
        assert cancels(service) == []

    def test_of_a_deferred_wait_says_what_was_seen_last(self, client, service):
        service.hold_jobs("active")
        with pytest.raises(AirflowSensorTimeout, match=r'"job-1".*did not end in time; last seen: active'):
            run_task(lambda: sensor(timeout=0.3, deferrable=True), task_context())


class TestPoke:
    def test_one_poll(self, client, service):
        service.hold_jobs("active")
        assert sensor().poke(task_context()) is False
        service.inject(Fault.answer(503).on(*STATUS))
        assert sensor().poke(task_context()) is False
        service.finish_job(WORKSPACE, "job-1", "completed")
        assert sensor().poke(task_context()) is True

    @pytest.mark.parametrize("word", ["paused", "archiving"])
    def test_a_status_that_is_not_terminal(self, client, service, word):
        service.pin_status(WORKSPACE, "job-1", word)
        assert sensor().poke(task_context()) is False


class TestDeferral:
    def test_a_job_that_has_ended_needs_no_triggerer(self, client, service):
        service.hold_jobs("active")
        service.finish_job(WORKSPACE, "job-1", "completed")
        assert sensor(deferrable=True).execute(task_context()) is None

    def test_the_sensors_arguments_reach_the_trigger(self, client, service):
        service.hold_jobs("active")
        with pytest.raises(TaskDeferred) as caught:
            sensor(deferrable=True, poke_interval=7, timeout=100).execute(task_context())
        trigger = caught.value.trigger
        assert (trigger.job_name, trigger.poll_interval) == ("job-1", 7)
        assert caught.value.timeout.total_seconds() > 100

    @pytest.mark.parametrize(
        "event",
        [
            None,
            {},
            "completed",
            {"status": "completed"},
            {"job_name": "another", "status": "completed"},
            {"job_name": "job-1", "status": "success"},
            {"job_name": "job-1", "status": "failed_to_wait", "message": "no right to this"},
        ],
    )
    def test_an_event_that_is_not_a_success_is_an_error(self, client, event):
        with pytest.raises(JobError):
            sensor(deferrable=True).resume_execution("execute_complete", {"event": event}, task_context())

    def test_a_retry_that_is_resumed_with_the_event_of_the_try_before_polls_anew(self, client, service):
        service.hold_jobs("active")
        with pytest.raises(TaskDeferred) as caught:
            sensor(deferrable=True).execute(task_context())
        event = {"job_name": "job-1", "status": "failed_to_wait", "message": "the service was down"}
        kwargs = {**caught.value.kwargs, "event": event}
        with pytest.raises(JobError, match="the service was down"):
            sensor(deferrable=True).resume_execution("execute_complete", kwargs, task_context())
        service.finish_job(WORKSPACE, "job-1", "completed")
        second = task_context(try_number=2)
        assert sensor(deferrable=True).resume_execution("execute_complete", kwargs, second) is None

    def test_the_link_is_there_before_the_wait(self, client, service):
        service.hold_jobs("active")
        context = task_context()
        with pytest.raises(TaskDeferred):
            sensor(deferrable=True).execute(context)
        ((key, url),) = context["ti"].xcoms
        assert key == "_link_BenchmarkJobLink"
        assert url.endswith(f"/workspaces/{WORKSPACE}/benchmark-jobs/job-1")
