"""lighteval: ``results_<date>.json``, and for each task a ``details_<task>_<date>.parquet`` (``--save-details``).

The details have a row for each document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.scores.aggregate import AggregateScore, AggregateScores
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.results_files.aggregates import aggregate_rows, corpus_score
from airflow_provider_benchmarks.scores.results_files.definition import definition
from airflow_provider_benchmarks.scores.results_files.files import (
    ResultFile,
    list_files,
    object_at,
)
from airflow_provider_benchmarks.scores.results_files.lighteval_details import read_details
from airflow_provider_benchmarks.scores.results_files.run import (
    EvaluatorRun,
    described,
    rows_of,
    utc_time,
)

NAME = "lighteval"
TITLE = "lighteval"
#: Fields of a task's configuration that decide what it measures. How the model is called is not among them.
_DEFINING = (
    "prompt_function",
    "hf_repo",
    "hf_subset",
    "hf_revision",
    "hf_filter",
    "evaluation_splits",
    "few_shots_split",
    "few_shots_select",
    "num_fewshots",
    "version",
)
#: What a name of a file of details is made of, besides the task.
_START, _END = "details_", ".parquet"
#: What is no task, but the mean of several: of all, and of those of one benchmark.
_ALL, _AVERAGE = "all", ":_average|"
#: Number of levels above the results at which the folder of the details is: the name of a model may have slashes.
_LEVELS = 5


def is_results(data: Any) -> bool:
    """True for the content of a results file."""
    return isinstance(data, dict) and {"results", "config_general"} <= data.keys()


def is_lost(file: ResultFile, results: Sequence[ResultFile]) -> bool:
    """True for details that no file of results has the date of."""
    return file.matches(f"{_START}*_????-??-??T*{_END}") and not any(
        _date_of(each) == _date_of(file) for each in results
    )


def read(file: ResultFile, data: Any) -> Iterator[EvaluatorRun]:
    """Read the tasks of one run, or one of them from its details.

    :param data: the results; None for a file of details
    :raises IncompleteResults: a task has no details, or they are not those of the results
    :raises ConfigurationError: nothing that reads details is installed (extra ``parquet``)
    """
    require("details of lighteval need", "pyarrow")
    date = _date_of(file)
    if data is None:
        yield _read_task(_task_of(file, date), file, date, {})
        return
    details = {_task_of(each, date): each for each in _details_files(file, date)}
    for task in object_at(data, "results"):
        if task == _ALL or _AVERAGE in task:
            continue
        if task not in object_at(data, "config_tasks"):
            raise IncompleteResults(
                f'it has results of task "{shortened(task)}", but no configuration of it (config_tasks): '
                f"it is damaged, or of a version of the tool that is not read here"
            )
        if task not in details:
            raise IncompleteResults(
                f'there are no details of task "{shortened(task)}". Run lighteval with --save-details, and '
                f"keep its files together."
            )
        yield _read_task(task, details[task], date, data)


def _date_of(file: ResultFile) -> str:
    return file.name.rpartition("_")[2].removesuffix(".json").removesuffix(_END)


def _task_of(details: ResultFile, date: str) -> str:
    return details.name.removeprefix(_START).removesuffix(_END).removesuffix(f"_{date}")


def _details_files(file: ResultFile, date: str) -> Sequence[ResultFile]:
    """The details of a run, which lie in a folder of their own: ``details/<model>/<date>`` beside ``results``."""
    for levels in range(1, min(_LEVELS, file.path.count("/")) + 1):
        folder = file.beside("details", levels=levels)
        if folder.exists():
            return [each for each in list_files(folder, is_deep=True) if each.matches(f"{_START}*_{date}{_END}")]
    return []


def _read_task(task: str, details: ResultFile, date: str, data: Mapping[str, Any]) -> EvaluatorRun:
    found = read_details(details)
    valued = {name for row in found for name in row.valued}
    rows = rows_of(row.row for row in found)
    if data:
        _check_number(len(rows), object_at(data, "config_tasks", task), details)
    scores = aggregate_rows(rows)
    general = object_at({"config_general": {}, **data}, "config_general")
    model = general.get("model_name") or ""
    return EvaluatorRun(
        tool=NAME,
        task=task,
        model=model if isinstance(model, str) else "",
        created_at=utc_time(date),
        rows=rows,
        aggregate=AggregateScores((*scores, *_corpus_scores(task, data, scores, valued, details))),
        version=described(
            evaluator_version=general.get("lighteval_sha"),
            task_version=object_at({"versions": {}, **data}, "versions").get(task),
        ),
        content=_content(task, data) if data else None,
    )


def _check_number(number: int, config: Mapping[str, Any], details: ResultFile) -> None:
    """Compare the number of documents, where the configuration has it: lighteval writes -1 where it does not know.

    :raises IncompleteResults: it is another one
    """
    expected = config.get("effective_num_docs")
    if is_number(expected) and expected >= 0 and expected != number:
        raise IncompleteResults(
            f"{details.url} has {number} documents, but the results are of {brief(expected)}: it is cut short, or of "
            f"another run"
        )


def _content(task: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the task measures."""
    config = object_at(data, "config_tasks", task)
    return definition({key: config.get(key) for key in _DEFINING}, _metrics(config))


def _metrics(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """How the task's configuration defines its metrics, by their names; one definition may be of several."""
    listed, found = config.get("metrics"), {}
    for metric in listed if isinstance(listed, list) else ():
        names = metric.get("metric_name") if isinstance(metric, dict) else None
        for name in names if isinstance(names, list) else [names]:
            if isinstance(name, str):
                found[name] = metric
    return found


def _corpus_scores(
    task: str, data: Mapping[str, Any], scores: Sequence[AggregateScore], valued: set[str], details: ResultFile
) -> Iterator[AggregateScore]:
    """The tool's own scores that are no means of those of the documents, such as BLEU.

    :param data: the results; empty where there are only details
    :param valued: names of the metrics of which some document has a value
    :raises IncompleteResults: what is a mean by the task's configuration is not that of the documents
    """
    if not data:
        return
    metrics = _metrics(object_at(data, "config_tasks", task))
    of_rows = {score.metric: score for score in scores}
    for name, value in object_at(data, "results", task).items():
        if name.endswith("_stderr") or not is_number(value):
            continue
        how = metrics.get(name, {}).get("corpus_level_fn")
        found = corpus_score(
            name,
            name,
            value,
            of_rows=of_rows.get(name),
            has_values=name in valued,
            how=how.get(name) if isinstance(how, dict) else how,
            where=details.url,
        )
        if found is not None:
            yield found
