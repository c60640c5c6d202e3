"""The jobs that a command is given: folders, or names in a score store."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_provider_benchmarks.brief import did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, NotStored

if TYPE_CHECKING:
    from airflow_provider_benchmarks.scores import AggregateScore
    from airflow_provider_benchmarks.store import ScoreStore, StoredJob

#: Where Airflow, too, looks for the score store.
STORE_VARIABLE = "AIRFLOW__BENCHMARKS__SCORE_STORE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that a command was given.

    :param path: folder or file that its scores are read from
    :param stored: as the score store has it; None for other folders
    """

    name: str
    path: str
    stored: StoredJob | None = None


def add_store(parser: argparse.ArgumentParser, *, with_workspace: bool = True) -> None:
    """Add the options that name a score store, and a workspace in it."""
    parser.add_argument(
        "--store",
        default=os.environ.get(STORE_VARIABLE) or None,
        metavar="FOLDER",
        help=f"folder of the score store: a local path or a URL; default: what {STORE_VARIABLE} says",
    )
    if with_workspace:
        parser.add_argument("--workspace", help="workspace of the jobs; default: any that has them")


def require_store(options: argparse.Namespace) -> ScoreStore:
    """The score store that a command was given.

    :raises ConfigurationError: there is none
    """
    from airflow_provider_benchmarks.store import ScoreStore

    if not options.store:
        raise ConfigurationError(f"there is no score store: add --store FOLDER, or set {STORE_VARIABLE}")
    return ScoreStore(options.store)


def require_store_there(options: argparse.Namespace) -> ScoreStore:
    """The score store that a command reads, whose folder is there.

    :raises ConfigurationError: there is none
    :raises NotStored: its folder is missing
    """
    from airflow_provider_benchmarks.scores.stored_files import is_there
    from airflow_provider_benchmarks.store.place import Place

    store = require_store(options)
    place = Place(store.root).object_path
    if not is_there(place.fs, place.path):
        raise NotStored(
            f"the folder of the score store, {store.root}, is not there: correct --store, or {STORE_VARIABLE}. "
            f"(It is made when the first job is stored.)"
        )
    return store


def benchmark_of(options: argparse.Namespace) -> tuple[str, str]:
    """Workspace of the jobs, and the reference of the benchmark that a command was given.

    :raises ConfigurationError: it is no reference
    """
    workspace, slash, name = options.benchmark.partition("/")
    if not (workspace and slash and name):
        raise ConfigurationError(f"a benchmark is WORKSPACE/NAME, found {shortened(options.benchmark)}")
    return options.workspace or workspace, options.benchmark


def find_job(text: str, options: argparse.Namespace) -> Job:
    """Find a job: a folder or a file that is there, else a name in the store.

    :raises ConfigurationError: there are several jobs of the name
    :raises NotStored: it is neither
    """
    if _is_path(text, options):
        return _job_at(text)
    store = require_store_there(options)
    found = [
        job for workspace in _workspaces(store, options.workspace) if (job := store.find(text, workspace=workspace))
    ]
    if len(found) > 1:
        places = ", ".join(job.workspace for job in found)
        raise ConfigurationError(f'job "{shortened(text)}" is in several workspaces: {places}. Add --workspace.')
    if not found:
        raise NotStored(f'"{shortened(text)}" is neither a folder nor a job in the score store {store.root}')
    return Job(name=found[0].job, path=store.job_folder(found[0]), stored=found[0])


def path_of(text: str, options: argparse.Namespace) -> str:
    """The path of scores that a command was given: a folder or a file, else that of a job in the store, by its name.

    :raises ConfigurationError: there are several jobs of the name
    :raises NotStored: there is a store, and neither it nor the disk has it
    """
    return text if not text or _is_path(text, options) else find_job(text, options).path


def no_jobs(store: ScoreStore, workspace: str, benchmark: str) -> NotStored:
    """The error where the store has no job of a benchmark."""
    from airflow_provider_benchmarks.store.job_names import names_in

    folders = map(unquote, names_in(f"{store.root}/{workspace}"))
    known = [name if "/" in name else f"{workspace}/{name}" for name in folders]
    meant = did_you_mean(benchmark, known)
    return NotStored(f'the score store {store.root} has no jobs of benchmark "{shortened(benchmark)}"{meant}')


def labels_of(scores: Iterable[AggregateScore]) -> dict[tuple[str, str], str]:
    """Short names of scores by metric and name: their own where no other metric has it, else with the metric."""
    keys = dict.fromkeys((score.metric, score.name) for score in scores)
    names = Counter(name for _, name in keys)
    return {(metric, name): name if names[name] == 1 else f"{metric}/{name}" for metric, name in keys}


def _is_path(text: str, options: argparse.Namespace) -> bool:
    return "/" in text or os.path.exists(text) or not options.store


def _job_at(path: str) -> Job:
    from airflow_provider_benchmarks.store import read_stored_job

    if os.path.isfile(path):
        return Job(name=path, path=path)
    try:
        stored = read_stored_job(path)
    except NotStored:  # a download
        return Job(name=os.path.basename(path.rstrip("/")), path=path)
    return Job(name=stored.job, path=path, stored=stored)


def _workspaces(store: ScoreStore, workspace: str | None) -> list[str]:
    from airflow_provider_benchmarks.store.job_names import names_in

    return [workspace] if workspace else [unquote(name) for name in names_in(store.root) if not name.startswith("_")]
