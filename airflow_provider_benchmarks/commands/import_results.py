"""Put the results of another evaluator into a score store.

Of lm-evaluation-harness, inspect_ai, NVIDIA's nel and lighteval. Each benchmark of the run becomes a job, whose folder
in the store is printed; gates and pages read it like any other.
Exits with 0 when the results are in the store, and 2 when they could not be stored.
"""

from __future__ import annotations

import argparse

from airflow_provider_benchmarks.commands.output import show, to_stderr
from airflow_provider_benchmarks.commands.stored_jobs import add_store, require_store
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.scores.results_files import AUTO, EVALUATORS

NAME = "import"
FAILURE = "could not import"
EXAMPLE = "import lm-results/ --store s3://bucket/benchmark-scores --benchmark my-workspace/trivia"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "path", metavar="PATH", help="file of results, or a folder with those of one run of each benchmark"
    )
    add_store(parser, with_workspace=False)
    parser.add_argument(
        "--benchmark", metavar="WORKSPACE/NAME", help="what to store the benchmark as; default: evaluator/task"
    )
    parser.add_argument("--task", help="the benchmark to store, where there are several; default: all")
    parser.add_argument("--format", choices=[AUTO, *EVALUATORS], default=AUTO, help="the evaluator; default: find out")


def run(options: argparse.Namespace) -> int:
    """Store the results, print where they are, and return the exit code."""
    from airflow_provider_benchmarks.store import store_results

    with to_stderr():
        store, name = require_store(options), options.benchmark
        stored = store_results(options.path, store, benchmark=name, format=options.format, task=options.task)
    for job in stored:
        rows = job.rows.rows if job.rows is not None else 0
        show(one_line(f"{job.benchmark}: {rows} rows in {store.job_folder(job)}"))
    return 0
