"""inspect_ai: a log of one task, ``<time>_<task>_<id>.eval``, or the same as ``.json``.

An ``.eval`` is a ZIP archive, of which ``summaries.json`` has the scores of all samples, with long texts cut. A row is
a sample in one epoch; the epochs of a sample are repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count
from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.aggregate import AggregateScores
from airflow_provider_benchmarks.scores.results_files.aggregates import aggregate_rows
from airflow_provider_benchmarks.scores.results_files.definition import definition
from airflow_provider_benchmarks.scores.results_files.files import (
    ResultFile,
    object_at,
    text_at,
)
from airflow_provider_benchmarks.scores.results_files.inspect_archive import unpack
from airflow_provider_benchmarks.scores.results_files.inspect_means import check_means, unscored_scorers
from airflow_provider_benchmarks.scores.results_files.inspect_samples import in_order, row_of
from airflow_provider_benchmarks.scores.results_files.run import (
    EvaluatorRun,
    ResultRow,
    described,
    rows_of,
    utc_time,
)

NAME = "inspect_ai"
TITLE = "inspect_ai"
#: What the tool writes beside logs.
MANIFESTS = ("eval-set.json", "logs.json")


def is_results(data: Any) -> bool:
    """True for the content of a log that was written as JSON."""
    return isinstance(data, dict) and isinstance(data.get("eval"), dict) and "status" in data


def read(file: ResultFile, data: Any) -> Iterator[EvaluatorRun]:
    """Read the task of a log.

    :param data: the log, where it was written as JSON; None for an archive
    :raises IncompleteResults: the task did not run to its end, samples are missing, or the log was marked as invalid
    :raises ConfigurationError: nothing that unpacks the archive is installed (extra ``parquet``)
    """
    header, samples = (data, data.get("samples")) if data is not None else unpack(file)
    header = object_at(header)
    if (status := header.get("status")) != "success":
        raise IncompleteResults(f'the task has the status {brief(status)}, and only of "success" its scores are whole')
    if header.get("invalidated"):
        raise IncompleteResults("someone has marked the log as invalid")
    task = object_at(header, "eval")
    rows = rows_of(_rows(samples, task, header.get("results")))
    packages = task.get("packages")
    run_id = task.get("eval_id")
    yield EvaluatorRun(
        tool=NAME,
        task=text_at(task, "task"),
        model=text_at(task, "model"),
        created_at=utc_time(task.get("created")),
        rows=rows,
        aggregate=AggregateScores(aggregate_rows(rows)),
        version=described(
            evaluator_version=packages.get("inspect_ai") if isinstance(packages, dict) else None,
            task_version=task.get("task_version"),
        ),
        run_id=run_id if isinstance(run_id, str) else "",
        content=_content(task, header.get("plan")),
    )


def _rows(samples: Any, task: dict[str, Any], results: Any) -> list[ResultRow]:
    """The samples in the order of the dataset.

    :param results: of the log; None where it has none
    :raises IncompleteResults: they are not those of the results
    """
    if not isinstance(samples, list):
        raise IncompleteResults(f"expected a list of samples, found {brief(samples)}")
    ordered = in_order(samples, object_at(task, "dataset").get("sample_ids"))
    rows = [row_of(sample) for sample in ordered]
    if results is None:
        return _all_failed(rows, task)
    if (expected := object_at({"results": results}, "results").get("total_samples")) != len(samples):
        raise IncompleteResults(f"there are {len(samples)} samples, but the task had {brief(expected)}")
    scores = [(sample.get("id"), row.scores) for sample, row in zip(ordered, rows, strict=True)]
    check_means(results, task.get("scorers"), scores)
    unscored = unscored_scorers(results, scores)
    return [replace(row, scores={**row.scores, **unscored}) for row in rows] if unscored else rows


def _all_failed(rows: list[ResultRow], task: dict[str, Any]) -> list[ResultRow]:
    """The rows of a log without results, which the tool writes where no sample was scored; none has a value.

    :raises IncompleteResults: it was not because all samples failed
    """
    if any(row.error is None for row in rows):
        raise IncompleteResults("the log has no results: its samples were not scored. Score it with inspect_ai first.")
    scores = {name: {name: None} for name in _scorers(task)}
    return [replace(row, scores=scores | dict(row.scores)) for row in rows]


def _content(task: dict[str, Any], plan: Any) -> dict[str, Any]:
    """What the task measures. A solver that was chosen for this run is what it measures, and is left out."""
    dataset, roles = object_at(task, "dataset"), task.get("model_roles")
    steps = plan.get("steps") if isinstance(plan, dict) and task.get("solver") is None else None
    defining = {key: task.get(key) for key in ("task_version", "task_args")}
    defining |= {"dataset": dataset.get("name"), "dataset_samples": dataset.get("samples")}
    if isinstance(steps, list):
        defining["solver"] = [
            {"name": s.get("solver"), "params": s.get("params")} for s in steps if isinstance(s, dict)
        ]
    if isinstance(roles, dict):
        defining["model_roles"] = {role: m.get("model") if isinstance(m, dict) else m for role, m in roles.items()}
    return definition(defining, _scorers(task))


def _scorers(task: dict[str, Any]) -> dict[str, Any]:
    """The options of the task's scorers, by the names that scores have: without a package, numbered where equal."""
    found: dict[str, Any] = {}
    listed = task.get("scorers")
    for scorer in listed if isinstance(listed, list) else ():
        name = scorer.get("name") if isinstance(scorer, dict) else None
        if isinstance(name, str) and (short := name.rpartition("/")[2]):
            names = chain([short], (f"{short}{number}" for number in count(1)))
            found[next(each for each in names if each not in found)] = {"options": scorer.get("options")}
    return found
