"""Repeats of items: rows that differ in one field alone, such as the seed, and what they say of their item.

Repeats of an item are not independent of one another; items are. So each item counts once, with a statistic over those
of its repeats that have a value. The number of repeats may differ from item to item and from job to job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates import field_rules as f
from airflow_provider_benchmarks.gates.row_values import RowValues, are_binary, field_column, item_columns
from airflow_provider_benchmarks.scores.equality import canonical_column, hash_field
from airflow_provider_benchmarks.scores.frames import ITEM_HASH
from airflow_provider_benchmarks.scores.item_hashes import hash_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MEAN = "mean"
#: The share of an item's repeats that are 1 is above a half.
MAJORITY = "majority"
#: At least one of k repeats is 1.
PASS_AT = re.compile("pass@([1-9][0-9]{0,3})")
#: JSON Schema of the statistics of 0/1 scores over the repeats of an item.
OVER_REPEATS_SCHEMA: Mapping[str, Any] = {"anyOf": [{"const": MAJORITY}, {"pattern": f"^{PASS_AT.pattern}{f.END}"}]}
#: The rule for what counts of repeats.
STATISTIC = f.Rule(
    f"must be {MEAN}, pass@<k> or {MAJORITY}",
    {"type": "string", "anyOf": [{"const": MEAN}, *OVER_REPEATS_SCHEMA["anyOf"]]},
    lambda value: isinstance(value, str) and (value == MEAN or is_over_repeats(value)),
)
#: JSON Schema keywords: such a statistic takes repeat_by.
TAKES_REPEAT_BY: Mapping[str, Any] = {
    "if": {"required": ["statistic"], "properties": {"statistic": OVER_REPEATS_SCHEMA}},
    "then": {"required": ["repeat_by"], "properties": {"repeat_by": {"type": "string"}}},
}


#: Statistics that count rows, whatever the repeats.
_OF_ROWS = ("count", "nan_count", "nan_fraction")
#: The beginning of the share of rows in a category.
_SHARE = "share:"
#: JSON Schema keywords: a confidence bound of a share is of independent rows.
SHARES_ARE_OF_ROWS: Mapping[str, Any] = {
    "if": {
        "required": ["statistic", "repeat_by", "confidence"],
        "properties": {
            "statistic": {"type": "string", "pattern": f"^{_SHARE}"},
            "repeat_by": {"type": "string"},
            "confidence": {"type": "number"},
        },
    },
    "then": False,
}


def with_repeats(rule: f.Rule) -> f.Rule:
    """The rule for the name of a statistic, extended by those of 0/1 scores over repeats."""
    return f.Rule(
        f"{rule.words}, pass@<k> or {MAJORITY}",
        {"type": "string", "anyOf": [*rule.schema["anyOf"], *OVER_REPEATS_SCHEMA["anyOf"]]},
        lambda value: rule.is_valid(value) or (isinstance(value, str) and is_over_repeats(value)),
    )


class NoItemValues(ScoreNotFound):
    """A statistic over repeats can't be had of some rows; the message says why."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Which rows are repeats of one item, and what counts of them.

    :param field: name of the field that numbers the repeats of an item
    :param statistic: ``mean``, ``pass@<k>`` or ``majority``
    """

    field: str
    statistic: str = MEAN

    @classmethod
    def of(cls, check: Any) -> Repeats | None:
        """Those of a check; None where it takes each row for an item of its own."""
        if check.repeat_by is None:
            return None
        return cls(check.repeat_by, check.statistic if is_over_repeats(check.statistic) else MEAN)


def is_over_repeats(statistic: str) -> bool:
    """True for a statistic of 0/1 scores over the repeats of an item."""
    return statistic == MAJORITY or PASS_AT.fullmatch(statistic) is not None


def repeat_combinations(check: Any) -> Iterator[f.Combination]:
    """The conditions on the fields of a check that concern repeats."""
    name, statistic = check.repeat_by, check.statistic
    yield f.Combination(
        ("repeat_by", "statistic"),
        lambda: name is not None or not is_over_repeats(statistic),
        lambda: (
            f"{shortened(statistic)} is of the repeats of an item: name the field that numbers them with repeat_by="
        ),
        ("repeat_by",),
    )
    if name is None:
        return
    if hasattr(check, "confidence"):
        yield f.Combination(
            ("repeat_by", "statistic", "confidence"),
            lambda: check.confidence is None or not statistic.startswith(_SHARE),
            lambda: "the confidence bound of a share is of independent rows: it does not go with repeat_by",
            ("repeat_by",),
        )
    if hasattr(check, "keys"):
        yield f.Combination(
            ("repeat_by", "key"),
            lambda: not check.keys or any(key != name for key in check.keys),
            lambda: f'key needs a field besides "{shortened(name)}", which numbers the repeats of an item',
            ("key",),
        )
    yield from map(partial(_other_field, check, name), ("where", "by", "cluster_by"))


def _other_field(check: Any, name: Any, other: str) -> f.Combination:
    """The condition that a field of a check does not name the one that numbers repeats."""

    def is_met() -> bool:
        value = getattr(check, other)
        return name not in (value or ()) if other == "where" else name != value

    return f.Combination(
        ("repeat_by", other),
        is_met,
        lambda: f'{other} and repeat_by name the same field "{shortened(name)}", which differs within an item',
        (other,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemValues(RowValues):
    """The values of a score, item by item; the counts are those of rows.

    :param numbers: a float for each item; NaN for an item of which no repeat has a value
    :param places: the first row of each item
    :param is_of_binary: all values of rows are 0 or 1
    """

    places: NDArray[np.intp]
    is_of_binary: bool

    @property
    def count(self) -> int:
        """Number of items with a value."""
        import numpy as np

        return int(np.isfinite(self.numbers).sum())


def values_for(check: Any, rows: pd.DataFrame, column: str) -> RowValues:
    """The values that a threshold is about: of rows, or of items where the check says which rows are repeats.

    :raises ScoreNotFound: the items have no field that the check names, or have no values of its statistic
    """
    repeats = Repeats.of(check)
    if repeats is None or check.statistic in _OF_ROWS or check.statistic.startswith(_SHARE):
        return RowValues.of(rows, column)
    return values_by_item(rows, column, repeats)


def rows_of(found: RowValues, rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each value: some rows as they are, or the first of each item.

    :param found: the values of :func:`values_for`
    """
    if not isinstance(found, ItemValues):
        return rows
    items = rows.iloc[found.places]
    items.attrs = rows.attrs
    return items


def values_by_item(rows: pd.DataFrame, column: str, repeats: Repeats) -> ItemValues:
    """Read a score, item by item.

    :raises ScoreNotFound: the items have no such field
    :raises NoItemValues: the statistic can't be had of the rows
    """
    import numpy as np

    field_column(rows, repeats.field)
    found = RowValues.of(rows, column)
    _, places, items = np.unique(items_without(rows, repeats.field), return_index=True, return_inverse=True)
    # The items in the order of the rows.
    order = np.argsort(places, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    numbers = item_statistic(found.numbers, rank[items], places.size, repeats.statistic)
    return ItemValues(numbers=numbers, counts=found.counts, places=places[order], is_of_binary=found.is_binary)


def items_without(rows: pd.DataFrame, field: str) -> NDArray[np.uint64]:
    """A number for the item of each row, the same for items that are equal but for a field."""
    total: NDArray[np.uint64] = (
        rows[ITEM_HASH].to_numpy() if ITEM_HASH in rows.columns else hash_rows(rows, item_columns(rows))
    )
    return total - hash_field(field, canonical_column(field_column(rows, field))) if has_field(rows, field) else total


def repeat_numbers(rows: pd.DataFrame, field: str) -> NDArray[Any]:
    """The canonical texts of the field that numbers repeats; of items without it, all the same."""
    if has_field(rows, field):
        return canonical_column(field_column(rows, field))
    import numpy as np

    return np.full(len(rows), "null", dtype=object)


def require_field(frames: Sequence[pd.DataFrame], field: str) -> None:
    """Refuse a field that no job has. A job of one repeat an item need not number it.

    :raises ScoreNotFound: names the fields that there are
    """
    if not any(has_field(rows, field) for rows in frames):
        field_column(frames[0], field)


def has_field(rows: pd.DataFrame, field: str) -> bool:
    """True if the items have a field."""
    try:
        field_column(rows, field)
    except ScoreNotFound:
        return False
    return True


def item_statistic(
    numbers: NDArray[np.float64], items: NDArray[Any], count: int, statistic: str
) -> NDArray[np.float64]:
    """A statistic over the repeats of each item; NaN where no repeat has a value.

    :param numbers: a float for each row; NaN for a row without a value
    :param items: the item of each row, from 0
    :param count: number of items
    :raises NoItemValues: the statistic is of 0/1 scores and others are there, or items have too few repeats
    """
    import numpy as np

    known = ~np.isnan(numbers)
    repeats = np.bincount(items[known], minlength=count)
    total = np.bincount(items[known], weights=numbers[known], minlength=count)
    if is_over_repeats(statistic) and not are_binary(numbers[known]):
        raise NoItemValues(f"{statistic} is of scores that are 0 or 1, and others are among the values")
    if (match := PASS_AT.fullmatch(statistic)) is not None:
        fewest = int(np.bincount(items, minlength=count).min(initial=0 if not count else items.size))
        if fewest < int(match[1]):
            raise NoItemValues(f"{statistic} takes {match[1]} repeats of each item, and there are {fewest} of some")
        return _pass_at(int(match[1]), repeats, np.rint(total).astype(np.intp))
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = total / repeats
    if statistic == MAJORITY:
        # A tie counts a half: what it is on average where a coin breaks it, so that it favours neither job.
        return np.where(repeats > 0, (np.sign(2 * means - 1) + 1) / 2, np.nan)
    return means


def _pass_at(k: int, repeats: NDArray[np.intp], successes: NDArray[np.intp]) -> NDArray[np.float64]:
    """The unbiased estimate of the chance that at least one of k repeats is 1; NaN where fewer than k have a value.

    1 − C(n − c, k) / C(n, k) for c of n repeats, as a product whose factors are 0 to 1 (Chen et al. 2021, "Evaluating
    Large Language Models Trained on Code", section 2.1).
    """
    import numpy as np

    pairs, places = np.unique(np.stack([repeats, successes]), axis=1, return_inverse=True)
    values = [_chance(k, n, c) for n, c in pairs.T.tolist()]
    return np.array(values, dtype=float)[places.reshape(-1)]


def _chance(k: int, n: int, c: int) -> float:
    import numpy as np

    if n < k:
        return np.nan
    if n - c < k:
        return 1.0
    return float(1 - np.prod(1 - k / np.arange(n - c + 1, n + 1)))
