"""What differs between two benchmarks, in words."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, differences
from tests.unit.benchmarks.test_benchmark import EXACT, ROWS

LOWER = {**EXACT, "candidate": "{{item.output | lower}}"}


def content(metrics=None, **arguments):
    arguments = arguments or {"dataset": "ws/rows"}
    return Benchmark("ws/qa", metrics=metrics or {"ws/exact": EXACT}, **arguments).content


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        (content(), content(), ""),
        (
            content({"ws/exact": LOWER}),
            content(),
            'metrics.ws/exact.candidate is "{{item.output | lower}}" and was "{{item.output}}"',
        ),
        (content(dataset="ws/new"), content(), 'dataset is "ws/new" and was "ws/rows"'),
        (
            content({"ws/exact": {**EXACT, "strict": True}}),
            content(),
            "metrics.ws/exact.strict is True and was missing",
        ),
        (content(), content({"ws/exact": {**EXACT, "n": 1}}), "metrics.ws/exact.n is missing and was 1"),
        (content(rows=ROWS), content(rows=ROWS[:1]), "rows.number is 2 and was 1"),
        (
            content({"ws/exact": {**EXACT, "scores": [{"a": 1}]}}),
            content({"ws/exact": {**EXACT, "scores": [{"a": True}]}}),
            "metrics.ws/exact.scores.0.a is 1 and was True",
        ),
    ],
)
def test_what_differs_is_named_with_both_values(mine, theirs, words):
    assert differences(mine, theirs).split(";")[0] == words


def test_of_long_texts_the_first_difference_is_shown():
    prompts = ["x" * 5000 + word + "y" * 5000 for word in ("good", "bad")]
    mine, theirs = (content({"ws/judge": {"type": "llm-judge", "prompt": prompt}}) for prompt in prompts)
    words = differences(mine, theirs)
    assert "xxxgoodyyy" in words
    assert "xxxbadyyy" in words
    assert len(words) < 400


def test_only_the_first_differences_are_written_out():
    mine, theirs = ({"type": "t", **{f"f{n}": value for n in range(50)}} for value in (1, 2))
    words = differences(content({"ws/m": mine}), content({"ws/m": theirs}))
    assert words.count(" and was ") == 5
    assert words.endswith("; …")


def test_another_metric_does_not_matter_to_one():
    both = {"ws/exact": EXACT, "ws/lower": LOWER}
    assert differences(content(both), content(), metric="ws/exact") == ""
    assert "ws/lower" in differences(content(both), content())
    assert "ws/lower" in differences(content(both), content(), metric="ws/lower")
    assert differences(content(both, dataset="ws/x"), content(), metric="ws/exact").startswith("dataset is")
