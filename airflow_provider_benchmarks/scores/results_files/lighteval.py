"""lighteval: ``results_<date>.json``, and for each task a ``details_<task>_<date>.parquet`` (``--save-details``).

The details have a row for each document. lighteval has no word for a call of the model that failed: it ends the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.scores.aggregate import AggregateScore, AggregateScores
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.results_files.files import (
    MAX_LINES_BYTES,
    MAX_ROWS,
    ResultFile,
    list_files,
    object_at,
)
from airflow_provider_benchmarks.scores.results_files.run import (
    EvaluatorRun,
    ResultRow,
    aggregate_rows,
    corpus_score,
    described,
    rows_of,
    score_number,
    utc_time,
)

NAME = "lighteval"
TITLE = "lighteval"
_BATCH_ROWS = 1024
#: Python parses no number of some thousands of digits.
_MAX_DIGITS = 20
#: What a name of a file of details is made of, besides the task.
_START, _END = "details_", ".parquet"
#: Number of levels above the results at which the folder of the details is: the name of a model may have slashes.
_LEVELS = 5


def is_results(data: Any) -> bool:
    """True for the content of a results file."""
    return isinstance(data, dict) and {"results", "config_general", "summary_general"} <= data.keys()


def read(file: ResultFile, data: Any) -> Iterator[EvaluatorRun]:
    """Read the tasks of one run, or one of them from its details.

    :param data: the results; None for a file of details
    :raises IncompleteResults: a task has no details, or they are not those of the results
    :raises ConfigurationError: nothing that reads details is installed (extra ``parquet``)
    """
    require("details of lighteval need", "pyarrow")
    date = file.name.rpartition("_")[2].removesuffix(".json").removesuffix(_END)
    if data is None:
        yield _read_task(_task_of(file, date), file, date, {})
        return
    details = {_task_of(each, date): each for each in _details_files(file, date)}
    tasks = [task for task in object_at(data, "results") if task in object_at(data, "config_tasks")]
    for task in tasks:
        if task not in details:
            raise IncompleteResults(
                f'{file.url}: there are no details of task "{shortened(task)}". Run lighteval with --save-details, and '
                f"keep its files together."
            )
        yield _read_task(task, details[task], date, data)
    if not tasks:
        raise IncompleteResults(f"{file.url}: there are results of no task")


def _task_of(details: ResultFile, date: str) -> str:
    return details.name.removeprefix(_START).removesuffix(_END).removesuffix(f"_{date}")


def _details_files(file: ResultFile, date: str) -> Sequence[ResultFile]:
    """The details of a run, which lie in a folder of their own: ``details/<model>/<date>`` beside ``results``."""
    for levels in range(1, min(_LEVELS, file.path.count("/")) + 1):
        folder = file.beside("details", levels=levels)
        if folder.exists():
            return [each for each in list_files(folder, depth=_LEVELS) if each.matches(f"{_START}*_{date}{_END}")]
    return []


def _read_task(task: str, details: ResultFile, date: str, data: Mapping[str, Any]) -> EvaluatorRun:
    rows = rows_of(_rows(details))
    scores = aggregate_rows(rows)
    general = object_at({"config_general": {}, **data}, "config_general")
    model = general.get("model_name") or ""
    return EvaluatorRun(
        tool=NAME,
        task=task,
        model=model if isinstance(model, str) else "",
        created_at=utc_time(date),
        rows=rows,
        aggregate=AggregateScores((*scores, *_corpus_scores(task, data, scores, details))),
        version=described(
            evaluator_version=general.get("lighteval_sha"),
            task_version=object_at({"versions": {}, **data}, "versions").get(task),
        ),
    )


def _rows(details: ResultFile) -> list[ResultRow]:
    """The documents in the order of the dataset; lighteval has shuffled them."""
    import pyarrow.parquet as pq

    found: list[ResultRow] = []
    with details.opened() as opened:
        file = pq.ParquetFile(opened)
        if missing := {"doc", "metric"} - set(file.schema_arrow.names):
            raise IncompleteResults(f"there are no columns {', '.join(sorted(missing))}, which lighteval 0.13 writes")
        groups = (file.metadata.row_group(number) for number in range(file.num_row_groups))
        if sum(group.total_byte_size for group in groups) > MAX_LINES_BYTES:
            raise IncompleteResults(f"it is larger than {MAX_LINES_BYTES:,} bytes")
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=["doc", "metric"]):
            found += map(_row, batch.to_pylist())
            if len(found) > MAX_ROWS:
                raise IncompleteResults(f"there are more than {MAX_ROWS:,} documents")
    return sorted(found, key=_place)


def _place(row: ResultRow) -> tuple[int, int, str]:
    """By the number of the document, or what else is its id."""
    document = str(row.item["id"])
    return (0, int(document), "") if document.isdecimal() and len(document) < _MAX_DIGITS else (1, 0, document)


def _row(row: dict[str, Any]) -> ResultRow:
    scores = {name: _value(value) for name, value in object_at(row, "metric").items()}
    return ResultRow(
        item=_item(object_at(row, "doc")),
        # Of some metrics a document has what the score of all is computed from, such as the texts for BLEU.
        scores={name: {name: value} for name, value in scores.items() if value is None or isinstance(value, float)},
    )


def _value(value: Any) -> Any:
    return score_number(value) if value is None or isinstance(value, bool | int | float) else value


def _item(document: dict[str, Any]) -> dict[str, Any]:
    """What identifies a document: its question without the examples before it, and what the task has added."""
    specific = document.get("specific")
    item = dict(specific) if isinstance(specific, dict) else {}
    return item | {key: document.get(key) for key in ("id", "query", "choices", "gold_index")}


def _corpus_scores(
    task: str, data: Mapping[str, Any], scores: Sequence[AggregateScore], details: ResultFile
) -> Iterator[AggregateScore]:
    """The tool's own scores that are no means of those of the documents, such as BLEU.

    :param data: the results; empty where there are only details
    :raises IncompleteResults: what is a mean by the task's configuration is not that of the documents
    """
    if not data:
        return
    metrics = object_at(data, "config_tasks", task).get("metrics")
    means = [m.get("metric_name") for m in metrics or () if isinstance(m, dict) and m.get("corpus_level_fn") == "mean"]
    of_rows = {score.metric: score for score in scores}
    for name, value in object_at(data, "results", task).items():
        if not name.endswith("_stderr") and is_number(value):
            mine = of_rows.get(name)
            found = corpus_score(name, name, value, of_rows=mine, is_mean=name in means, where=details.url)
            if found is not None:
                yield found
