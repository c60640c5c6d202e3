"""A task run submits its job once: retries find it, other runs and other people's jobs are left alone."""

from __future__ import annotations

import warnings

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import Conflict, JobCancelled, JobFailed, ServiceUnavailable
from airflow_provider_benchmarks.job_xcom import JOB_XCOM_KEY
from airflow_provider_benchmarks.operators._task_identity import identity_of
from airflow_provider_benchmarks.testing import Fault, Seeder
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, Crash, cancels, wait_until_finished
from tests.support.contexts import run_task, task_context

OTHER_SPEC = {"benchmark": BENCHMARK, "params": {"limit_samples": 2}}


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


class TestRetries:
    """A crash is a BaseException at a named point; the next try is a new instance of the operator in the same run."""

    @pytest.mark.parametrize(
        ("method", "end", "when", "left"),
        [
            ("POST", "/benchmark-jobs", "before", 0),
            ("POST", "/benchmark-jobs", "after", 1),
            ("GET", "/status", "before", 1),
            ("GET", "/status", "after", 1),
        ],
    )
    def test_a_retry_after_a_crash_attaches_to_its_own_job(
        self, make, service, names, crash_at, method, end, when, left
    ):
        service.hold_jobs("active")  # a finished job is not polled again
        disarm = crash_at(method, end, when=when)
        with pytest.raises(Crash):
            run_task(make(), task_context())
        assert len(names()) == left
        disarm()
        service.release_jobs()
        name = run_task(make(), task_context(try_number=2))
        assert names() == [name] == [identity_of(task_context()).job_name()]

    def test_a_crash_while_the_link_is_stored(self, make, names):
        context = task_context()

        def die(key):
            raise Crash

        context["ti"].on_push = die
        with pytest.raises(Crash):
            run_task(make(), context)
        assert names() == [run_task(make(), task_context(try_number=2))]

    def test_a_lost_answer_and_a_crash(self, make, names, service, crash_at):
        # The submit worked, its response got lost, and the worker died while it requested the job.
        service.inject(Fault.lose_answer().on("POST", "*/benchmark-jobs"))
        name = identity_of(task_context()).job_name()
        disarm = crash_at("GET", f"/benchmark-jobs/{name}", when="before")
        with pytest.raises(Crash):
            run_task(make(), task_context())
        assert names() == [name]
        disarm()
        assert run_task(make(), task_context(try_number=2)) == name
        assert names() == [name]

    def test_a_job_that_completed_without_a_worker_is_not_run_again(
        self, make, service, names, dies_while_waiting, client
    ):
        with dies_while_waiting():
            run_task(make(), task_context())
        service.release_jobs()
        (name,) = names()
        wait_until_finished(client, name)
        assert run_task(make(), task_context(try_number=2)) == name
        assert names() == [name]

    @pytest.mark.parametrize("status", ["error", "cancelled"])
    def test_a_retry_after_a_job_that_did_not_end_well_submits_the_next(self, make, names, service, status):
        service.hold_jobs("active")
        first = identity_of(task_context()).job_name()
        for try_number, name in ((1, first), (2, f"{first}-2")):
            context = task_context(try_number=try_number)

            def end(key, name=name):
                if key == JOB_XCOM_KEY:
                    service.finish_job(WORKSPACE, name, status, message="no")

            context["ti"].on_push = end
            with pytest.raises((JobFailed, JobCancelled)):
                run_task(make(), context)
        service.release_jobs()
        assert run_task(make(), task_context(try_number=3)) == f"{first}-3"
        assert names() == [first, f"{first}-2", f"{first}-3"]

    def test_a_retry_after_a_crash_of_the_second_job_attaches_to_the_second(
        self, make, names, service, dies_while_waiting
    ):
        service.fail_jobs(BENCHMARK, "no")
        with pytest.raises(JobFailed):
            run_task(make(), task_context())
        service.evaluate_jobs(BENCHMARK)
        with dies_while_waiting():
            run_task(make(), task_context(try_number=2))
        service.release_jobs()
        second = f"{identity_of(task_context()).job_name()}-2"
        assert run_task(make(), task_context(try_number=3)) == second
        assert len(names()) == 2

    def test_a_retry_that_is_resumed_with_the_event_of_the_try_before_runs_the_next(self, make, names, service):
        """As Airflow 3.0 does."""
        service.hold_jobs("active")
        with pytest.raises(TaskDeferred) as caught:
            make(deferrable=True)().execute(task_context())
        first = identity_of(task_context()).job_name()
        service.finish_job(WORKSPACE, first, "error", message="no")
        event = {"job_name": first, "status": "error"}
        kwargs = {**caught.value.kwargs, "event": event}
        with pytest.raises(JobFailed):
            make(deferrable=True)().resume_execution("execute_complete", kwargs, task_context())
        service.release_jobs()
        retry, context = make(deferrable=False)(), task_context(try_number=2)
        assert retry.resume_execution("execute_complete", kwargs, context) == f"{first}-2"
        assert names() == [first, f"{first}-2"]

    def test_an_explicit_name_is_numbered_in_the_same_way(self, make, names, service):
        service.fail_jobs(BENCHMARK, "no")
        with pytest.raises(JobFailed):
            run_task(make(job_name="mine"), task_context())
        service.evaluate_jobs(BENCHMARK)
        assert run_task(make(job_name="mine"), task_context(try_number=2)) == "mine-2"

    @pytest.mark.parametrize("fault", [Fault.answer(503), Fault.drop_connection(), Fault.lose_answer()])
    def test_a_fault_at_the_submit_of_the_second_job_does_not_attach_to_the_first(self, make, names, service, fault):
        service.fail_jobs(BENCHMARK, "no")
        with pytest.raises(JobFailed):
            run_task(make(), task_context())
        service.evaluate_jobs(BENCHMARK)
        struck = [service.inject(fault.on("POST", "*/benchmark-jobs", after=after)) for after in (0, 1)]
        second = f"{identity_of(task_context()).job_name()}-2"
        assert run_task(make(), task_context(try_number=2)) == second
        assert names()[1:] == [second]
        assert [injected.fired for injected in struck] == [1, 1]

    def test_a_service_that_is_down_for_the_first_try(self, make, names, service, monkeypatch):
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0")
        service.inject(Fault.answer(503).on("POST", "*/benchmark-jobs"))
        with pytest.raises(ServiceUnavailable):
            run_task(make(), task_context())
        assert [run_task(make(), task_context(try_number=2))] == names()


class TestIdentity:
    """Which runs share a job."""

    @pytest.mark.parametrize(
        "other",
        [
            {"max_tries": 1, "try_number": 2},  # cleared
            {"clear_number": 1},
            {"map_index": 0},
            {"task_id": "run2"},
            {"dag_id": "other"},
            {"run_id": "scheduled__2026-01-02"},
        ],
    )
    def test_another_run_has_a_job_of_its_own(self, make, names, other):
        first = run_task(make(), task_context())
        second = run_task(make(), task_context(**other))
        assert names() == [first, second]

    @pytest.mark.parametrize(
        "option", ["BENCHMARKS__DEPLOYMENT", "API__BASE_URL" if AIRFLOW_V_3_0_PLUS else "WEBSERVER__BASE_URL"]
    )
    def test_the_same_run_of_another_airflow_has_a_job_of_its_own(self, make, names, monkeypatch, option):
        jobs = []
        for value in ("https://staging.example.com", "https://production.example.com"):
            monkeypatch.setenv(f"AIRFLOW__{option}", value)
            jobs.append(run_task(make(), task_context()))
        assert names() == jobs
        assert jobs[0] != jobs[1]

    def test_a_deploy_with_other_retries_is_no_clear(self, make, service, names, dies_while_waiting):
        with dies_while_waiting():
            run_task(make(retries=3), task_context(max_tries=3))
        service.release_jobs()
        assert [run_task(make(retries=2), task_context(max_tries=3, try_number=2))] == names()

    def test_every_mapped_task_has_its_own_job(self, make, names):
        jobs = [run_task(make(), task_context(map_index=index)) for index in range(3)]
        assert len(set(jobs)) == 3
        again = [run_task(make(), task_context(map_index=index, try_number=2)) for index in range(3)]
        assert again == jobs == names()

    def test_a_changed_spec_is_never_answered_with_the_old_job(self, make, names):
        run_task(make(), task_context())
        with pytest.raises(Conflict, match="is taken by a job that is not this one"):
            run_task(make(spec=OTHER_SPEC), task_context(try_number=2))
        assert len(names()) == 1

    def test_reuse_can_be_turned_off(self, make, names):
        first, second = (run_task(make(reuse_job=False), task_context(try_number=i)) for i in (1, 2))
        assert first != second
        assert names() == [first, second]

    def test_retries_are_no_clears(self, make, names):
        jobs = [run_task(make(retries=3), task_context(max_tries=3, try_number=number)) for number in (1, 2, 4)]
        assert jobs == names() * 3

    @pytest.mark.parametrize(
        "later", [{"clear_number": 1}, {"clear_number": 1, "try_number": 2}, {"max_tries": 1, "try_number": 2}]
    )
    def test_a_clear_submits_a_new_job_under_a_given_name_too(self, make, names, later):
        assert run_task(make(job_name="mine"), task_context()) == "mine"
        assert run_task(make(job_name="mine", spec=OTHER_SPEC), task_context(**later)) == "mine-2"
        assert run_task(make(job_name="mine", spec=OTHER_SPEC), task_context(**later)) == "mine-2"
        assert names() == ["mine", "mine-2"]

    def test_reuse_can_be_turned_off_under_a_given_name_too(self, make, names):
        for try_number, name in ((1, "mine"), (2, "mine-2"), (3, "mine-3")):
            context = task_context(try_number=try_number)
            assert run_task(make(job_name="mine", reuse_job=False), context) == name

    @pytest.mark.parametrize(
        "other", [{"map_index": 0}, {"task_id": "run2"}, {"dag_id": "other"}, {"run_id": "scheduled__2026-01-02"}]
    )
    def test_a_given_name_belongs_to_one_run(self, make, names, other):
        run_task(make(job_name="mine"), task_context())
        with pytest.raises(Conflict, match="is taken by a job that is not this one"):
            run_task(make(job_name="mine"), task_context(**{**other, "max_tries": 1}))
        assert names() == ["mine"]

    def test_an_orphaned_name_is_passed_over(self, make, names, service, monkeypatch):
        # A submit that the service refused half-way leaves the fileset of the job behind.
        monkeypatch.setattr("airflow_provider_benchmarks.client._operations._LOOKUPS_AFTER_CONFLICT", 2)
        first = identity_of(task_context()).job_name()
        with Seeder(service.url) as seeder:
            seeder.dataset(WORKSPACE, f"job-fileset-{first}", [])
        assert run_task(make(), task_context()) == f"{first}-2"
        assert names() == [f"{first}-2"]

    def test_the_identity_of_a_run_raises_no_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert identity_of(task_context(map_index=None)).map_index == -1


class TestForeignJobs:
    @pytest.mark.parametrize("spec", [OTHER_SPEC, SPEC])
    def test_a_name_of_somebody_else_is_neither_adopted_nor_cancelled(self, make, service, client, spec):
        service.hold_jobs("active")
        theirs = client.submit_job(spec, name="mine", custom_fields={"fingerprint": "another"}).job
        operator = make(job_name="mine")()
        with pytest.raises(Conflict, match='name "mine" in workspace "my-workspace" is taken'):
            operator.execute(task_context())
        operator.on_kill()
        assert cancels(service) == []
        assert client.get_job("mine").id == theirs.id

    def test_a_kill_in_the_middle_of_the_submit_spares_it_too(self, make, service, client, crash_at):
        service.hold_jobs("active")
        client.submit_job(OTHER_SPEC, name="mine")
        operator = make(job_name="mine")()
        disarm = crash_at("POST", "/benchmark-jobs", when="before")
        with pytest.raises(Crash):
            operator.execute(task_context())
        disarm()
        operator.on_kill()
        assert client.get_status("mine").status not in ("cancelling", "cancelled")
