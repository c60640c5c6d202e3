"""Names of metrics in results that call a metric by its key and not by its reference.

Newer services name a metric by its type, ``exact-match``, and the second of a type ``exact-match_2``. An aggregate
score of theirs is ``<key>.<score>``, and both parts may hold dots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_benchmarks.brief import brief, brief_names
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: Fields of a row whose keys are metrics.
BY_METRIC = ("metrics", "metric_errors", "metric_diagnostics")


@dataclass(frozen=True, slots=True)
class MetricNames:
    """What is known of the names of a job's metrics.

    :param scores: names of the scores of each key; empty where they are not known
    :param references: the reference ``workspace/name`` of keys; what has none keeps its key
    """

    scores: Mapping[str, Sequence[str]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)

    def with_aliases(self, aliases: Mapping[str, str]) -> dict[str, str]:
        """The name of each metric that results call otherwise: its alias, or else its reference.

        :param aliases: by reference; by the key of a metric without one
        """
        known = {key: aliases.get(reference, reference) for key, reference in self.references.items()}
        return {**aliases, **known}

    def split(self, name: str) -> tuple[str, str]:
        """Split the name of an aggregate score into the metric's key and the score's own name.

        Of a name that no known key begins, the key is what is before the first dot.
        """
        for key, scores in self.scores.items():
            if any(name == f"{key}.{score}" for score in scores):
                return key, name[len(key) + 1 :]
        keys = [key for key in self.scores if name.startswith(f"{key}.") and len(name) > len(key) + 1]
        if keys:
            key = max(keys, key=len)
            return key, name[len(key) + 1 :]
        key, _, score = name.partition(".")
        return (key, score) if key and score else (name, name)


def checked_references(references: Any) -> dict[str, str]:
    """Check a map from the names of metrics in results to references.

    :raises ConfigurationError: it is not a map of texts, or two metrics would have the same name
    """
    if not isinstance(references, Mapping) or not all(
        isinstance(text, str) and text for pair in references.items() for text in pair
    ):
        raise ConfigurationError(
            'names of metrics must be a map such as {"exact-match": "workspace/exact-match"}, '
            f"found {brief(references)}"
        )
    values = list(references.values())
    if twice := {value for value in values if values.count(value) > 1}:
        raise ConfigurationError(f"two metrics would have the same name: {brief_names(sorted(twice))}")
    return dict(references)


def rename_keys(by_metric: Mapping[str, Any], references: Mapping[str, str]) -> dict[str, Any]:
    """Rename the metrics that are the keys of a map.

    :raises ConfigurationError: two of them would have the same name
    """
    renamed = {references.get(key, key): value for key, value in by_metric.items()}
    if len(renamed) != len(by_metric):
        raise ConfigurationError(
            f"two metrics would have the same name: of {brief_names(by_metric)}, renamed to {brief_names(renamed)}"
        )
    return renamed
