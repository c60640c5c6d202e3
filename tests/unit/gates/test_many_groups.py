"""A field with thousands of values: so many groups are judged, and more are refused."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.gates.slices import MOST_GROUPS, TooManyGroups, groups
from tests.support.scored_jobs import job, judge

CHECKS = [Threshold("m", at_least=0.1, by="part"), NoRegression("m", margin=0.5, by="part")]


def with_parts(number, *, missing=0):
    parts = [*({"part": f"p{place}"} for place in range(number)), *({"part": None} for _ in range(missing))]
    return job([1.0] * len(parts), items=[{**item, "q": place} for place, item in enumerate(parts)])


@pytest.mark.parametrize("check", CHECKS)
def test_more_groups_than_can_be_judged_fail_with_the_number(check):
    scores = with_parts(MOST_GROUPS + 1)
    result = judge(check, scores, scores)
    assert result.outcome == "fail"
    assert (
        "part has 10,001 values, and by= judges 10,000 groups at most: name a field that groups rows" in result.reason
    )


def test_as_many_as_can_be_judged_are():
    rows = with_parts(MOST_GROUPS, missing=2).rows
    found = list(groups(rows, "part"))
    assert len(found) == MOST_GROUPS + 1
    assert sum(len(group) for _, group in found) == MOST_GROUPS + 2
    with pytest.raises(TooManyGroups):
        groups(with_parts(MOST_GROUPS + 1).rows, "part")
