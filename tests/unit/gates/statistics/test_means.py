from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.means import Moments

SCORES = st.integers(-500, 500).map(lambda v: v / 100)


def moments_of(values) -> Moments:
    values = np.asarray(values, dtype=float)
    return Moments(mean=values.mean(), std_dev=values.std(), n=values.size, low=values.min(), high=values.max())


@given(st.lists(SCORES, min_size=2, max_size=30).filter(lambda v: len(set(v)) > 1))
def test_the_skewness_of_scores_lies_within_its_limits(values):
    known, skewness = moments_of(values), stats.skew(values)
    unknown = Moments(mean=known.mean, std_dev=known.std_dev, n=known.n)
    for moments in (known, unknown):
        least, greatest = moments.skewness_limits
        assert least - 1e-6 <= skewness <= greatest + 1e-6
    assert unknown.ends[0] <= min(values) + 1e-6
    assert unknown.ends[1] >= max(values) - 1e-6


@given(st.lists(SCORES, min_size=1, max_size=30), st.integers(1, 5), SCORES)
def test_more_scores_of_one_value_change_moments_as_if_they_stood_beside_the_others(values, count, value):
    found = moments_of(values).with_more(count, value)
    expected = moments_of([*values, *[value] * count])
    assert (found.mean, found.std_dev, found.n) == pytest.approx(
        (expected.mean, expected.std_dev, expected.n), abs=1e-9
    )
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@given(st.lists(SCORES, min_size=1, max_size=30), st.sampled_from([-1.0, 0.9, 1.1]))
def test_moments_of_multiplied_scores(values, factor):
    found, expected = moments_of(values).scaled(factor), moments_of(np.asarray(values) * factor)
    for name in ("mean", "std_dev", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-9)


def test_shares_stay_shares_beside_more_of_them_only():
    share = Moments(mean=0.5, std_dev=0.5, n=10, is_binary=True)
    assert share.with_more(1, 1.0).is_binary
    assert not share.with_more(1, 0.3).is_binary
    assert not share.scaled(0.9).is_binary
