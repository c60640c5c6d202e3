from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs import RunIdentity, fingerprint
from airflow_provider_benchmarks.jobs.identity import NAME_PATTERN, check_name, numbered

RUN = RunIdentity(dag_id="nightly", run_id="scheduled__2026-11-23T02:00:00+00:00", task_id="run_benchmark")


@given(
    dag_id=st.text(min_size=1, max_size=80),
    run_id=st.text(min_size=1, max_size=80),
    task_id=st.text(min_size=1, max_size=80),
    map_index=st.integers(-1, 5000),
    attempt=st.integers(1, 99),
)
def test_every_run_gets_a_name_that_the_service_takes(dag_id, run_id, task_id, map_index, attempt):
    run = RunIdentity(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    assert NAME_PATTERN.match(run.job_name(attempt))
    assert run.job_name(attempt) == replace(run).job_name(attempt)


def test_the_name_says_whose_it_is():
    assert RUN.job_name().startswith("nightly-run-benchmark-")
    assert RUN.job_name(2) == f"{RUN.job_name()}-2"


@pytest.mark.parametrize(
    "other",
    [
        {"dag_id": "other"},
        {"run_id": "manual__1"},
        {"task_id": "again"},
        {"map_index": 0},
        {"clear_number": 1},
        {"max_tries": 1},
        {"deployment": "https://staging.example.com"},
    ],
)
def test_another_run_is_another_name_and_fingerprint(other):
    assert replace(RUN, **other).job_name() != RUN.job_name()
    assert fingerprint({"benchmark": "a/b"}, replace(RUN, **other)) != fingerprint({"benchmark": "a/b"}, RUN)


def test_the_fingerprint_is_of_the_spec_whatever_its_order():
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_a_long_name_is_shortened_for_its_number():
    assert numbered("a" * 49, 2) == "a" * 49 + "-2"
    assert re.fullmatch(r"a{39}-[0-9a-f]{8}-12", numbered("a" * 51, 12))
    assert re.fullmatch(r"a{39}-[0-9a-f]{8}-2", numbered("a" * 39 + "-" + "b" * 11, 2))


@given(
    name=st.from_regex(r"[a-z](-?[a-z0-9._])*", fullmatch=True).filter(lambda name: 2 <= len(name) <= 51),
    attempt=st.integers(1, 999),
)
def test_every_attempt_has_a_name_that_the_service_takes(name, attempt):
    assert NAME_PATTERN.fullmatch(numbered(name, attempt))


def test_long_names_that_differ_at_their_ends_remain_different():
    names = [f"{'nightly-regression-of-a-model-with-a-very-long-name'[:49]}{end}" for end in "abc"]
    assert {len(name) for name in names} == {50}
    for attempt in (2, 12, 100):
        assert len({numbered(name, attempt) for name in names}) == 3


@pytest.mark.parametrize("name", ["ab", "a1", "run.1_x-2", "a" * 51])
def test_names_that_the_service_takes(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a", "A1", "1a", "a--b", "ab-", "a b", "a/b", "a+b", "a" * 52, "é1", "ab\n"])
def test_names_that_it_does_not_take(name):
    with pytest.raises(ConfigurationError, match="can't be the name of a benchmark job"):
        check_name(name)
