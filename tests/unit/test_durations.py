"""Durations: seconds or timedelta, wherever a user may give one."""

from __future__ import annotations

import json
from datetime import timedelta
from fractions import Fraction

import pytest

from airflow_provider_benchmarks.durations import number_of, seconds_of
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

WAIT = {"conn_id": "c", "workspace": None, "job_name": "run-1"}


def test_a_timedelta_is_its_seconds_and_numbers_stay():
    assert (seconds_of(timedelta(minutes=1), "x"), number_of(timedelta(seconds=-1), "x")) == (60.0, -1.0)
    assert [type(seconds_of(value, "x")) for value in (30, 0.5, Fraction(1, 2))] == [int, float, float]


@pytest.mark.parametrize("value", [timedelta(0), timedelta(seconds=-1), 0, float("nan")])
def test_no_time_at_all_is_refused(value):
    with pytest.raises(ConfigurationError, match="x must be more than 0, found"):
        seconds_of(value, "x")


def test_every_interval_may_be_a_timedelta():
    interval = timedelta(seconds=20)
    run = RunBenchmarkJobOperator(task_id="run", spec={"benchmark": "w/b"}, poll_interval=interval)
    assert run.poll_interval == 20
    for trigger in (
        BenchmarkJobTrigger(**WAIT, poll_interval=interval),
        BenchmarkJobEventTrigger(benchmark="w/b", poll_interval=interval),
    ):
        _, stored = trigger.serialize()
        assert json.loads(json.dumps(stored))["poll_interval"] == 20
        assert type(trigger)(**stored).serialize() == trigger.serialize()


def test_a_deferrable_sensor_without_a_pause_is_refused_while_the_dag_is_parsed():
    assert BenchmarkJobSensor(task_id="wait", job_name="j", poke_interval=timedelta(seconds=9)).poke_interval == 9
    assert BenchmarkJobSensor(task_id="wait", job_name="j", poke_interval=0, deferrable=False).poke_interval == 0
    with pytest.raises(ConfigurationError, match='task "wait": poke_interval must be more than 0'):
        BenchmarkJobSensor(task_id="wait", job_name="j", poke_interval=0, deferrable=True)
