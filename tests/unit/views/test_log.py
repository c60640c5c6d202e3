from __future__ import annotations

import logging
import re
from dataclasses import replace

from airflow_provider_benchmarks.gates import NoRegression, Outcome, Threshold, evaluate
from airflow_provider_benchmarks.gates.result import CheckResult
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.views import VerdictView, failing_lines, log_records
from airflow_provider_benchmarks.views.log import MOST_CHECKS, MOST_ROWS, WIDTH
from airflow_provider_benchmarks.views.verdict import MOST_CHARACTERS
from tests.support.scored_jobs import job

ITEMS = [{"question": f"What is number {i}?", "category": ("math", "code")[i % 2]} for i in range(100)]
BASELINE = job([1.0] * 80 + [0.0] * 20, name="baseline", items=ITEMS)
CANDIDATE = job([0.0] * 30 + [1.0] * 50 + [0.0] * 20, items=ITEMS)
CHECKS = [
    Threshold("m", at_least=0.4),
    NoRegression("m", by="category", margin=0.01, mode="prove"),
    Threshold("m", at_least=0.9),
    Threshold("missing", at_least=0.9, severity="warn"),
    NoRegression("m"),
    Threshold("m", at_most=0.6),
]


def view(checks=CHECKS, **fields):
    return VerdictView.of(replace(evaluate(checks, CANDIDATE, BASELINE), workspace="w", **fields))


def texts(found):
    return [record.text for record in log_records(found)]


def starts(found):
    return [re.split(" {2,}", record.text)[0] for record in log_records(found)]


def test_failures_stand_first_and_passes_in_a_group():
    found = starts(view())
    assert found[0] == "FAIL: 2 of 7 checks hold, 1 warns (baseline: baseline)"
    assert found[1].startswith('Benchmark job "candidate" in workspace "w", compared with "baseline".')
    checks = found[2 : found.index("::endgroup::") + 1]
    assert checks == [*["FAIL"] * 4, "WARN", "::group::2 that passed", *["PASS"] * 2, "::endgroup::"]
    rows = found.index("Rows that got worse most (score of the baseline → of this job):")
    assert rows == found.index("::endgroup::") + 1
    assert found[rows + MOST_ROWS + 1] == f"::group::{len(view().worst) - MOST_ROWS} more rows"
    assert len(found) == rows + len(view().worst) + 3
    levels = {record.text.split()[0]: record.level for record in log_records(view())[2:7]}
    assert levels == {"FAIL": logging.ERROR, "WARN": logging.WARNING}


def test_each_line_has_value_and_bar_once():
    lines = texts(view())
    (missed,) = (line for line in lines if "≥ 0.9" in line and line.startswith("FAIL"))
    assert re.sub(" {2,}", "  ", missed) == "FAIL  m/s mean  0.5  ≥ 0.9  100 rows"
    (fell,) = (line for line in lines if "(detect)" in line)
    first, *why = fell.splitlines()
    assert re.split(" {2,}", first) == ["FAIL", "m/s difference", "-30 points", "drop ≤ 0 points (detect)"]
    assert why[0].startswith("      s fell by 30 points, by at least ")
    (passed,) = (line for line in lines if "≥ 0.4" in line)
    assert re.split(" {2,}", passed) == ["PASS", "m/s mean", "0.5", "≥ 0.4", "100 rows"]


def test_no_line_is_wider_than_half_a_screen():
    long = "a" * 300
    items = [{"question": f"{long} {long}"} for _ in range(100)]
    found = evaluate(
        [Threshold(f"{long} {long}", at_least=0.1), Threshold("m", at_least=0.9), NoRegression("m")],
        job([0.0] * 100, name=long, items=items),
        job([1.0] * 100, items=items),
    )
    shown = VerdictView.of(replace(found, workspace=long, benchmark=f"{long}/{long}"))
    lines = "\n".join(texts(shown)).splitlines()
    assert max(map(len, lines)) <= WIDTH
    shown = lines[: next(place for place, line in enumerate(lines) if line.endswith(" more rows"))]
    assert sum(line.startswith("      row ") for line in shown) == MOST_ROWS


def test_rows_show_both_scores_and_the_item():
    found = texts(view([NoRegression("m")]))
    first = found.index("Rows that got worse most (score of the baseline → of this job):") + 1
    assert found[first] == "      row 0  m/s 1 → 0  question: What is number 0?, category: math"


def test_a_log_of_many_checks_is_folded_and_whole():
    found = starts(view([Threshold("m", at_least=0.4)] * 500 + [Threshold("m", at_least=0.9)] * 300))
    fails, passes = ["FAIL"] * MOST_CHECKS, ["PASS"] * 500
    more = ["::group::280 more that did not pass", *["FAIL"] * 280, "::endgroup::"]
    assert found[2:] == [*fails, *more, "::group::500 that passed", *passes, "::endgroup::"]


def test_texts_of_others_have_no_hold_on_the_log():
    hostile = "a\n::group::x\r\x1b[31mb::endgroup::\u202e"
    result = CheckResult(
        check=Threshold("m", at_least=1), metric=hostile, score=hostile, outcome=Outcome.FAIL, observed=None,
        expected=hostile, count=None, nan_count=None, reason=hostile, group=hostile,
        worst=({"row_index": 3, "item": {hostile: hostile}, "candidate": 0.0, "baseline": 1.0},),
    )  # fmt: skip
    lines = texts(VerdictView.of(Verdict(results=(result,), job=hostile, benchmark=hostile, workspace=hostile)))
    assert not set("\r\x1b\u202e") & set("".join(lines))
    assert "::group::" not in "".join(lines)
    assert "::endgroup::" not in "".join(lines)
    assert sum(line.startswith("FAIL") for line in "\n".join(lines).splitlines()) == 2  # headline and check


def test_an_error_has_what_keeps_the_gate_from_passing():
    lines = failing_lines(view()).splitlines()
    assert [line.partition(" by ")[0] for line in lines] == [
        "FAIL m/s difference [category = code]: s fell",
        "FAIL m/s difference [category = math]: s fell",
        "FAIL mean of m/s is 0.5, expected ≥ 0.9",
        "FAIL m/s difference: s fell",
    ]
    many = failing_lines(view([Threshold("m", at_least=0.9)] * 300)).splitlines()
    assert (len(many), many[-1]) == (MOST_CHECKS + 1, "and 280 more, which the log has")
    inconclusive = view([NoRegression("m", margin=0.31, mode="prove"), Threshold("missing", at_least=1)])
    assert inconclusive.outcome is Outcome.FAIL
    assert [check.outcome for check in inconclusive.unmet] == [Outcome.FAIL, Outcome.INCONCLUSIVE]
    assert failing_lines(view([Threshold("m", at_least=0.4)])) == ""


def test_a_name_that_is_a_book_is_cut():
    named = "n" * 100_000
    found = view([Threshold(named, at_least=0.5), NoRegression("m", by="category")])
    assert len(failing_lines(found)) < 3 * MOST_CHARACTERS
    assert sum(map(len, texts(found))) < 10 * MOST_CHARACTERS
    assert "… (100," in failing_lines(found)


def test_names_are_short_where_nothing_else_has_them():
    def named(metric, score, *, group=""):
        result = CheckResult(
            check=Threshold("m", at_least=1), metric=metric, score=score, outcome=Outcome.PASS, observed=1.0,
            expected="≥ 1", count=1, nan_count=2, reason="", group=group,
        )  # fmt: skip
        (check,) = VerdictView.of(Verdict(results=(result,), workspace="ws")).checks
        assert check.why == "1 row, 2 without a value"
        return check.what

    assert named("ws/exact-match", "exact-match") == "exact-match mean"
    assert named("ws/judge", "helpfulness") == "judge/helpfulness mean"
    assert named("other/judge", "judge", group="category = math") == "other/judge mean [category = math]"
    assert named("judge", None) == "judge mean"
