"""The two tables of the service's "Benchmark Results" page come out to the digit."""

from __future__ import annotations

from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.scores import low_scoring_rows, row_scores_frame
from tests.integration.conftest import SPEC

AGGREGATE = """\
                  metric_ref          name  mean  std_dev  min  max  count
0   my-workspace/exact-match   exact-match   0.6     0.49  0.0  1.0      5
1  my-workspace/string-check  string-check   0.8     0.40  0.0  1.0      5"""

ROWS = """\
                input                output reference  exact-match  string-check
0        What is 2+2?       The answer is 4         4          0.0           1.0
1  Capital of France?  Paris is the capital     Paris          0.0           1.0
2       Color of sky?                  Blue      blue          1.0           0.0
3     Largest planet?               Jupiter   Jupiter          1.0           1.0
4      Water formula?                   H2O       H2O          1.0           1.0"""


def test_the_documented_tables(service):
    hook = BenchmarkHook()
    hook.submit_job(SPEC, name="my-job-name")
    hook.wait_for_job("my-job-name", poll_interval=0.05, timeout=60)
    aggregate = hook.get_aggregate_scores("my-job-name").to_frame()
    shown = aggregate[["metric_ref", "name", "mean", "std_dev", "min", "max", "count"]].round(2)
    assert shown.to_string() == AGGREGATE
    rows = row_scores_frame(hook.iter_row_scores("my-job-name"))
    assert rows.rename_axis(None).to_string() == ROWS
    assert len(low_scoring_rows(rows, 0.7)) == 3
