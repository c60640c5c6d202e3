from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from airflow_provider_benchmarks.gates.statistics import skewed_means


def test_moments_agree_with_scipy():
    values = np.random.default_rng(1).exponential(size=(5, 40))
    mean, error, skewness = skewed_means.moments(values)
    assert mean == pytest.approx(values.mean(axis=1))
    assert error == pytest.approx(stats.sem(values, axis=1))
    assert skewness == pytest.approx(stats.skew(values, axis=1))


@pytest.mark.parametrize("skewness", [-3.0, -0.5, 0.0, 0.5, 3.0])
def test_p_value_is_the_level_at_which_the_upper_bound_reaches_the_margin(skewness):
    p_value = float(skewed_means.p_value(-0.5, 0.2, skewness, 30, margin=0.05))
    assert skewed_means.bounds(-0.5, 0.2, skewness, 30, alpha=p_value)[1] == pytest.approx(-0.05)


def test_exponential_drops_pass_half_as_often_as_with_t_alone():
    # 4,000 runs of 50 rows; the true mean is −1, and a lower bound above it would prove what is not so.
    values = -np.random.default_rng(3).exponential(size=(4000, 50))
    mean, error, skewness = skewed_means.moments(values)
    lower, upper = skewed_means.bounds(mean, error, skewness, 50, alpha=0.05)
    by_t = mean - stats.t.ppf(0.95, 49) * error
    assert (by_t > -1).mean() > 0.075
    assert (lower > -1).mean() < 0.06
    assert (upper < -1).mean() < 0.05
