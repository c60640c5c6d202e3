"""Show the pinned baseline of a benchmark in a score store, or pin another job with --job.

Gates compare with the pinned job, the released model, unless they name another baseline. A job that no check could
compare with is refused.

Exits with 0 when a job is pinned, 1 when none is, and 2 when that could not be read or done.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.commands.output import print_to, show, to_stderr
from airflow_provider_benchmarks.commands.sheets import Sheet, add_format, shown
from airflow_provider_benchmarks.commands.stored_jobs import add_store, benchmark_of, require_store_there
from airflow_provider_benchmarks.exceptions import IncompleteResults, NewerFormat
from airflow_provider_benchmarks.inert import one_line

if TYPE_CHECKING:
    from airflow_provider_benchmarks.store import ScoreStore, StoredJob

NAME = "pin"
FAILURE = "could not pin"
EXAMPLE = "pin my-workspace/qa-bench --store s3://bucket/benchmark-scores --job release-7"
PINNED, NOT_PINNED = 0, 1


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("benchmark", metavar="WORKSPACE/NAME", help="the benchmark")
    add_store(parser)
    parser.add_argument("--job", metavar="NAME", help="the job of the store to pin; left out, nothing is changed")
    parser.add_argument("--by", help="who pins it, for people; default: the user")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Pin a job where one is named, print which one is pinned, and return the exit code."""
    from airflow_provider_benchmarks.store.pins import PINNED as FILE
    from airflow_provider_benchmarks.store.pins import read_pin_record

    with to_stderr():
        store = require_store_there(options)
        workspace, benchmark = benchmark_of(options)
        if options.job is not None:
            _pin(store, store.get(options.job, workspace=workspace, benchmark=benchmark), options.by)
        found = read_pin_record(f"{store.folder(workspace, benchmark)}/{FILE}")
    show(shown([_sheet(benchmark, found)], options.format, found))
    return PINNED if found else NOT_PINNED


def _sheet(benchmark: str, found: dict[str, Any] | None) -> Sheet:
    if found is None:
        return Sheet(title=f"{benchmark}: no job is pinned", columns=(), rows=[])
    columns = {"job": "job", "pinned_at": "pinned at", "pinned_by": "by"}
    row = [str(found[key]) if found.get(key) else None for key in columns]
    return Sheet(title=f"{benchmark}: the pinned baseline", columns=tuple(columns.values()), rows=[row])


def _pin(store: ScoreStore, stored: StoredJob, by: str | None) -> None:
    """Pin a job, and say what speaks against it.

    :raises IncompleteResults: no check could compare with it
    """
    from airflow_provider_benchmarks.store.fitness import fitness
    from airflow_provider_benchmarks.store.pins import PinnedJobGone

    reason, problems = fitness(stored)
    if reason is not None:
        raise IncompleteResults(f'job "{stored.job}" can\'t be a baseline: {reason}. The pinned one stays as it is.')
    problems += [f"it did not pass {gate} ({o})" for gate, o in store.outcomes(stored).items() if o != "pass"]
    for problem in problems:
        print_to(one_line(f'warning: "{stored.job}" becomes the baseline, though {problem}'), sys.stderr)
    try:
        store.pinned(workspace=stored.workspace, benchmark=stored.benchmark)
    except NewerFormat:  # what a newer release has written is not for this one to replace
        raise
    except PinnedJobGone as error:
        print_to(one_line(f'note: the pin before, "{error.job}", is not in the score store any more'), sys.stderr)
    except Exception as error:  # noqa: BLE001  to pin another job repairs that
        print_to(one_line(f"warning: the pin before: {error}"), sys.stderr)
    store.pin(stored, by=by if by is not None else _user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        return ""
