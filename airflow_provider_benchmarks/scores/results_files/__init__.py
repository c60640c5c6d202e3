"""Results that other evaluators have written, as the scores of jobs: one module for each evaluator.

To add one, write a module with ``NAME``, ``TITLE``, ``is_results`` and ``read``, and name it in :data:`EVALUATORS`.

In a folder no run may be left out in silence: an earlier one would be judged in its place. So a file is an error that
has a name of results, or is JSON, and can't be read; and so are rows without their results. Of JSON that can be read,
what is of no evaluator is left out, unless its name is one of results: tools write a lot of JSON beside these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from airflow_provider_benchmarks.brief import brief_names, did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
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
    :param in_folder: patterns of the name of the file that a run is read from
    :param any_json: a run may have any other name that ends in ``.json``, too
    :param start: first bytes of a file that is no JSON
    :param is_results: whether a JSON document is of this evaluator
    :param read: read the benchmarks of a run, from its file and what that holds as JSON, which is None where it is none
    :param is_lost: whether a file has the rows of a run that is not among those of some files of results
    """

    name: str
    title: str
    in_folder: tuple[str, ...]
    any_json: bool = False
    start: bytes | None = None
    is_results: Callable[[Any], bool]
    read: Callable[[ResultFile, Any], Iterator[EvaluatorRun]]
    is_lost: Callable[[ResultFile, Sequence[ResultFile]], bool] = lambda file, results: False

    def names(self, file: ResultFile) -> bool:
        """True for a file whose name is one of results."""
        return any(file.matches(pattern) for pattern in self.in_folder)

    def may_be(self, file: ResultFile) -> bool:
        """True for a file that a run may have been written to."""
        return self.names(file) or (self.any_json and file.matches("*.json"))


_ALL = (
    Evaluator(
        name=lm_eval.NAME,
        title=lm_eval.TITLE,
        in_folder=("results_*.json",),
        any_json=True,  # an output_path that ends in .json is the beginning of the name
        is_results=lm_eval.is_results,
        read=lm_eval.read,
        is_lost=lm_eval.is_lost,
    ),
    Evaluator(
        name=inspect_ai.NAME,
        title=inspect_ai.TITLE,
        in_folder=("*.eval", "????-??-??T??[:-]??[:-]??*.json"),
        any_json=True,
        start=_ZIP,
        is_results=inspect_ai.is_results,
        read=inspect_ai.read,
    ),
    Evaluator(
        name=nel.NAME,
        title=nel.TITLE,
        in_folder=(nel.BUNDLES,),
        is_results=nel.is_results,
        read=nel.read,
        is_lost=nel.is_lost,
    ),
    Evaluator(
        name=lighteval.NAME,
        title=lighteval.TITLE,
        in_folder=("results_*.json",),
        start=_PARQUET,
        is_results=lighteval.is_results,
        read=lighteval.read,
        is_lost=lighteval.is_lost,
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
                runs = list(evaluator.read(file, data))
                if not runs:
                    raise IncompleteResults("it has the results of no task")
            for run in runs:
                other, _ = found.setdefault((run.tool, run.task), (file, run))
                if other is not file:
                    raise ConfigurationError(
                        f'{path} has several runs of benchmark "{shortened(run.task)}": {other.url}, {file.url}. Name '
                        f"the file of one."
                    )
    chosen = [run for _, run in found.values() if task in (None, run.task)]
    if not chosen:
        tasks = brief_names(known for _, known in found)
        raise ConfigurationError(f'{path}: there is no benchmark "{shortened(task)}"; there is {tasks}')
    return chosen


def _chosen(name: str) -> list[Evaluator]:
    if name == AUTO:
        return list(EVALUATORS.values())
    if name not in EVALUATORS:
        raise ConfigurationError(
            f'unknown format "{shortened(name)}" of results; known: {", ".join((AUTO, *EVALUATORS))}'
            f"{did_you_mean(name, (AUTO, *EVALUATORS))}"
        )
    return [EVALUATORS[name]]


def _files_of(path: Any, evaluators: list[Evaluator]) -> Iterator[tuple[ResultFile, Any, Evaluator]]:
    """The files of results at a path, each with what it holds as JSON, and whose it is.

    :raises IncompleteResults: in a folder, one can't be read, or rows have no results
    """
    root, files = find_results(path)
    titles = " or ".join(evaluator.title for evaluator in evaluators)
    if files == [root]:
        if (recognised := _recognised(root, evaluators)) is None:
            raise ConfigurationError(f"{path} has no results of {titles}: the file's content is something else")
        yield (root, *recognised)
        return
    found: list[tuple[ResultFile, Evaluator]] = []
    for file in files:
        mine = [] if file.name in inspect_ai.MANIFESTS else [each for each in evaluators if each.may_be(file)]
        with named_if_damaged(file.url):
            recognised = _recognised_in_folder(file, mine) if mine else None
        if recognised is not None:
            found.append((file, recognised[1]))
            yield (file, *recognised)
    for evaluator in evaluators:
        results = [file for file, whose in found if whose is evaluator]
        for file in files:
            with named_if_damaged(file.url):
                if evaluator.is_lost(file, results):
                    raise IncompleteResults(
                        f"it has rows of a run of {evaluator.title} whose file of results is not there. Keep the files "
                        f"of a run together, or name the file of results of another run."
                    )
    if not found:
        names = ", ".join(dict.fromkeys(name for evaluator in evaluators for name in evaluator.in_folder))
        raise ConfigurationError(f"{path} has no results of {titles}: no file {names}")


def _recognised_in_folder(file: ResultFile, evaluators: list[Evaluator]) -> tuple[Any, Evaluator] | None:
    """What a file of a folder holds, and whose it is; None where it is certain to be no results of these evaluators.

    :raises IncompleteResults: it may be a run
    """
    if (recognised := _recognised(file, evaluators)) is not None:
        return recognised
    named = [evaluator.title for evaluator in evaluators if evaluator.names(file)]
    if not (is_empty := not file.start(1)) and (not named or _recognised(file, list(EVALUATORS.values()))):
        return None
    reason = "is empty" if is_empty else f"has a name of results of {' or '.join(named)}, but something else in it"
    raise IncompleteResults(
        f"it {reason}, and may be a run that was cut short. Write or copy it again, take it out of the folder, or name "
        f"the file of results of another run."
    )


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
