from __future__ import annotations

from dataclasses import replace

from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.gates.result import Outcome
from airflow_provider_benchmarks.views import VerdictView, failing_lines, junit_page
from tests.support.scored_jobs import flips


def test_checks_of_one_name_are_told_apart_by_their_arguments():
    candidate, baseline = flips(200, lost=20)
    checks = [
        NoRegression("m", baseline="released"),
        NoRegression("m", baseline="old"),
        NoRegression("m", baseline="old", severity="warn"),
        Threshold("m", at_least=0.5),
        Threshold("m", at_least=0.5),
        Threshold("m", at_least=0.6),
    ]
    found = evaluate(checks, candidate, {"released": baseline, "old": candidate})
    view = VerdictView.of(replace(found, workspace="w"))
    assert [(check.outcome, check.what) for check in view.checks] == [
        (Outcome.FAIL, "m/s difference (baseline released)"),
        (Outcome.PASS, "m/s difference (baseline old)"),
        (Outcome.PASS, "m/s difference (baseline old, severity warn)"),
        (Outcome.PASS, "m/s mean (#1)"),
        (Outcome.PASS, "m/s mean (#2)"),
        (Outcome.PASS, "m/s mean"),
    ]
    page = junit_page(view, name="dag.gate")
    assert all(page.count(f'name="{check.what} {check.required}"') == 1 for check in view.checks)


def test_metrics_whose_scores_have_one_name_are_named():
    candidate, _ = flips(200, lost=20)
    view = VerdictView.of(replace(evaluate([Threshold("w/m", at_least=0.99)], candidate), workspace="w"))
    assert failing_lines(view).startswith("FAIL mean of m/s is ")
