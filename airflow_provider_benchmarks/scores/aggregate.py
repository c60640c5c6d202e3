"""Aggregate scores of a job, in one shape for every shape that the service answers with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief, brief_names, did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults, ScoreNotFound
from airflow_provider_benchmarks.scores.json_values import is_number, json_safe, statistic_value
from airflow_provider_benchmarks.scores.metric_names import MetricNames, rename_keys
from airflow_provider_benchmarks.scores.score_fields import ScoreFields
from airflow_provider_benchmarks.scores.shown import line, line_of_scores, table_of_scores

if TYPE_CHECKING:
    import pandas as pd

#: The columns that the service's docs show, in their order; the rest follows.
_DOCUMENTED_COLUMNS = ("metric_ref", "name", "mean", "std_dev", "min", "max", "count")
STATISTICS = ("mean", "std_dev", "min", "max", "sum", "variance")
#: Those of newer services; records have them where the service writes them.
_FURTHER_STATISTICS = ("median", "sample_std_dev", "sample_variance", "value")
#: A score type that is one number for the whole job.
_SCALAR = "scalar"


@dataclass(frozen=True, slots=True)
class HistogramBin:
    """Rows with ``lower_bound <= value < upper_bound`` (the last bin includes its upper bound)."""

    lower_bound: float
    upper_bound: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateScore:
    """One score of one metric over all rows.

    :param metric: metric reference ``workspace/name``
    :param name: the score's name; a metric can give several, and two metrics can give the same name
    :param score_type: ``range``, ``rubric`` or ``scalar``; empty when the service does not say. A scalar is one number
        for the whole job: its ``value`` is its mean, sum, minimum and maximum too, and it counts 1
    :param count: rows with a value, without NaN; a corpus-level score counts 1; None when the service does not say
    :param nan_count: rows whose value is NaN
    :param std_dev: of the population (divided by n), as the service computes it; so is ``variance``
    :param sample_std_dev: of the sample (divided by n - 1), as newer services add it; so is ``sample_variance``
    :param percentiles: ``p10`` … ``p100``; empty for rubrics
    :param rubric_distribution: ``{"label", "description", "value", "count"}`` for each category of a rubric
    :param mode_category: the most frequent label of a rubric
    :param extra: fields of the answer that this package does not know
    :param unread: what the service wrote in place of a number, in few words, by the name of the statistic, which is
        None then
    :param payload: the score as the service wrote it, for frames and files; empty for one that was made otherwise
    """

    metric: str
    name: str
    score_type: str = ""
    count: int | None = None
    nan_count: int | None = None
    mean: float | None = None
    std_dev: float | None = None
    variance: float | None = None
    min: float | None = None
    max: float | None = None
    sum: float | None = None
    median: float | None = None
    sample_std_dev: float | None = None
    sample_variance: float | None = None
    value: float | None = None
    percentiles: Mapping[str, float | None] = field(default_factory=dict)
    histogram: tuple[HistogramBin, ...] = ()
    rubric_distribution: tuple[Mapping[str, Any], ...] = ()
    mode_category: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    # Not of __init__, so that a copy with another statistic shows that one, and not what the service wrote.
    payload: Mapping[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_json(cls, metric: str, payload: Any) -> AggregateScore:
        """Read one score.

        A statistic that is not a number is unknown, and the rest of the score is read.

        :raises IncompleteResults: it has no name, or a count is negative or a fraction
        """
        if not isinstance(payload, dict) or not isinstance(payload.get("name"), str):
            raise IncompleteResults(
                f'expected a score of {shortened(metric)} as an object with "name", found {brief(payload)}'
            )
        name = payload["name"]
        known = (*STATISTICS, *_FURTHER_STATISTICS)
        found = ScoreFields(payload, f'score "{shortened(name)}" of {shortened(metric)}')
        score = cls(
            metric=metric,
            name=name,
            score_type=found.of_type(str, "score_type"),
            count=found.count("count"),
            nan_count=found.count("nan_count"),
            **{key: found.number(key) for key in known},
            percentiles=found.numbers("percentiles"),
            histogram=tuple(HistogramBin(**each) for each in found.bins()),
            rubric_distribution=tuple(map(_object, found.of_type(list, "rubric_distribution"))),
            mode_category=found.of_type(str, "mode_category") or None,
            extra={key: value for key, value in payload.items() if key not in _SCORE_FIELDS},
            unread=found.unread,
        )
        if score.score_type == _SCALAR:
            score = replace(score, **_scalar_statistics(score))
        words = {key: statistic_value(payload[key]) for key in known if key in payload}
        object.__setattr__(score, "payload", {**payload, **words})
        return score

    def of_metric(self, metric: str) -> AggregateScore:
        """The same score of a metric with another reference."""
        score = replace(self, metric=metric)
        object.__setattr__(score, "payload", self.payload)
        return score

    @property
    def has_value(self) -> bool:
        """True if at least one row, or the job as a whole, has a value of the score."""
        return bool(self.count) or is_number(self.mean)

    @property
    def rows(self) -> int | None:
        """Number of rows of the score, with and without a value; None when the service does not say."""
        return None if self.count is None or self.nan_count is None else self.count + self.nan_count

    def to_record(self) -> dict[str, Any]:
        """Flat and JSON-safe: NaN and infinities as None, percentiles as their own fields, no histogram."""
        record: dict[str, Any] = {"metric_ref": self.metric, "name": self.name, "score_type": self.score_type or None}
        record |= {key: getattr(self, key) for key in ("count", "nan_count", *STATISTICS)}
        further = {key: getattr(self, key) for key in _FURTHER_STATISTICS}
        record |= {key: value for key, value in further.items() if value is not None}
        # A percentile may have any name: one of another field is told apart from it.
        record |= {key if key not in record else f"percentiles.{key}": value for key, value in self.percentiles.items()}
        if self.score_type == "rubric":
            record["mode_category"] = self.mode_category
        safe: dict[str, Any] = json_safe(record)
        return safe

    def to_json(self) -> dict[str, Any]:
        """As the service wrote the score, NaN as null."""
        safe: dict[str, Any] = json_safe(self._as_written())
        return safe

    def _as_written(self) -> dict[str, Any]:
        """The score as the service wrote it, or would write what is set."""
        if self.payload:
            return dict(self.payload)
        data = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_WRITTEN}
        data["histogram"] = {"bins": [asdict(each) for each in self.histogram]} if self.histogram else None
        return {key: value for key, value in data.items() if value not in (None, "", {}, ())} | dict(self.extra)


_NOT_WRITTEN = frozenset({"metric", "extra", "unread", "payload"})
_SCORE_FIELDS = {f.name for f in fields(AggregateScore)} - _NOT_WRITTEN


@dataclass(frozen=True, slots=True)
class AggregateScores:
    """All scores of a job.

    :param scores: in the service's order
    :param without_aliases: the name that a metric has without the reader's aliases, by the alias that it has here
    """

    scores: tuple[AggregateScore, ...]
    without_aliases: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_json(cls, payload: Any, names: MetricNames | None = None) -> AggregateScores:
        """Read the parsed JSON of an aggregate-scores result, in any of its shapes.

        The service 0.1.0 answers ``{"results": [{"metric", "scores"}]}``, its docs and older stored results have
        ``{"metrics": [{"metric_ref", "aggregation": {"scores"}}]}``, and newer services answer
        ``{"scores": [{"name": "<metric's key>.<score>"}]}``; the top-level key tells them apart.

        :param names: of the job's metrics, for the last shape
        :raises IncompleteResults: it is none of them, or a score can't be read, or one stands there twice
        """
        scores = tuple(_scores(payload, names or MetricNames()))
        seen: set[tuple[str, str]] = set()
        for score in scores:
            if (score.metric, score.name) in seen:
                raise IncompleteResults(
                    f'score "{shortened(score.name)}" of metric {shortened(score.metric)} stands in the results twice'
                )
            seen.add((score.metric, score.name))
        return cls(scores)

    def __repr__(self) -> str:
        return line("AggregateScores", line_of_scores(self))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return table_of_scores(self)

    def get(self, metric: str, score: str | None = None) -> AggregateScore:
        """Find one score.

        :param metric: reference ``workspace/name``, or the name alone where that fits one metric only
        :param score: the score's name; may be left out when the metric gives one score
        :raises ScoreNotFound: nothing fits, or more than one does; names what there is
        """
        references = list(dict.fromkeys(s.metric for s in self.scores))
        fitting = [ref for ref in references if metric in (ref, ref.rpartition("/")[2])]
        if len(fitting) != 1:
            found, what = brief_names(fitting or references) or "none", f'metric "{shortened(metric)}"'
            if fitting:
                raise ScoreNotFound(f'{what} is ambiguous, it fits: {found}. Give its reference as "workspace/name".')
            short = [reference.rpartition("/")[2] for reference in references]
            meant = did_you_mean(metric, references) or did_you_mean(metric, short)
            raise ScoreNotFound(f"{what} is not in the results; they have: {found}{meant}")
        scores = [s for s in self.scores if s.metric == fitting[0]]
        names = brief_names(s.name for s in scores)
        if score is None:
            if len(scores) != 1:
                raise ScoreNotFound(
                    f'metric "{shortened(metric)}" gives {len(scores)} scores, name one of them: {names}'
                )
            return scores[0]
        for candidate in scores:
            if candidate.name == score:
                return candidate
        meant = did_you_mean(score, [candidate.name for candidate in scores])
        raise ScoreNotFound(f'metric "{shortened(metric)}" has no score "{shortened(score)}"; it has: {names}{meant}')

    def renamed(self, references: Mapping[str, str]) -> AggregateScores:
        """The same scores with other names of metrics.

        :param references: the new name of each metric that gets one
        :raises ConfigurationError: two metrics would have the same name
        """
        old = {score.metric: score.metric for score in self.scores}
        new = {key: reference for reference, key in rename_keys(old, references).items()}
        return AggregateScores(tuple(score.of_metric(new[score.metric]) for score in self.scores))

    def with_aliases(self, aliases: Mapping[str, str]) -> AggregateScores:
        """The same scores with a reader's own names of metrics, in place of those of whoever has read them before.

        :param aliases: the new name of each metric that gets one
        :raises ConfigurationError: two metrics would have the same name
        """
        names = {now: aliases.get(own, own) for now, own in self._own_names().items()}
        renamed = self.renamed(names)
        own_names = {names[now]: own for now, own in self._own_names().items() if names[now] != own}
        return replace(renamed, without_aliases=own_names)

    def names_after(self, earlier: AggregateScores) -> dict[str, str]:
        """The names of metrics by those that they had when the same scores were read with other aliases."""
        now = {own: name for name, own in self._own_names().items()}
        return {name: now[own] for name, own in earlier._own_names().items() if now.get(own, name) != name}

    def _own_names(self) -> dict[str, str]:
        """Names of the metrics without aliases, by their names here."""
        return {score.metric: self.without_aliases.get(score.metric, score.metric) for score in self.scores}

    @property
    def has_values(self) -> bool:
        """False where nothing could be scored: no score has a value of any row."""
        return any(score.has_value for score in self.scores)

    @property
    def least_rows(self) -> int:
        """Number of rows that the row scores must have at least: the most with a value of any score."""
        return max((score.count for score in self.scores if score.count is not None), default=0)

    @property
    def expected_rows(self) -> int | None:
        """Number of rows that the row scores must have: the most of any score; None when the service does not say."""
        return max((s.rows for s in self.scores if s.rows is not None), default=None)

    def to_records(self) -> list[dict[str, Any]]:
        """One flat, JSON-safe dict a score, without histograms: small enough for an XCom."""
        return [score.to_record() for score in self.scores]

    def to_json(self) -> dict[str, Any]:
        """The service's answer, NaN as null, in the shape ``{"results": [{"metric", "scores"}]}``."""
        by_metric: dict[str, list[dict[str, Any]]] = {}
        for score in self.scores:
            by_metric.setdefault(score.metric, []).append(score.to_json())
        return {"results": [{"metric": metric, "scores": scores} for metric, scores in by_metric.items()]}

    def to_frame(self) -> pd.DataFrame:
        """One row a score: the columns and values of the service's documented ``json_normalize`` recipe.

        ``metric_ref, name, mean, std_dev, min, max, count`` come first, then the rest:
        ``nan_count, sum, variance, score_type, percentiles.p10 …, histogram.bins, rubric_distribution, mode_category``,
        and fields that this package does not know. As in the recipe, there are those that the answer has for any score.
        """
        import pandas as pd

        if not self.scores:
            return pd.DataFrame(columns=list(_DOCUMENTED_COLUMNS))
        # The recipe itself, since how it flattens null and empty objects is part of its result.
        metrics = [
            {"metric_ref": score.metric, "aggregation": {"scores": [score._as_written()]}} for score in self.scores
        ]
        frame = pd.json_normalize(metrics, record_path=["aggregation", "scores"], meta=["metric_ref"])
        first = [column for column in _DOCUMENTED_COLUMNS if column in frame]
        return frame[first + [column for column in frame if column not in first]]


def _scores(payload: Any, names: MetricNames) -> Iterator[AggregateScore]:
    if isinstance(payload, dict) and isinstance(payload.get("results"), list):
        groups = [(entry.get("metric"), entry.get("scores")) for entry in map(_object, payload["results"])]
    elif isinstance(payload, dict) and isinstance(payload.get("metrics"), list):
        groups = [
            (entry.get("metric_ref"), _object(entry.get("aggregation")).get("scores"))
            for entry in map(_object, payload["metrics"])
        ]
    elif isinstance(payload, dict) and isinstance(payload.get("scores"), list) and payload["scores"]:
        groups = [_split(score, names) for score in payload["scores"]]
    else:
        keys = brief(sorted(payload)) if isinstance(payload, dict) else type(payload).__name__
        raise IncompleteResults(
            f'expected aggregate scores with a list "results" or "metrics", or with some "scores", found {keys}'
        )
    for metric, scores in groups:
        if not isinstance(metric, str) or not isinstance(scores, list):
            raise IncompleteResults(
                f"expected a metric reference and its list of scores, found {brief(metric)}, {brief(scores)}"
            )
        for score in scores:
            yield AggregateScore.from_json(metric, score)


def _split(score: Any, names: MetricNames) -> tuple[str, list[Any]]:
    """The metric's key, and the score under its own name, of a score that is named by both."""
    if not isinstance(score, dict) or not isinstance(score.get("name"), str) or not score["name"]:
        raise IncompleteResults(f'expected a score as an object with "name", found {brief(score)}')
    key, name = names.split(score["name"])
    return key, [{**score, "name": name}]


def _scalar_statistics(score: AggregateScore) -> dict[str, Any]:
    """The statistics of a single number, which the service leaves out."""
    is_there = is_number(score.value)
    value = score.value if is_there else None
    known = {
        "mean": value,
        "min": value,
        "max": value,
        "sum": value,
        "count": int(is_there),
        "nan_count": int(not is_there),
    }
    return {name: known[name] for name in known if getattr(score, name) is None}


def _object(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one, in which nothing is found."""
    return value if isinstance(value, dict) else {}
