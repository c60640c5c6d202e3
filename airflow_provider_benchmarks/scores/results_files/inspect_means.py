"""Compare inspect_ai's own means with its samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.json_values import is_number, json_text
from airflow_provider_benchmarks.scores.results_files.aggregates import is_same, other_mean

#: Metrics of the tool's own that are means. Others may have such a name without the package before it.
_MEANS = {"accuracy": "inspect_ai/accuracy", "mean": "inspect_ai/mean"}


def check_means(results: Mapping[str, Any], scorers: Any, samples: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
    """Compare the means that a log has.

    The tool takes the mean of the epochs of each sample, and of these the mean; of a task that does not reduce epochs,
    the mean of all. Samples that failed and were scored all the same are among them.

    :param results: of a log
    :param scorers: as the log describes them
    :param samples: the id of each, and its scores ``{scorer: {score name: number}}``
    :raises IncompleteResults: a mean or a number of samples is not that of the samples
    """
    listed, known = results.get("scores"), json_text(scorers)
    for score in listed if isinstance(listed, list) else ():
        if not isinstance(score, dict) or score.get("reducer") not in (None, "mean"):
            continue
        expected = list(_expected(score, known))
        values = [
            (each, scores.get(str(score.get("scorer")), {}).get(str(score.get("name")))) for each, scores in samples
        ]
        if not expected or not any(is_number(value) for _, value in values):
            continue
        if all(value is None or isinstance(value, float) for _, value in values):
            _compare(score, expected, [(each, value) for each, value in values if is_number(value)])


def unscored_scorers(
    results: Mapping[str, Any], samples: Sequence[tuple[Any, Mapping[str, Any]]]
) -> dict[str, dict[str, None]]:
    """The scores of scorers that no sample has, without a value: ``{scorer: {score name: None}}``.

    :raises IncompleteResults: by the log there are samples with such a score
    """
    known = {scorer for _, scores in samples for scorer in scores}
    found: dict[str, dict[str, None]] = {}
    listed = results.get("scores")
    for score in listed if isinstance(listed, list) else ():
        scorer, name = (str(score.get(key) or "") if isinstance(score, dict) else "" for key in ("scorer", "name"))
        if not scorer or not name or not known.isdisjoint((scorer, scorer.rpartition("/")[2], name)):
            continue
        if is_number(number := score.get("scored_samples")) and number > 0:
            raise IncompleteResults(
                f"no sample has a score of {shortened(scorer)}, but the log counts {number:g}: it is damaged"
            )
        found.setdefault(scorer, {})[name] = None
    return found


def _expected(score: Mapping[str, Any], known: str) -> Iterator[float]:
    """The values of those metrics of a score that are means."""
    metrics = score.get("metrics")
    for name, metric in metrics.items() if isinstance(metrics, dict) else ():
        if not isinstance(metric, dict) or metric.get("params") or metric.get("group"):
            continue
        if f'"{_MEANS.get(name)}"' in known and is_number(value := metric.get("value")):
            yield value


def _compare(score: Mapping[str, Any], expected: list[float], values: list[tuple[Any, float]]) -> None:
    epochs: dict[str, list[float]] = {}
    for sample, value in values:
        epochs.setdefault(json_text(sample), []).append(value)
    by_sample = [fsum(each) / len(each) for each in epochs.values()]
    name, number = str(score.get("name")), score.get("scored_samples", len(by_sample))
    views = [by_sample, [value for _, value in values]]
    if not (counted := [view for view in views if len(view) == number]):
        raise IncompleteResults(
            f"{len(by_sample)} samples have a value of {shortened(name)}, but the log counts {brief(number)}"
        )
    for mean in expected:
        if not any(is_same(fsum(view) / len(view), mean) for view in counted):
            raise IncompleteResults(other_mean("the samples", name, fsum(counted[0]) / len(counted[0]), mean))
