"""Odd values for every argument of the hook, the triggers and the checks: an error of ours that is short."""

from __future__ import annotations

import inspect
import math
from datetime import datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowNotFoundException

from airflow_provider_benchmarks.exceptions import BenchmarkError, ConfigurationError
from airflow_provider_benchmarks.gates import NoDrift, NoRegression, Threshold, WithinHistory
from airflow_provider_benchmarks.gates.check import KINDS
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.store import RowArguments
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.integration.conftest import BENCHMARK, SPEC
from tests.support.contexts import task_context

VALUES = [
    2026, ["a"], {"a": 1}, None, datetime(2026, 1, 1), math.nan, b"b", "None", "", " ", {1}, object(), True, -1,
    math.inf, 10**500, "{{ x }}", "a\0b",
]  # fmt: skip
#: What only texts can be.
NO_TEXTS = [2026, ["a"], {"a": 1}, datetime(2026, 1, 1), math.nan, b"b", {1}, object(), True]


@pytest.fixture
def hook(service, tmp_path, monkeypatch) -> BenchmarkHook:
    monkeypatch.chdir(tmp_path)
    hook = BenchmarkHook()
    hook.submit_job(SPEC, name="job-1")
    hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)
    return hook


def try_all(call: Any, *, but: tuple[type[Exception], ...] = ()) -> None:
    for value in VALUES:
        assert len(message_of(call, value, but=but)) < 1200, repr(value)


def message_of(call: Any, value: Any, *, but: tuple[type[Exception], ...] = ()) -> str:
    """What the error says; nothing where the value is taken, or another package's error tells."""
    try:
        call(value)
    except BenchmarkError as error:
        return str(error)
    except but:
        pass
    return ""


class TestTheHook:
    @pytest.mark.parametrize("name", ["spec", "name", "description", "custom_fields"])
    def test_a_submit(self, hook, name):
        try_all(lambda value: hook.submit_job(**{"spec": SPEC, name: value}))

    @pytest.mark.parametrize("name", ["benchmark", "model", "prompt_template", "params"])
    def test_a_submit_of_a_benchmark(self, hook, name):
        try_all(lambda value: hook.submit_job(**{"benchmark": BENCHMARK, name: value}), but=(OSError,))

    @pytest.mark.parametrize("value", NO_TEXTS, ids=lambda each: type(each).__name__)
    def test_a_description_is_a_text(self, hook, service, value):
        service.clear_requests()
        with pytest.raises(ConfigurationError, match="description must be a text, or None, found "):
            hook.submit_job(SPEC, name="job-2", description=value)
        assert not [each for each in service.requests if each.method == "POST"]

    @pytest.mark.parametrize(
        "method", ["get_job", "get_status", "cancel_job", "list_results", "get_aggregate_scores", "job_url", "poke"]
    )
    def test_names_of_jobs(self, hook, method):
        try_all(getattr(hook, method))

    def test_reading(self, hook):
        try_all(hook.tail_logs)
        try_all(lambda value: hook.tail_logs("job-1", value))
        try_all(lambda value: list(hook.iter_row_scores(value)))
        try_all(lambda value: list(hook.iter_row_scores("job-1", limit=value)))
        try_all(lambda value: list(hook.list_jobs(status=value)))

    def test_waiting(self, hook):
        try_all(lambda value: hook.wait_for_job(value, timeout=1))
        try_all(lambda value: hook.wait_for_job("job-1", poll_interval=value))
        try_all(lambda value: hook.wait_for_job("job-1", timeout=value))

    @pytest.mark.parametrize("name", [*RowArguments.__annotations__, "storage_conn_id"])
    def test_downloads(self, hook, name):
        but = (AirflowNotFoundException,)
        try_all(lambda value: hook.download_row_scores("job-1", "rows.jsonl", **{name: value}), but=but)

    @pytest.mark.parametrize("method", ["download_row_scores", "download_artifacts"])
    def test_destinations(self, hook, method, tmp_path):
        try_all(lambda value: getattr(hook, method)("job-1", value), but=(OSError,))
        for value in NO_TEXTS:
            with pytest.raises(ConfigurationError, match="a path or URL in object storage is needed, found "):
                getattr(hook, method)("job-1", value)
            assert not (tmp_path / str(value)).exists()

    def test_itself(self, hook):
        try_all(lambda value: BenchmarkHook(workspace=value).get_job("job-1"))
        try_all(lambda value: BenchmarkHook(aliases=value).get_aggregate_scores("job-1"))
        try_all(lambda value: BenchmarkHook(value).get_job("job-1"), but=(AirflowNotFoundException,))


@pytest.mark.parametrize("name", ["benchmark", "statuses", "name_pattern", "conn_id", "workspace", "poll_interval"])
def test_the_trigger_of_events(name):
    try_all(lambda value: BenchmarkJobEventTrigger(**{"benchmark": BENCHMARK, name: value}).serialize())
    for value in [2026, [1], {"a": 1}, object(), b"b", math.nan]:
        if (name, value) != ("poll_interval", 2026):
            with pytest.raises(ConfigurationError, match=name):
                BenchmarkJobEventTrigger(**{"benchmark": BENCHMARK, name: value})


def test_the_trigger_of_a_job():
    known = {"conn_id": "x", "workspace": None, "job_name": "j", "poll_interval": 1}
    for name in inspect.signature(BenchmarkJobTrigger.__init__).parameters:
        if name != "self":
            try_all(lambda value, name=name: BenchmarkJobTrigger(**{**known, name: value}).serialize())


@pytest.mark.parametrize("kind", [Threshold, NoRegression, WithinHistory, NoDrift])
def test_checks(kind):
    known = {"metric": "m", **({"at_least": 0.5} if kind is Threshold else {})}
    word = next(word for word, each in KINDS.items() if each is kind)
    for name in inspect.signature(kind).parameters:
        try_all(lambda value, name=name: kind(**{**known, name: value}))

        def gate(value: Any, name: str = name) -> None:
            check = {"type": word, **known, name: value}
            BenchmarkGateOperator(task_id="the-gate", job_name="j", store="/nowhere", checks=[check])

        for value in VALUES:
            if message := message_of(gate, value):
                assert '"the-gate"' in message
                assert name in message


def test_a_template_in_a_check_that_gives_another_thing():
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=True):
        check = Threshold("m", at_least=0.5, where={"category": "{{ params.value }}"})
        gate = BenchmarkGateOperator(task_id="the-gate", job_name="job-1", checks=[check])
    for value in ({"a": 1}, datetime(2026, 1, 1), b"b"):
        with pytest.raises(ConfigurationError, match='gate "the-gate": threshold on "m": where') as caught:
            gate.execute({**task_context(), "params": {"value": value}})
        assert isinstance(caught.value, AirflowFailException)
