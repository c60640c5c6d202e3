"""NVIDIA's nel (nemo-evaluator 0.3): a bundle ``eval-<time>-<benchmark>.json``, and ``results.jsonl`` beside it.

``results.jsonl`` has a line for each problem and repeat, in the order in which they ended. The tool scores 0 where the
model or a judge did not answer; here such a row has no score. A failure that the tool calls graceful is the model's
own, such as an agent that has used up its turns, and stays 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum
from typing import Any

from airflow_provider_benchmarks.brief import brief, brief_names, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.aggregate import AggregateScores
from airflow_provider_benchmarks.scores.json_values import is_number, json_text
from airflow_provider_benchmarks.scores.results_files.aggregates import aggregate_rows, is_same, other_mean
from airflow_provider_benchmarks.scores.results_files.definition import definition
from airflow_provider_benchmarks.scores.results_files.files import (
    MAX_ROWS,
    ResultFile,
    object_at,
    text_at,
    whole_number_at,
)
from airflow_provider_benchmarks.scores.results_files.inspect_ai import MANIFESTS
from airflow_provider_benchmarks.scores.results_files.json_size import KeptValues
from airflow_provider_benchmarks.scores.results_files.run import (
    EvaluatorRun,
    ResultRow,
    described,
    rows_of,
    score_number,
    utc_time,
)

NAME = "nel"
TITLE = "nel (nemo-evaluator)"
#: Names of the bundles.
BUNDLES = "eval-*.json"
_ROWS = "results.jsonl"
_ROW_STARTS = 64
_REWARD = "reward"
#: Kinds of failures that are not the model's own.
_NO_ANSWER = ("infra_error", "system")


def is_results(data: Any) -> bool:
    """True for the content of a bundle."""
    return isinstance(data, dict) and {"run_id", "benchmark", "n_results"} <= data.keys()


def is_lost(file: ResultFile, results: Sequence[ResultFile]) -> bool:
    """True for rows that have no bundle beside them, nor one above, which the rows of shards are merged into."""
    if file.name != _ROWS or any(each.beside() in (file.beside(), file.beside(levels=2)) for each in results):
        return False
    return b'"problem_idx"' in file.start(_ROW_STARTS)  # others have files of this name, too


def read(file: ResultFile, data: Any) -> Iterator[EvaluatorRun]:
    """Read the benchmark of a bundle.

    :raises IncompleteResults: rows are missing, too many, or may be those of another bundle
    """
    results, benchmark, config = file.beside(_ROWS), object_at(data, "benchmark"), object_at(data, "config")
    _check_shards(config)
    if not results.exists():
        raise IncompleteResults(f"there is no {_ROWS} beside it. Keep the files of a run together.")
    # The rows name no run. The tool writes those of a second run over those of the first, whose bundle stays.
    bundles = [each.name for each in file.siblings() if each.matches(BUNDLES) and each.name not in MANIFESTS]
    if len(bundles) > 1:
        raise IncompleteResults(
            f"{results.url} is of one run, but {len(bundles)} bundles are beside it: {brief_names(bundles)}. Take the "
            f"others away, and give each run a folder of its own."
        )
    read = _rows(results)
    rows = rows_of(row for row, _ in read)
    if data["n_results"] != len(rows):
        raise IncompleteResults(f"{results.url} has {len(rows)} rows, but the bundle counts {brief(data['n_results'])}")
    _check_mean([reward for _, reward in read], benchmark, results.url)
    model = config.get("model")
    yield EvaluatorRun(
        tool=NAME,
        task=text_at(benchmark, "name"),
        model=model if isinstance(model, str) else "",
        created_at=utc_time(data.get("timestamp")),
        rows=rows,
        aggregate=AggregateScores(aggregate_rows(rows)),
        version=described(evaluator_version=data.get("sdk_version"), config_hash=data.get("config_hash")),
        run_id=data["run_id"] if isinstance(data["run_id"], str) else "",
        content=definition(_defining(config), {}),
    )


def _check_shards(config: dict[str, Any]) -> None:
    """Refuse a part of a run. A merged run has the configuration of its first shard, and the number of shards.

    :raises IncompleteResults: it is one shard of several, or not all were merged
    """
    part, shard = config.get("shard_range"), object_at({"shard": {}} | config, "shard")
    merged, total = config.get("n_shards"), shard.get("total")
    size = object_at({"shuffle": {}} | config, "shuffle").get("ds_effective_size")
    if (part is None and not shard) or part == [0, size] or (merged is not None and total in (None, merged)):
        return
    found = (
        f"problems {brief(part)} of {brief(size)}" if merged is None else f"{brief(merged)} of {brief(total)} shards"
    )
    raise IncompleteResults(
        f"it has {found}: a part of a run. Merge all shards (nel eval merge), and read the folder of the merged run."
    )


def _defining(config: dict[str, Any]) -> dict[str, Any]:
    """What of a run's configuration decides what is measured; its hash is of the model's name and address, too."""
    size = object_at({"shuffle": {}} | config, "shuffle").get("ds_full_size")
    return {key: config.get(key) for key in ("benchmark", "scorers", "system_prompt")} | {"dataset_size": size}


def _check_mean(rewards: list[Any], benchmark: dict[str, Any], where: str) -> None:
    """Compare the tool's own mean, which has zeros for what failed.

    :raises IncompleteResults: the rows have another one, or it is missing, so that nothing ties the rows to the bundle
    """
    summary = object_at(benchmark, "scores").get("summary")
    mean = summary.get("mean") if isinstance(summary, dict) else None
    numbers = [reward for reward in rewards if is_number(reward)]
    if not is_number(mean):
        raise IncompleteResults(
            f'expected the mean of the rewards as "benchmark.scores.summary.mean", found {brief(mean)}'
        )
    if len(numbers) == len(rewards) and not is_same(found := fsum(numbers) / len(numbers), mean):
        raise IncompleteResults(other_mean(where, _REWARD, found, mean))


def _rows(results: ResultFile) -> list[tuple[ResultRow, Any]]:
    """The rows in the order of the problems, the repeats of each together, and the reward that the tool has given."""
    found: dict[tuple[int, int], tuple[ResultRow, Any]] = {}
    kept = KeptValues()
    for line in results.lines():
        place = whole_number_at(line, "problem_idx"), whole_number_at(line, "repeat", default=0)
        if place in found:
            raise IncompleteResults(f"{results.url}: problem {place[0]} is there twice in repeat {place[1]}")
        if len(found) == MAX_ROWS:
            raise IncompleteResults(f"{results.url}: there are more than {MAX_ROWS:,} rows")
        row = _row(line, f"{results.url}: problem {place[0]}")
        kept.add(row.item, row.scores, row.metric_errors)
        found[place] = row, score_number(line.get(_REWARD))
    return [found[place] for place in sorted(found)]


def _row(line: dict[str, Any], where: str) -> ResultRow:
    details, rewards = (line.get(key) or {} for key in ("scoring_details", "scorer_rewards"))
    if not isinstance(details, dict) or not isinstance(rewards, dict):
        raise IncompleteResults(f"{where}: expected objects as scoring_details and scorer_rewards, found {brief(line)}")
    # Rows that a resumed run has taken from the first one have the scorers' rewards among the details only.
    cached = {name: each.get("reward") for name, each in details.items() if _is_scorer(name) and isinstance(each, dict)}
    rewards = cached | rewards
    values = rewards | {_REWARD: line.get(_REWARD)}
    if wrong := [name for name, value in values.items() if value is not None and not is_number(score_number(value))]:
        raise IncompleteResults(f"{where}: expected a number as {wrong[0]}, found {brief(values[wrong[0]])}")
    errors = {_REWARD: _judge_error(details)} | {name: _error_of(details.get(name)) for name in rewards}
    failed = {name: error for name, error in errors.items() if error is not None}
    no_answer = details.get("error_category") in _NO_ANSWER
    return ResultRow(
        item=_item(line),
        scores={name: {name: None if name in failed else score_number(value)} for name, value in values.items()},
        error=_text(details.get("error") or details["error_category"]) if no_answer else None,
        metric_errors=failed,
    )


def _item(line: dict[str, Any]) -> dict[str, Any]:
    """What identifies a problem. Other metadata is left out, as scorers may add theirs of this very run."""
    metadata = line.get("metadata")
    category = metadata.get("category") if isinstance(metadata, dict) else None
    item = {key: line.get(key) for key in ("problem_idx", "prompt", "expected_answer")}
    return item if category is None else item | {"category": category}


def _is_scorer(name: str) -> bool:
    """True for the details of a further scorer; others are of the benchmark's own one."""
    return name.startswith("scorer:")


def _judge_error(details: dict[str, Any]) -> str | None:
    """Why no judge has scored a row, which the tool has then scored 0, or by what else it has; None where one has."""
    judge = details.get("judge")
    if not judge:
        return "no judge has scored it" if details.get("needs_judge") or "judge" in details else None
    if (error := _error_of(judge)) is not None or not isinstance(judge, dict):
        return error
    return "the judge gave no total" if "total" in judge and judge["total"] is None else None


def _error_of(details: Any) -> str | None:
    """Why a judge or a scorer failed, which the tool has then scored 0."""
    if not isinstance(details, dict):
        return None
    if (error := details.get("error")) is not None:
        return _text(error)
    return f"no score was found in the answer {brief(details.get('raw'))}" if details.get("parse_error") else None


def _text(error: Any) -> str:
    return shortened(error if isinstance(error, str) else json_text(error), 2000)
