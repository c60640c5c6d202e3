from __future__ import annotations

from airflow_provider_benchmarks.client._retry import backoff


def test_pauses_are_jittered_and_grow_up_to_a_bound():
    for tries, longest in ((1, 0.5), (2, 1), (4, 4), (100, 20)):
        pauses = [backoff(tries) for _ in range(200)]
        assert 0 <= min(pauses) < longest / 2 < max(pauses) <= longest
