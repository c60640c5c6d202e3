from __future__ import annotations

import pytest

from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores
from airflow_provider_benchmarks.views import score_records
from airflow_provider_benchmarks.views.log import WIDTH
from airflow_provider_benchmarks.views.scores import MOST_FOLDED, MOST_SCORES


def texts(*scores, title="Scores:"):
    return [record.text for record in score_records(AggregateScores(scores), title=title)]


def score(metric="w/exact", name="exact", **fields):
    return AggregateScore(metric=metric, name=name, **fields)


def test_a_table_has_what_people_look_for_first():
    found = texts(
        score(mean=0.8125, std_dev=0.39, min=0.0, max=1.0, count=1600, nan_count=2),
        score("w/judge", "helpful", mean=float("nan"), count=0),
    )
    assert found == [
        "Scores:",
        "metric   score      mean  std dev  min  max   rows  NaN",
        "w/exact  exact    0.8125     0.39    0    1  1,600    2",
        "w/judge  helpful       -        -    -    -      0    -",
    ]


@pytest.mark.parametrize(("metric", "name"), [("w/" + "m" * 300, "s"), ("w/m", "s" * 300), ("w" * 99 + "/m", "s" * 99)])
def test_no_line_is_too_long(metric, name):
    number = -1.2345678e-300
    fields = dict.fromkeys(("mean", "std_dev", "min", "max"), number) | dict.fromkeys(("count", "nan_count"), 2**53)
    found = texts(score(metric, name, **fields), score("w/other", "x", **fields), title="t" * 300)
    assert max(map(len, found)) <= WIDTH
    assert all(metric[-1] in line for line in found[2:3])


def test_names_have_no_hold_on_the_log():
    found = texts(score("w/\x1b[31mm\n::group::x", "s\u202e\ud800\t"), title="of\n::endgroup::")
    text = "\n".join(found)
    assert len(found) == 3
    assert not any(sign in text for sign in ("\x1b", "::group::", "::endgroup::", "\u202e", "\t", "\ud800"))


def test_many_are_folded_and_very_many_left_out():
    found = texts(*(score(name=f"s{number}") for number in range(MOST_FOLDED + 7)))
    start = found.index(f"::group::{MOST_FOLDED - MOST_SCORES} more scores")
    assert start == 2 + MOST_SCORES
    assert found[-2:] == ["::endgroup::", "7 more scores are not shown here"]
    assert len(found) == 2 + MOST_FOLDED + 3


def test_none():
    assert texts() == ["Scores: none"]
