"""Row scores: the scores of each row of the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.json_values import json_safe, json_text, parse_json, score_value
from airflow_provider_benchmarks.scores.metric_names import BY_METRIC, rename_keys

#: Of 64 bits, as tables have them.
_LARGEST_INDEX = 2**63 - 1


def require_indices(indices: Sequence[int | None]) -> None:
    """Refuse row indices that no table can hold.

    :raises IncompleteResults: names the first one
    """
    known = [index for index in indices if index is not None]
    if known and (max(known) > _LARGEST_INDEX or min(known) < -_LARGEST_INDEX):
        wrong = next(index for index in known if abs(index) > _LARGEST_INDEX)
        raise IncompleteResults(f"{brief(wrong)} is not a row index")


class UnreadByService(IncompleteResults):
    """The service can't decode a line of its own file, which may be well: it knows no byte order mark, for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowScore:
    """The scores of one dataset row.

    :param row_index: position of the row in the dataset, from 0; None where the service leaves it out
    :param item: the dataset row
    :param sample: the model's output for online jobs (``output_text``, ``response``), empty for offline ones
    :param metrics: ``{metric reference: {score name: value}}``; a value is a number, NaN, a label, or any JSON
    :param metric_errors: ``{metric reference: text}`` for metrics that failed on this row; other JSON stays as it is,
        as in a sample
    :param extra: further fields of the row, such as ``requests``
    """

    row_index: int | None
    item: Mapping[str, Any]
    sample: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    metric_errors: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, line: bytes) -> RowScore:
        """Read one line of a row-scores file.

        :raises IncompleteResults: the line is not a row, or is the error with which the service ends a damaged file
        """
        try:
            payload = parse_json(line)
        except ValueError as error:
            raise IncompleteResults(f"expected a row as JSON, found {brief(line)}: {error}") from error
        if not isinstance(payload, dict) or not isinstance(payload.get("metrics"), dict):
            raise _not_a_row(payload)
        if not isinstance(payload.get("item") or {}, dict):
            raise IncompleteResults(f"expected a row's item to be an object, found {brief(payload['item'])}")
        index, sample = payload.get("row_index"), payload.get("sample")
        if index is not None and type(index) is not int:
            raise IncompleteResults(f"expected row_index to be a whole number, found {brief(index)}")
        require_indices([index])
        return cls(
            row_index=index,
            item=payload.get("item") or {},
            sample={} if sample is None else sample,
            metrics={metric: _by_name(metric, scores) for metric, scores in payload["metrics"].items()},
            metric_errors=payload.get("metric_errors") or {},
            extra={key: value for key, value in payload.items() if key not in _ROW_FIELDS},
        )

    @property
    def inference_error(self) -> str | None:
        """Why the call of the model failed, where it did."""
        return inference_error(self.sample)

    def renamed(self, references: Mapping[str, str]) -> RowScore:
        """The same row with other names of metrics.

        :param references: the new name of each metric that gets one
        :raises ConfigurationError: two metrics would have the same name
        """

        def renamed(value: Any) -> Any:
            return rename_keys(value, references) if isinstance(value, dict) else value

        further = {name: renamed(self.extra[name]) for name in BY_METRIC if name in self.extra}
        return replace(
            self,
            metrics=rename_keys(self.metrics, references),
            metric_errors=renamed(self.metric_errors),
            extra={**self.extra, **further},
        )

    def to_dict(self) -> dict[str, Any]:
        """The service's shape of a row, JSON-safe: NaN and infinities as null."""
        data = {
            "row_index": self.row_index,
            "item": self.item,
            "sample": self.sample,
            "metrics": {
                metric: [{"name": name, "value": value} for name, value in scores.items()]
                for metric, scores in self.metrics.items()
            },
            "metric_errors": self.metric_errors or None,
            **self.extra,
        }
        safe: dict[str, Any] = json_safe(data)
        return safe


#: What the service says of a row that lacks a field.
_LACKS_FIELD = "Field required"
_ROW_FIELDS = frozenset({"row_index", "item", "sample", "metrics", "metric_errors"})


def read_rows(lines: Iterable[bytes]) -> Iterator[RowScore]:
    """Read rows one by one; blank lines are skipped.

    :raises IncompleteResults: a line is not a row; its number (from 1) is in the message
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = RowScore.from_json(line)
        except IncompleteResults as error:
            raise type(error)(f"line {number}: {error}") from error
        yield row


def inference_error(sample: Any) -> str | None:
    """The error of a failed call of the model, from a sample; JSON text where it is not a text itself."""
    error = sample.get("inference_error") if isinstance(sample, dict) else None
    return error if error is None or isinstance(error, str) else json_text(error)


def _by_name(metric: str, scores: Any) -> dict[str, Any]:
    if not isinstance(scores, list):
        raise IncompleteResults(f"expected a list of scores for {shortened(metric)}, found {brief(scores)}")
    named: dict[str, Any] = {}
    for score in scores:
        if not isinstance(score, dict) or not isinstance(score.get("name"), str):
            raise IncompleteResults(
                f'expected a score of {shortened(metric)} with "name" and "value", found {brief(score)}'
            )
        if score["name"] in named:
            raise IncompleteResults(
                f'score "{shortened(score["name"])}" of {shortened(metric)} stands in the row twice'
            )
        named[score["name"]] = score_value(score["name"], score.get("value"))
    return named


def _not_a_row(payload: Any) -> IncompleteResults:
    error = payload.get("error") if isinstance(payload, dict) else None
    if isinstance(error, dict):
        # The service answers 200 and ends the stream with this line where the stored file can't be read on.
        said = f"{shortened(error.get('type'))}: {shortened(error.get('message'))}"
        line = f"line {brief(error.get('line'))}"
        if _LACKS_FIELD in str(error.get("message")):  # another run of the job would lack it, too
            return IncompleteResults(
                f"the service can't read its own row scores from {line} on, as rows lack a field that it asks for: "
                f"{said}. Gates, and a download to a destination, need no such field where the Files API serves "
                f"the file."
            )
        kind = UnreadByService if error.get("type") == "JSONDecodeError" else IncompleteResults
        return kind(f"the service's stored row scores are damaged at {line}: {said}. Run the job again.")
    return IncompleteResults(f'expected a row with "item" and "metrics", found {brief(payload)}')
