from __future__ import annotations

import pytest

from airflow_provider_benchmarks.exceptions import NotFound, ProtocolError, ServiceUnavailable, Unauthorized
from airflow_provider_benchmarks.retry_policy import (
    REQUESTS,
    SUBMITS,
    is_recoverable,
    is_transient,
    is_unexpected_answer,
    polls,
)


def test_pauses_are_jittered_and_grow_up_to_a_bound():
    for failures, longest in ((1, 0.5), (2, 1), (4, 4), (100, 20)):
        pauses = [REQUESTS.pause(failures) for _ in range(200)]
        assert 0 <= min(pauses) < longest / 2 < max(pauses) <= longest


@pytest.mark.parametrize(
    ("backoff", "failures", "shortest", "longest"),
    [
        (SUBMITS, 1, 0.25, 1),
        (SUBMITS, 9, 2, 8),
        (polls(10), 1, 7.5, 12.5),
        (polls(10), 3, 30, 50),
        (polls(10), 99, 225, 375),
    ],
)
def test_those_of_submits_and_polls_are_never_zero(backoff, failures, shortest, longest):
    pauses = [backoff.pause(failures) for _ in range(200)]
    middle = (shortest + longest) / 2
    assert shortest <= min(pauses) < middle < max(pauses) <= longest


def test_they_are_at_least_what_the_service_asks_for():
    assert REQUESTS.pause(1, retry_after=77) == 77
    assert SUBMITS.pause(1, retry_after=3600) == 3600
    assert polls(1).pause(1, retry_after=77) == 77
    assert polls(1).pause(1, retry_after=86_400) == 300
    assert polls(100).pause(1, retry_after=1) >= 75


@pytest.mark.parametrize(
    ("error", "transient", "recoverable", "unexpected"),
    [
        (ServiceUnavailable("no connection"), True, True, False),
        (ServiceUnavailable("busy", status_code=503), True, True, False),
        (ProtocolError("a login page", status_code=200), False, True, True),
        (ProtocolError("failed inside", status_code=500), False, True, False),
        (Unauthorized("no", status_code=401), False, False, False),
        (NotFound("gone", status_code=404), False, False, False),
    ],
)
def test_what_is_retried_and_what_is_waited_for(error, transient, recoverable, unexpected):
    assert (is_transient(error), is_recoverable(error), is_unexpected_answer(error)) == (
        transient,
        recoverable,
        unexpected,
    )
