from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.gates.statistics.multiplicity import holm


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.2]))
def test_agrees_with_statsmodels(p_values, alpha):
    from statsmodels.stats.multitest import multipletests

    with patch("gc.collect"):  # the oracle calls it each time, which takes 0.2 s with Airflow loaded
        rejected, adjusted, *_ = multipletests(p_values, alpha=alpha, method="holm")
    result = holm(p_values, alpha=alpha)
    assert result.adjusted == pytest.approx(adjusted)
    if not np.isclose(adjusted, alpha).any():
        assert result.rejected == tuple(rejected)


def test_one_check_has_the_whole_budget():
    assert holm([0.05], alpha=0.05).rejected == (True,)
    assert holm([0.05, 0.9], alpha=0.05).rejected == (False, False)


def test_no_check_needs_no_budget():
    assert holm([], alpha=0.05).rejected == ()


@pytest.mark.parametrize("wrong", [[1.1], [-0.1], [math.nan]])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match="probabilities"):
        holm(wrong, alpha=0.05)


def test_weights_share_the_budget_out():
    """By hand: 0.5 and 0.25 of it at first; what is left of it goes to the others."""
    found = holm([0.02, 0.3, 0.01], alpha=0.05, weights=[0.5, 0.25, 0.25])
    assert found.adjusted == pytest.approx((0.04, 0.3, 0.04))
    assert found.rejected == (True, False, True)
    assert holm([0.02, 0.02], alpha=0.05, weights=[0.9, 0.1]).adjusted == pytest.approx((0.02 / 0.9, 0.02 / 0.9))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_equal_weights_are_none(p_values):
    expected = holm(p_values, alpha=0.05).adjusted
    assert holm(p_values, alpha=0.05, weights=[1 / len(p_values)] * len(p_values)).adjusted == pytest.approx(expected)
