"""The fields of one aggregate score in the service's JSON, each by itself: one that is odd spoils no other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.json_values import is_number, statistic_value

T = TypeVar("T")

#: No job has more rows: a larger count is not a count.
_MOST_ROWS = 2**53


@dataclass(frozen=True, slots=True)
class ScoreFields:
    """The fields of one score.

    :param what: the score, for messages
    :param unread: what stands in the place of a number, a list or an object and is none, in few words, by its name
    """

    payload: Mapping[str, Any]
    what: str
    unread: dict[str, str] = field(default_factory=dict, init=False)

    def number(self, key: str) -> float | None:
        """A statistic; None for what is no number, or too large for a float."""
        return self._number(key, self.payload.get(key))

    def numbers(self, key: str) -> dict[str, float | None]:
        """An object of statistics, whose own names are no names of others: one of them may be called "mean"."""
        found = self.of_type(dict, key)
        return {name: self._number(f"{key}.{name}", value) for name, value in found.items()}

    def count(self, key: str) -> int | None:
        """A number of rows; None for what is no number.

        :raises IncompleteResults: it is negative or a fraction
        """
        value = self.number(key)
        if value is None:
            return None
        if not value <= _MOST_ROWS:  # NaN, too
            self.unread[key] = brief(self.payload[key])
            return None
        if value < 0 or not value.is_integer():
            raise IncompleteResults(f"expected a count as {key} of {self.what}, found {brief(self.payload[key])}")
        return int(value)

    def of_type(self, kind: type[T], key: str) -> T:
        """A text, a list or an object; an empty one where it is another thing."""
        value = self.payload.get(key)
        if isinstance(value, kind):
            return value
        if value is not None:
            self.unread[key] = brief(value)
        return kind()

    def bins(self) -> list[dict[str, Any]]:
        """The arguments of each bin of the histogram; one that is not whole counts nothing."""
        bins = self.of_type(dict, "histogram").get("bins")
        found = []
        for each in bins if isinstance(bins, list) else ():
            bin = each if isinstance(each, dict) else {}
            ends = {name: bin.get(name) for name in ("lower_bound", "upper_bound")}
            known: dict[str, Any] = {name: end if is_number(end) else math.nan for name, end in ends.items()}
            found.append({**known, "count": _rows_in(bin.get("count"))})
        return found

    def _number(self, key: str, value: Any) -> float | None:
        number = statistic_value(value)
        if isinstance(number, float) or is_number(number):
            return float(number)
        if number is not None:
            self.unread[key] = brief(value)
        return None


def _rows_in(count: Any) -> int:
    """The count of a bin; 0 for what is no count."""
    return int(count) if is_number(count) and 0 <= count <= _MOST_ROWS and count == int(count) else 0
