"""Whether two files hold the same rows, whatever their bytes are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.equality import canonical
from airflow_provider_benchmarks.scores.rows import RowScore

#: What a field says that says nothing.
_EMPTY = tuple(map(canonical, (None, [], {})))


class RowComparison:
    """Compare rows as they come with those of a file, in constant memory.

    :param lines: of the file, whole JSONL lines
    :param but_outputs: compare only what the score store keeps in any case, which is all but the model's outputs
    """

    def __init__(self, lines: Iterable[bytes], *, but_outputs: bool = False) -> None:
        self._lines = _lines(lines)
        self._content = _without_outputs if but_outputs else _content
        self._is_same = True

    def add(self, block: bytes) -> None:
        """Take the next rows.

        :param block: whole JSONL lines
        """
        if self._is_same:
            try:
                self._is_same = all(map(self._is_next, _lines([block])))
            except IncompleteResults:  # of the file, which is damaged; that of the rows is an error elsewhere
                self._is_same = False

    def finish(self) -> bool:
        """Whether the file has these rows, and no more."""
        try:
            return self._is_same and next(self._lines, None) is None
        except IncompleteResults:
            return False

    def _is_next(self, line: bytes) -> bool:
        old = next(self._lines, None)
        if old is None:
            return False
        return line == old or self._content(RowScore.from_json(line)) == self._content(RowScore.from_json(old))


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    return (line for block in blocks for line in BytesIO(block) if line.strip())


def _content(row: RowScore) -> str:
    """What a row says. Fields that are empty, as a route of the service may write or leave out, do not count."""
    said = {
        "row_index": row.row_index,
        "item": row.item,
        "sample": row.sample,
        "metrics": {metric: list(scores.items()) for metric, scores in row.metrics.items()},
        "metric_errors": row.metric_errors,
        **row.extra,
    }
    return canonical({name: text for name, value in said.items() if (text := canonical(value)) not in _EMPTY})


def _without_outputs(row: RowScore) -> str:
    """What a column can keep of a row, which is the same for a missing value and for null."""
    return canonical(
        {
            "row_index": row.row_index,
            "item": _present(row.item),
            "scores": {metric: found for metric, scores in row.metrics.items() if (found := _present(scores))},
            "metric_errors": row.metric_errors or None,
            "inference_error": row.inference_error,
        }
    )


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if canonical(value) != canonical(None)}
