"""Results that other evaluators have written, as the scores of jobs: one module for each evaluator.

To add one, write a module with ``NAME``, ``TITLE``, ``is_results`` and ``read``, and name it in :data:`EVALUATORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

from airflow_provider_benchmarks.brief import brief_names, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.job import JobScores
from airflow_provider_benchmarks.scores.results_files import inspect_ai, lighteval, lm_eval, nel
from airflow_provider_benchmarks.scores.results_files.files import (
    ResultFile,
    find_results,
    named_if_damaged,
)
from airflow_provider_benchmarks.scores.results_files.run import EvaluatorRun
from airflow_provider_benchmarks.scores.stored_files import Openable

__all__ = ["EVALUATORS", "Evaluator", "EvaluatorRun", "read_results", "read_runs"]

AUTO = "auto"
_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """How the results of an evaluator are read.

    :param name: as users write it
    :param title: for messages
    :param in_folder: pattern of the name of the file that a run is read from
    :param start: first bytes of a file that is no JSON
    :param is_results: whether a JSON document is of this evaluator
    :param read: read the benchmarks of a run, from its file and what that holds as JSON, which is None where it is none
    """

    name: str
    title: str
    in_folder: str
    start: bytes | None = None
    is_results: Callable[[Any], bool]
    read: Callable[[ResultFile, Any], Iterator[EvaluatorRun]]


_ALL = (
    Evaluator(
        name=lm_eval.NAME,
        title=lm_eval.TITLE,
        in_folder="results_*.json",
        is_results=lm_eval.is_results,
        read=lm_eval.read,
    ),
    Evaluator(
        name=inspect_ai.NAME,
        title=inspect_ai.TITLE,
        in_folder="*.eval",
        start=_ZIP,
        is_results=inspect_ai.is_results,
        read=inspect_ai.read,
    ),
    Evaluator(name=nel.NAME, title=nel.TITLE, in_folder="eval-*.json", is_results=nel.is_results, read=nel.read),
    Evaluator(
        name=lighteval.NAME,
        title=lighteval.TITLE,
        in_folder="results_*.json",
        start=_PARQUET,
        is_results=lighteval.is_results,
        read=lighteval.read,
    ),
)
EVALUATORS = {evaluator.name: evaluator for evaluator in _ALL}


def read_results(path: str | PathLike[str] | Openable, format: str = AUTO, *, task: str | None = None) -> JobScores:
    """Read the results of another evaluator as the scores of a job: what gates compare.

    The aggregate scores are computed from the rows, and the evaluator's own means are compared with them. A row whose
    model call failed has no score, also where the evaluator counts it as 0; lm-evaluation-harness and lighteval take an
    empty answer where a server has none, which nothing tells from the model's own, and which keeps its score. Equal
    items are of the same problem, so that the rows of two runs can be paired; repeats of a problem, such as the epochs
    of inspect_ai, are rows with equal items. The model's outputs are not read.

    :param path: the evaluator's file of results, or a folder with those of one run of each benchmark: local, a URL that
        fsspec opens, or an Airflow ObjectStoragePath
    :param format: ``lm-eval``, ``inspect_ai``, ``nel`` or ``lighteval``; ``auto`` finds out
    :param task: name of the benchmark, where there are several
    :raises ConfigurationError: there are no results, those of several runs or benchmarks, or an extra is missing
    :raises IncompleteResults: the results are damaged, cut short, or of a run that did not end well
    """
    runs = read_runs(path, format, task=task)
    if len(runs) != 1:
        raise ConfigurationError(
            f"{path} has the results of {len(runs)} benchmarks: {brief_names(run.task for run in runs)}. Name one with "
            f"task=."
        )
    with named_if_damaged(str(path)):
        return runs[0].scores()


def read_runs(
    path: str | PathLike[str] | Openable, format: str = AUTO, *, task: str | None = None
) -> list[EvaluatorRun]:
    """Read the benchmarks of a run of another evaluator, as :func:`read_results` does.

    :param task: read this one only
    """
    evaluators = _chosen(format)
    found: dict[tuple[str, str], tuple[ResultFile, EvaluatorRun]] = {}
    with named_if_damaged(str(path)):
        for file, data, evaluator in _files_of(path, evaluators):
            with named_if_damaged(file.url):
                for run in evaluator.read(file, data):
                    other, _ = found.setdefault((run.tool, run.task), (file, run))
                    if other is not file:
                        raise ConfigurationError(
                            f'{path} has several runs of benchmark "{shortened(run.task)}": {other.url}, {file.url}. '
                            f"Name the file of one."
                        )
    runs = [run for _, run in found.values() if task in (None, run.task)]
    if not runs:
        tasks = brief_names(known for _, known in found)
        raise ConfigurationError(f'{path}: there is no benchmark "{shortened(task)}"; there is {tasks}')
    return runs


def _chosen(name: str) -> list[Evaluator]:
    if name == AUTO:
        return list(EVALUATORS.values())
    if name not in EVALUATORS:
        raise ConfigurationError(
            f'unknown format "{shortened(name)}" of results; known: {", ".join((AUTO, *EVALUATORS))}'
        )
    return [EVALUATORS[name]]


def _files_of(path: Any, evaluators: list[Evaluator]) -> Iterator[tuple[ResultFile, Any, Evaluator]]:
    """The files of results at a path, each with what it holds as JSON, and whose it is."""
    root, files = find_results(path)
    is_folder, found = files != [root], False
    for file in files:
        mine = [each for each in evaluators if not is_folder or file.matches(each.in_folder)]
        if mine and (recognised := _recognised(file, mine)) is not None:
            found = True
            yield (file, *recognised)
    if not found:
        titles = " or ".join(evaluator.title for evaluator in evaluators)
        names = ", ".join(dict.fromkeys(evaluator.in_folder for evaluator in evaluators))
        raise ConfigurationError(f"{path} has no results of {titles}: no file {names}")


def _recognised(file: ResultFile, evaluators: list[Evaluator]) -> tuple[Any, Evaluator] | None:
    """What a file holds as JSON, and whose it is; None where it is no results of these evaluators."""
    start = file.start(len(_ZIP))
    for evaluator in evaluators:
        if evaluator.start is not None and start == evaluator.start:
            return None, evaluator
    if start.lstrip()[:1] != b"{":
        return None
    data = file.json()
    return next(((data, evaluator) for evaluator in evaluators if evaluator.is_results(data)), None)
