"""lm-evaluation-harness: ``results_<date>.json``, and a ``samples_<task>_<date>.jsonl`` for each task.

An ``output_path`` of the harness that ends in ``.json`` takes the place of ``results``.

Samples have a line for each document and filter. A document is a row, with the scores of all filters; a score is named
by its filter, or by its metric where that is ``none``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.aggregate import AggregateScore, AggregateScores
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.results_files.aggregates import aggregate_rows, corpus_score
from airflow_provider_benchmarks.scores.results_files.definition import definition
from airflow_provider_benchmarks.scores.results_files.files import ResultFile, object_at
from airflow_provider_benchmarks.scores.results_files.lm_eval_samples import read_samples, score_name
from airflow_provider_benchmarks.scores.results_files.run import (
    EvaluatorRun,
    ResultRow,
    described,
    rows_of,
    utc_time,
)

NAME = "lm-eval"
TITLE = "lm-evaluation-harness"
#: Metrics that the harness makes no mean of, though documents have numbers, where the configuration says nothing.
_AGGREGATIONS = {"perplexity": "perplexity", "bypass": "bypass"}
#: Fields of a task's configuration that decide what it measures. How the model is called is not among them, nor where
#: the dataset lies on the machine.
_DEFINING = (
    "dataset_path",
    "dataset_name",
    "test_split",
    "validation_split",
    "output_type",
    "process_docs",
    "process_results",
    "description",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "gen_prefix",
    "target_delimiter",
    "fewshot_split",
    "fewshot_delimiter",
    "fewshot_config",
    "filter_list",
)


def is_results(data: Any) -> bool:
    """True for the content of a results file."""
    return isinstance(data, dict) and {"results", "configs"} <= data.keys()


def is_lost(file: ResultFile, results: Sequence[ResultFile]) -> bool:
    """True for samples that no file of results in their folder has the date of."""
    if not file.matches("samples_*_????-??-??T*.jsonl"):
        return False
    return not any(each.beside() == file.beside() and _date_of(each) == _date_of(file) for each in results)


def read(file: ResultFile, data: Any) -> Iterator[EvaluatorRun]:
    """Read the tasks of one run.

    :param file: of results
    :raises IncompleteResults: a task has no samples, or they are not those of the results
    """
    configs, samples = object_at(data, "configs"), _samples_files(file)
    for name in object_at(data, "results"):
        if name not in configs and not _is_group(name, data):
            raise IncompleteResults(
                f'it has results of task "{shortened(name)}", but no configuration of it (configs): it is '
                f"damaged, or of a version of the tool that is not read here"
            )
    for task in configs:
        if task not in samples:
            raise IncompleteResults(
                f'there are no samples of task "{shortened(task)}" beside it. Run the harness with '
                f"--log_samples, and keep its files together."
            )
        yield _read_task(task, samples[task], data)


def _date_of(file: ResultFile) -> str:
    """The date that the names of all files of a run end in."""
    return file.name.rpartition("_")[2].removesuffix(".json").removesuffix(".jsonl")


def _is_group(name: str, data: dict[str, Any]) -> bool:
    """True for what is no task, but the means of several; some versions list tasks as groups without subtasks."""
    groups, subtasks = (object_at({key: {}} | data, key) for key in ("groups", "group_subtasks"))
    return name in groups or bool(subtasks.get(name))


def _samples_files(file: ResultFile) -> dict[str, ResultFile]:
    """The file of samples of each task: those with the date of the results, which both names end in."""
    end = f"_{_date_of(file)}.jsonl"
    return {
        each.name.removeprefix("samples_").removesuffix(end): each
        for each in file.siblings()
        if each.name.startswith("samples_") and each.name.endswith(end)
    }


def _read_task(task: str, samples: ResultFile, data: dict[str, Any]) -> EvaluatorRun:
    read = read_samples(samples)
    rows = rows_of(ResultRow(item=found.item, scores=found.scores) for _, found in sorted(read.documents.items()))
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
        aggregate=AggregateScores((*scores, *_corpus_scores(task, data, scores, read.valued, samples))),
        version=described(
            evaluator_version=data.get("lm_eval_version"),
            task_version=object_at(data, "versions").get(task),
            num_fewshot=object_at(data, "n-shot").get(task),
            empty_answers=len(read.empty) or None,
        ),
        content=_content(task, data),
    )


def _content(task: str, data: dict[str, Any]) -> dict[str, Any]:
    """What the task measures."""
    config, hashes = object_at(data, "configs", task), data.get("task_hashes")
    # Of a limited run the hash is another one, too; the limit says why.
    defining = {"limit": object_at({"config": {}} | data, "config").get("limit")}
    defining |= {key: config.get(key) for key in _DEFINING}
    defining |= {"version": object_at(data, "versions").get(task), "num_fewshot": object_at(data, "n-shot").get(task)}
    # The hash is of all documents with their prompts, which a chat template makes the model's own.
    if not data.get("chat_template") and isinstance(hashes, dict):
        defining["hash"] = hashes.get(task)
    return definition(defining, _metrics(config))


def _metrics(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """How the task's configuration defines its metrics, by their names."""
    listed = config.get("metric_list")
    each = [metric for metric in listed if isinstance(metric, dict)] if isinstance(listed, list) else []
    return {metric["metric"]: metric for metric in each if isinstance(metric.get("metric"), str)}


def _corpus_scores(
    task: str,
    data: Mapping[str, Any],
    scores: Sequence[AggregateScore],
    valued: set[tuple[str, str]],
    samples: ResultFile,
) -> Iterator[AggregateScore]:
    """The harness's own scores that are no means of those of the documents, such as BLEU or a perplexity.

    :raises IncompleteResults: what is a mean by the task's configuration is not that of the documents
    """
    metrics = _metrics(object_at(data, "configs", task))
    of_rows = {(score.metric, score.name): score for score in scores}
    for key, value in object_at(data, "results", task).items():
        metric, comma, filter_name = key.partition(",")
        if not comma or metric.endswith("_stderr") or not is_number(value):
            continue
        found = corpus_score(
            metric,
            key,
            value,
            of_rows=of_rows.get((metric, score_name(metric, filter_name))),
            has_values=(metric, filter_name) in valued,
            how=metrics.get(metric, {}).get("aggregation") or _AGGREGATIONS.get(metric),
            where=samples.url,
        )
        if found is not None:
            yield found
