"""A gateway hides the release and refuses the lists: hook and trigger do all that needs one job alone."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.client._choice import forget_choices
from airflow_provider_benchmarks.exceptions import Unauthorized
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.testing import EvaluationService, Fault, example_spec
from tests.support.triggers import event_of, trigger_for

LISTS = ("*/benchmark-jobs", "*/evaluate/jobs")


@pytest.fixture(params=["0.1", "0.7", "0.8"])
def hidden(request, monkeypatch):
    with EvaluationService(release=request.param, job_seconds=0.05) as service:
        service.seed_question_answer_example()
        service.inject(Fault.answer(403).on("GET", "/cluster-info", times=None))
        for path in LISTS:
            service.inject(Fault.answer(403).on("GET", path, times=None))
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        yield service, example_spec(request.param)


async def test_what_needs_one_job_alone_goes_on(hidden):
    service, spec = hidden
    hook = BenchmarkHook()
    job = hook.submit_job(spec, name="job-1")
    posts = [request.path for request in service.requests if request.method == "POST"]
    assert len(posts) == 1
    forget_choices()
    assert hook.wait_for_job(job.name, poll_interval=0.05).status == "completed"
    forget_choices()
    assert hook.get_job("job-1").name == "job-1"
    forget_choices()
    assert hook.get_aggregate_scores("job-1").scores
    forget_choices()
    assert (await event_of(trigger_for()))["status"] == "completed"
    with pytest.raises(Unauthorized):
        next(hook.list_jobs())
