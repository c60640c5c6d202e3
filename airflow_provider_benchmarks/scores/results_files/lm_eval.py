"""lm-evaluation-harness: ``results_<date>.json``, and a ``samples_<task>_<date>.jsonl`` for each task.

Samples have a line for each document and filter. A document is a row, with the scores of all filters; a score is named
by its filter, or by its metric where that is ``none``. The harness has no word for a call of the model that failed: it
ends the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.aggregate import AggregateScore, AggregateScores
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.results_files.files import (
    MAX_ROWS,
    ResultFile,
    object_at,
    text_at,
    whole_number_at,
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

NAME = "lm-eval"
TITLE = "lm-evaluation-harness"


def is_results(data: Any) -> bool:
    """True for the content of a results file."""
    return isinstance(data, dict) and {"results", "configs", "n-shot"} <= data.keys()


def read(file: ResultFile, data: Any) -> Iterator[EvaluatorRun]:
    """Read the tasks of one run.

    :param file: of results
    :raises IncompleteResults: a task has no samples, or they are not those of the results
    """
    configs, samples = object_at(data, "configs"), _samples_files(file)
    for task in configs:
        if task not in samples:
            raise IncompleteResults(
                f'{file.url}: there are no samples of task "{shortened(task)}" beside it. Run the harness with '
                f"--log_samples, and keep its files together."
            )
        yield _read_task(task, samples[task], data)


def _samples_files(file: ResultFile) -> dict[str, ResultFile]:
    """The file of samples of each task: those with the date of the results, which both names end in."""
    date = file.name.rpartition("_")[2].removesuffix(".json")
    end = f"_{date}.jsonl"
    return {
        each.name.removeprefix("samples_").removesuffix(end): each
        for each in file.siblings()
        if each.name.startswith("samples_") and each.name.endswith(end)
    }


def _read_task(task: str, samples: ResultFile, data: dict[str, Any]) -> EvaluatorRun:
    rows = rows_of(_rows(samples))
    if (expected := object_at(data, "n-samples", task).get("effective")) != len(rows):
        raise IncompleteResults(
            f"{samples.url} has {len(rows)} documents, but the results are of {brief(expected)}: it is cut short, or "
            f"of another run"
        )
    scores = aggregate_rows(rows)
    model = data.get("model_name") or object_at(data, "config").get("model")
    return EvaluatorRun(
        tool=NAME,
        task=task,
        model=model if isinstance(model, str) else "",
        created_at=utc_time(data.get("date")),
        rows=rows,
        aggregate=AggregateScores((*scores, *_corpus_scores(task, data, scores, samples))),
        version=described(
            evaluator_version=data.get("lm_eval_version"),
            task_version=object_at(data, "versions").get(task),
            num_fewshot=object_at(data, "n-shot").get(task),
        ),
    )


def _rows(samples: ResultFile) -> Iterator[ResultRow]:
    """The documents in their order in the dataset."""
    found: dict[int, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {}
    for line in samples.lines():
        document = whole_number_at(line, "doc_id")
        item, scores = found.setdefault(document, (_item(line), {}))
        if item["doc_hash"] != line["doc_hash"]:
            raise IncompleteResults(f"{samples.url}: there are two documents {document}")
        _add_scores(scores, line, f"{samples.url}: document {document}")
        if len(found) > MAX_ROWS:
            raise IncompleteResults(f"{samples.url}: there are more than {MAX_ROWS:,} documents")
    for document in sorted(found):
        item, scores = found[document]
        yield ResultRow(item=item, scores=scores)


def _item(line: dict[str, Any]) -> dict[str, Any]:
    """What identifies a document. The prompt is not in it, which a comparison of two prompts would pair nothing with.

    ``doc_id`` is the position in the dataset, and ``doc_hash`` the hash of the document's content.
    """
    document = line.get("doc")
    item = dict(document) if isinstance(document, dict) else {"doc": document}
    return item | {"doc_id": line["doc_id"], "doc_hash": text_at(line, "doc_hash"), "target": line.get("target")}


def _add_scores(scores: dict[str, dict[str, Any]], line: dict[str, Any], where: str) -> None:
    metrics, filter_name = line.get("metrics"), text_at(line, "filter")
    if not isinstance(metrics, list) or not all(isinstance(metric, str) for metric in metrics):
        raise IncompleteResults(f'{where}: expected names of metrics as "metrics", found {brief(metrics)}')
    for metric in metrics:
        value = _value(line.get(metric))
        # Of some metrics a document has what the score of all is computed from, such as the texts for BLEU.
        if value is not None and not isinstance(value, float | str):
            continue
        name, named = _score_name(metric, filter_name), scores.setdefault(metric, {})
        if name in named:
            raise IncompleteResults(f'{where}: filter "{shortened(filter_name)}" stands there twice')
        named[name] = value


def _value(value: Any) -> Any:
    """A score; the harness writes numbers of types that JSON does not know, such as float32, as texts."""
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return score_number(value)


def _score_name(metric: str, filter_name: str) -> str:
    return metric if filter_name == "none" else filter_name


def _corpus_scores(
    task: str, data: Mapping[str, Any], scores: Sequence[AggregateScore], samples: ResultFile
) -> Iterator[AggregateScore]:
    """The harness's own scores that are no means of those of the documents, such as BLEU or a perplexity.

    :raises IncompleteResults: what is a mean by the task's configuration is not that of the documents
    """
    listed = object_at(data, "configs", task).get("metric_list")
    means = [
        each.get("metric") for each in listed or () if isinstance(each, dict) and each.get("aggregation") == "mean"
    ]
    of_rows = {(score.metric, score.name): score for score in scores}
    for key, value in object_at(data, "results", task).items():
        metric, comma, filter_name = key.partition(",")
        if not comma or metric.endswith("_stderr") or not is_number(value):
            continue
        mine = of_rows.get((metric, _score_name(metric, filter_name)))
        found = corpus_score(metric, key, value, of_rows=mine, is_mean=metric in means, where=samples.url)
        if found is not None:
            yield found
