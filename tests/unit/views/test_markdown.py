from __future__ import annotations

import re

import pytest

from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.gates.result import CheckResult, Outcome
from airflow_provider_benchmarks.gates.verdict import Verdict
from tests.support.scored_jobs import flips, judge


def result(outcome=Outcome.FAIL, text="x", *, rows=0):
    row = {"candidate": 0.0, "baseline": 1.0, "item": {text: text}}
    return CheckResult(
        check=Threshold("m", at_least=1), metric=text, score=text, outcome=outcome, observed=0.5, expected="≥ 1",
        count=3, nan_count=0, reason="" if outcome is Outcome.PASS else text, group=text,
        worst=tuple({"row_index": index, **row} for index in range(rows)),
    )  # fmt: skip


def test_failures_stand_first_and_passes_are_folded():
    page = Verdict(results=(result(Outcome.PASS), result(Outcome.WARN), result()), workspace="w").to_markdown()
    places = [page.index(text) for text in ("**FAIL: 1 of 3", "| FAIL |", "| WARN |", "<details>", "| PASS |")]
    assert places == sorted(places)
    assert "<summary>1 check that holds</summary>" in page
    assert "| PASS | x mean \\[x\\] (#1) | 0.5 | ≥ 1 | 3 rows |\n\n</details>" in page


def test_what_the_columns_have():
    found = judge(NoRegression("w/m"), *flips(200, lost=20))
    page = Verdict(results=(found,), workspace="w", job="candidate", baseline="baseline").to_markdown()
    (line,) = re.findall(r"^\| FAIL.*$", page, re.MULTILINE)
    cells = line.strip("| ").split(" | ")
    assert cells[:4] == ["FAIL", "m/s difference", "-10 points", "drop ≤ 0 points (detect)"]
    assert cells[4].startswith("s fell by 10 points, by at least ")
    assert "\n| row | score | baseline | this job | item |\n| --- |" in page
    assert "\n| 0 | m/s | 1 | 0 | q: q0, part: a, text: 0 |" in page


@pytest.mark.parametrize(("text", "many"), [("x", 1), ("x", 3000), ("a*|" * 100_000, 1), ("a*|" * 300, 100)])
def test_it_fits_a_comment(text, many):
    results = (*[result(Outcome.PASS, text)] * many, *[result(text=text, rows=2)] * many)
    page = Verdict(results=results, job=text, benchmark=text, workspace=text, baseline=text).to_markdown()
    assert len(page) < 65_536
    assert ("\nand " in page) == (many > 1)


def test_what_does_not_fit_is_counted():
    page = Verdict(results=tuple([result()] * 3000), workspace="w").to_markdown()
    shown = len(re.findall("^[|] FAIL ", page, re.MULTILINE))
    assert 0 < shown < 3000
    assert f"\nand {3000 - shown:,} more\n" in page


def test_what_a_verdict_in_an_xcom_has_no_room_for_is_counted():
    left = {"fail": 700, "not_judged": 10, "pass": 5, "unproven": 1}
    page = Verdict(results=(result(), result(Outcome.PASS)), left_out=left, workspace="w").to_markdown()
    assert re.findall("and [0-9,]+ more", page) == ["and 710 more", "and 6 more"]
    assert "<summary>7 checks that hold</summary>" in page
    nothing = Verdict(results=(), left_out={"fail": 2}).to_markdown()
    assert "and 2 more" in nothing
