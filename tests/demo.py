"""``make demo``: nightly_regression and model_release_gate on a local evaluation service, as a user would see them."""

from __future__ import annotations

import re
import shutil
import sys
from itertools import takewhile

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.gates import Verdict
from airflow_provider_benchmarks.scores import low_scoring_rows, read_row_scores, row_scores_frame
from airflow_provider_benchmarks.testing import EvaluationService
from airflow_provider_benchmarks.views import VerdictView, log_records
from tests.support.airflow_runs import REPOSITORY, AirflowHome, RunOutcome

#: The first line of an exception as a task log has it, after its traceback.
_EXCEPTION = re.compile(r"^(?:\w+\.)*[A-Z]\w*: ", re.MULTILINE)


def main() -> int:
    import pandas as pd

    pd.set_option("display.width", 200, "display.max_columns", 20)
    folder = REPOSITORY / ".build" / "demo"  # it stays, so that its report can be opened
    shutil.rmtree(folder, ignore_errors=True)
    with EvaluationService() as service:
        benchmark = service.seed_question_answer_example()
        print(f"Local evaluation service at {service.url}, with benchmark {benchmark}.")
        airflow = AirflowHome(folder / "airflow")
        airflow.prepare()
        store = f"file://{folder}/scores"
        print("\n== nightly_regression: run the benchmark, keep its scores, check them")
        nightly = airflow.test_dag("nightly_regression", service.url, conf={"store": store})
        _print_tasks(nightly)
        job_name = nightly.xcoms.get(("run_benchmark", "return_value"))
        if job_name is None:
            print(nightly.log)
            _print_error(nightly)
            return 1
        _print_scores(service.url, job_name)
        _print_stored(nightly)
        _print_verdict(nightly)
        print("\n== model_release_gate: the same model against a bar that it misses")
        conf = {"store": store, "reports": f"file://{folder}/reports"}
        release = airflow.test_dag("model_release_gate", service.url, conf=conf)
        _print_tasks(release)
        _print_verdict(release)
        status = _compare(nightly, release)
    for report in (folder / "reports").glob("*.html"):
        print(f"\nThe report of the release: {report}\nOpen it: python3 -m webbrowser '{report.as_uri()}'")
    return status


def _print_tasks(run: RunOutcome) -> None:
    print(f"   DAG run: {run.state}")
    for task, state in run.tasks.items():
        print(f"   {state:16} {task}")


def _print_scores(url: str, job_name: str) -> None:
    with BenchmarkClient(ClientConfig(base_url=url, workspace="my-workspace")) as client:
        aggregate = client.get_aggregate_scores(job_name).to_frame()
        rows = row_scores_frame(client.iter_row_scores(job_name))
    print(f"\nAggregate scores of benchmark job {job_name}:")
    print(aggregate[["metric_ref", "name", "mean", "std_dev", "min", "max", "count"]].round(2))
    print("\nRow scores:")
    print(rows.rename_axis(None))
    print(f"Found {len(low_scoring_rows(rows, 0.7))} samples needing review")


def _print_stored(run: RunOutcome) -> None:
    stored = run.xcoms["download_rows", "return_value"]
    rows = read_row_scores(stored["path"].removeprefix("file://"), columns=["input", "exact-match", "string-check"])
    print(f"\nStored in {stored['path']} ({stored['rows']} rows, {stored['bytes']} bytes), its first rows:")
    print(rows.head(3))


def _print_verdict(run: RunOutcome) -> None:
    print("\nThe gate's log:")
    for record in log_records(VerdictView.of(Verdict.from_dict(run.xcoms[("gate", "verdict")]))):
        if not record.text.startswith("::"):  # a mark for Airflow's log view
            print(record.text)


def _print_error(run: RunOutcome) -> None:
    """Print the error of the task that failed last."""
    exceptions = [found.start() for found in _EXCEPTION.finditer(run.log)]
    if exceptions:
        print("\nThe task log ends with:")
        # The message goes on until the next log record, which begins with its time.
        print("\n".join(takewhile(lambda line: line[:1] not in "[2", run.log[exceptions[-1] :].splitlines())))


def _compare(nightly: RunOutcome, release: RunOutcome) -> int:
    """0 when the nightly run passed and the release was stopped by its gate alone."""
    expected = {
        "run_benchmark": "success",
        "gate": "failed",
        "ship": "upstream_failed",
        "pin_baseline": "upstream_failed",
    }
    if nightly.state == "success" and release.state == "failed" and release.tasks == expected:
        print("\nBoth came out as they should: the nightly run passed, and the release was stopped.")
        return 0
    for run, was_expected in ((nightly, nightly.state == "success"), (release, release.tasks == expected)):
        if not was_expected:
            print(f"\nNot as it should be: {run.tasks}\n{run.log[-4000:]}")
            _print_error(run)
    return 1


if __name__ == "__main__":
    sys.exit(main())
