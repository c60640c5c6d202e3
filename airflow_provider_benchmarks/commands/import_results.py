"""Put the results of another evaluator into a score store.

Of lm-evaluation-harness, inspect_ai, NVIDIA's nel and lighteval. Each benchmark of the run becomes a job, whose folder
in the store is printed; gates and pages read it like any other.
Exits with 0 when the results are in the store, and 2 when they could not be stored.
"""

from __future__ import annotations

import argparse

from airflow_provider_benchmarks.commands.output import show
from airflow_provider_benchmarks.scores.results_files import AUTO, EVALUATORS

NAME = "import"
FAILURE = "could not import"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "path", metavar="PATH", help="file of results, or a folder with those of one run of each benchmark"
    )
    parser.add_argument("--store", required=True, help="folder of the score store: a local path or a URL")
    parser.add_argument(
        "--benchmark", metavar="WORKSPACE/NAME", help="what to store the benchmark as; default: evaluator/task"
    )
    parser.add_argument("--task", help="the benchmark to store, where there are several; default: all")
    parser.add_argument("--format", choices=[AUTO, *EVALUATORS], default=AUTO, help="the evaluator; default: find out")


def run(options: argparse.Namespace) -> int:
    """Store the results, print where they are, and return the exit code."""
    from airflow_provider_benchmarks.store import ScoreStore, store_results

    store = ScoreStore(options.store)
    stored = store_results(options.path, store, benchmark=options.benchmark, format=options.format, task=options.task)
    for job in stored:
        rows = job.rows.rows if job.rows is not None else 0
        show(f"{job.benchmark}: {rows} rows in {store.job_folder(job)}")
    return 0
