"""Find rows that look like repeats of items, which are no independent evidence, and the field that numbers them.

Rows are looked at in a random sample, whose size does not grow with the rows. Of n rows that are drawn from N, where
each item has r repeats, (r − 1) / (N − 1) of all pairs are of one item: so r follows from the pairs that are equal but
for a field.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_benchmarks.scores.equality import canonical_texts
from airflow_provider_benchmarks.scores.item_hashes import field_of
from airflow_provider_benchmarks.scores.own_fields import Field

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: Rows of a sample at least, where there are so many, and twice as many at most. Of a million rows in pairs, 8 to 33
#: pairs are among them.
_SAMPLE_ROWS = 4096
#: Values of a sample, about: of items with very many fields it has fewer rows.
_SAMPLE_VALUES = 500_000
#: With fewer rows there is nothing to see.
_LEAST_ROWS = 20
#: Pairs that a sample must have; one or two may be chance.
_LEAST_PAIRS = 5
#: A field that is different in all rows is taken for a number of repeats only where there are so many items, and so
#: many repeats at most.
_LEAST_ITEMS, _MOST_REPEATS = 10, 100
#: More repeats than this are only believed of this many times as many items: a subject has many questions, too.
_FEW_REPEATS, _ITEMS_PER_REPEAT = 10, 5
#: What fields are called that number repeats, in words of their names.
_NAMES = ("attempt", "epoch", "fold", "iteration", "repeat", "repetition", "rollout", "run", "seed", "trial", "try")
#: What may stand between the name of an item and a number, in a text.
_SEPARATORS = "-_.:#/ "
_DIGITS = "0123456789"
#: A longer text is no name.
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class UnnoticedRepeats:
    """Rows that look like repeats of items.

    :param field: tells the repeats of an item apart; empty where none does
    :param items: number of items, about
    :param times: number of repeats of each, about
    :param kind: ``number`` where the field numbers the repeats, ``all`` where it differs in all rows, ``prefix`` where
        its values are a name and a number, and the name is the only one that the item has, ``copies`` where rows are
        equal in all fields
    """

    field: str
    items: int
    times: int
    kind: str

    @classmethod
    def from_json(cls, data: Any) -> Self | None:
        return None if data is None else cls(**data)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_named(self) -> bool:
        """True if the field is called like one that numbers repeats."""
        words = self.field.lower().replace("-", "_").replace(".", "_").split("_")
        return any(name in words for name in _NAMES)

    @property
    def hint(self) -> str:
        """What was found, and how to name it."""
        field = self.field
        each = f"each of {self.items:,} items seems to come {self.times:,} times"
        if self.kind == "copies":
            return (
                f"each of {self.items:,} items comes {self.times:,} times with nothing that numbers the repeats: name "
                f"a field of the item with cluster_by="
            )
        if self.kind == "number" and self.is_named:
            return f'{each}, numbered by {field}: name it with repeat_by="{field}"'
        if self.kind == "number":
            return (
                f'{each}: if rows that differ in {field} alone are repeats, name it with repeat_by="{field}"; if they '
                f"belong together in another way, name the field that they share with cluster_by="
            )
        if self.kind == "all":
            return (
                f'{each}, with another {field} each time: if these are repeats, name it with repeat_by="{field}"; '
                f"if they belong together in another way, name the field that they share with cluster_by="
            )
        return (
            f"{each}, as {field} is a name with a number behind it: if these are repeats, add a field with the name "
            f"alone, and name it with cluster_by="
        )


@dataclass(slots=True)
class _Field:
    """Hashes of a field's values; of texts that are a name and a number, of both."""

    whole: NDArray[np.uint64]
    name: NDArray[np.uint64]
    number: NDArray[np.uint64]

    @classmethod
    def of(cls, field: Field, values: Sequence[Any]) -> Self:
        parts = [_name_and_number(value) for value in values]
        return cls(*(_hashes(field, some) for some in (values, *zip(*parts, strict=True))))

    def at(self, kept: NDArray[np.bool_]) -> _Field:
        return _Field(self.whole[kept], self.name[kept], self.number[kept])


class RepeatSample:
    """A random sample of rows that come in batches; how they are cut into batches does not matter.

    :param fields: number of fields of the items
    """

    def __init__(self, fields: int = 1) -> None:
        self._rows = 0
        self._most = 2 * _sample_rows(fields)
        #: Rows whose number, which is random, is less than this are in the sample.
        self._limit = 2**64
        self._batches: list[tuple[NDArray[np.uint64], dict[Field, _Field]]] = []

    def add(self, rows: int, values: Callable[[NDArray[np.intp]], Mapping[Field, Sequence[Any]]]) -> None:
        """Take the next rows.

        :param values: returns the values of each field of the items, in some of these rows, by position
        """
        import numpy as np

        numbers = _random(np.arange(self._rows, self._rows + rows, dtype=np.uint64))
        self._rows += rows
        places = np.flatnonzero(numbers <= np.uint64(self._limit - 1))
        if not places.size:
            return
        found = {name: _Field.of(name, some) for name, some in values(places).items()}
        self._batches.append((numbers[places], found))
        while sum(kept.size for kept, _ in self._batches) > self._most:
            self._limit //= 2
            self._batches = [self._within_limit(*batch) for batch in self._batches]

    def _within_limit(
        self, numbers: NDArray[np.uint64], fields: dict[Field, _Field]
    ) -> tuple[NDArray[np.uint64], dict[Field, _Field]]:
        import numpy as np

        kept = numbers <= np.uint64(self._limit - 1)
        return numbers[kept], {name: field.at(kept) for name, field in fields.items()}

    def find(self) -> UnnoticedRepeats | None:
        """What looks like repeats; None where nothing does."""
        import numpy as np

        if self._rows < _LEAST_ROWS:
            return None
        names = dict.fromkeys(name for _, fields in self._batches for name in fields)
        fields = {
            name: _Field(
                *(np.concatenate([getattr(f[name], part) for _, f in self._batches]) for part in _Field.__slots__)
            )
            for name in names
        }
        return _find(fields, self._rows)


def _sample_rows(fields: int) -> int:
    return min(_SAMPLE_ROWS, max(_SAMPLE_VALUES // max(fields, 1), _LEAST_ROWS))


def find_repeats(rows: pd.DataFrame, fields: Sequence[str]) -> UnnoticedRepeats | None:
    """Find rows of a frame that look like repeats.

    :param fields: the columns of the items
    """
    import numpy as np

    if len(rows) < _LEAST_ROWS:
        return None
    places, most = np.arange(len(rows)), 2 * _sample_rows(len(fields))
    if len(rows) > most:
        # All at once: only the rows of the sample are read.
        places = np.sort(np.argsort(_random(places.astype(np.uint64)))[:most])
    chosen = rows[list(fields)].iloc[places]
    by_field = {field_of(rows, name): _plain_values(chosen[name]) for name in fields}
    found = {field: _Field.of(field, values) for field, values in by_field.items()}
    return _find(found, len(rows))


def _plain_values(column: pd.Series[Any]) -> list[Any]:
    missing = column.isna().to_numpy()
    return [None if no else value for value, no in zip(column.tolist(), missing, strict=True)]


def _hashes(field: Field, values: Sequence[Any]) -> NDArray[np.uint64]:
    """A number for each value, of which only those of one sample compare; 0 for a missing one."""
    import numpy as np

    # Frames from parquet files have arrays as values. Each NaN has a hash of its own.
    plain = [value.tolist() if hasattr(value, "tolist") else value for value in values]
    values = [None if isinstance(value, float) and math.isnan(value) else value for value in plain]
    # Python's own hashes take a tenth of the time of canonical texts, and are the same for 1 and true, or -1 and -2.
    are_texts = set(map(type, values)) <= {str, type(None)}
    found = [hash(value) for value in (values if are_texts else canonical_texts(values))]
    spread = _random(np.array(found, dtype=np.int64).view(np.uint64) ^ np.uint64(hash(field) & (2**64 - 1)))
    return np.where(np.array([value is None for value in values]), np.uint64(0), spread)


def _name_and_number(value: Any) -> tuple[str | None, str | None]:
    """The two parts of a text such as ``q17-3``; none of others."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        return None, None
    name = value.rstrip(_DIGITS)
    if name == value or len(name) < 2 or name[-1] not in _SEPARATORS:
        return None, None
    return name[:-1], value[len(name) :]


def _find(fields: Mapping[Field, _Field], rows: int) -> UnnoticedRepeats | None:
    import numpy as np

    if not fields:
        return None
    total = np.add.reduce([field.whole for field in fields.values()])
    equal = _pairs(np.unique(total, return_counts=True)[1])
    found = []
    for name, field in fields.items():
        without = _Groups.of(total - field.whole, rows, equal)
        if (kind := without.kind(field.whole)) is not None:
            found.append(UnnoticedRepeats(str(name), without.items, without.times, kind))
        elif field.name.all():
            by_name = _Groups.of(total - field.whole + field.name, rows, equal)
            if by_name.kind(field.number) == "number" and by_name.times <= by_name.items:
                found.append(UnnoticedRepeats(str(name), by_name.items, by_name.times, "prefix"))
    if not found and (copies := _Groups.of(total, rows, 0)).are_copies:
        return UnnoticedRepeats("", copies.items, copies.times, "copies")
    return max(filter(_is_likely, found), key=_likelihood, default=None) if not _is_grid(found) else None


def _is_grid(found: Sequence[UnnoticedRepeats]) -> bool:
    """True if each value of one field comes with each of another, as lengths and depths do: neither numbers repeats."""
    return not any(each.is_named for each in found) and sum(each.kind == "number" for each in found) > 1


def _is_likely(found: UnnoticedRepeats) -> bool:
    return found.is_named or found.kind == "number" or _are_repeats(found.items, found.times)


def _are_repeats(items: int, times: int) -> bool:
    """False for few items with many rows each, which are rather subjects with questions."""
    return times <= _FEW_REPEATS or items >= _ITEMS_PER_REPEAT * times


def _likelihood(found: UnnoticedRepeats) -> tuple[bool, bool, int]:
    return found.is_named, found.kind == "number", found.items


@dataclass(frozen=True, slots=True)
class _Groups:
    """Rows of a sample that are equal but for a field.

    :param counts: number of rows in each group
    :param rows: number of all rows, of which the sample is
    :param equal: pairs of rows that are equal in all fields
    """

    counts: NDArray[np.intp]
    rows: int
    equal: int

    @classmethod
    def of(cls, hashes: NDArray[np.uint64], rows: int, equal: int) -> Self:
        import numpy as np

        return cls(np.unique(hashes, return_counts=True)[1], rows, equal)

    @property
    def _is_of_all(self) -> bool:
        return int(self.counts.sum()) == self.rows

    @property
    def _mean_times(self) -> float:
        if self._is_of_all:
            return self.rows / self.counts.size
        sample = int(self.counts.sum())
        return 1 + _pairs(self.counts) * 2 / (sample * (sample - 1)) * (self.rows - 1)

    @property
    def times(self) -> int:
        return round(self._mean_times)

    @property
    def items(self) -> int:
        found = round(self.rows / self._mean_times)
        return found if self._is_of_all else int(float(f"{found:.2g}"))  # a sample knows no better

    def kind(self, numbers: NDArray[np.uint64]) -> str | None:
        """How a field tells the rows of a group apart; None where they are no repeats by the looks of it.

        :param numbers: hashes of its values
        """
        import numpy as np

        pairs, sample = _pairs(self.counts), numbers.size
        # Rows that are equal in this field too are not told apart by it.
        if self.times < 2 or self.items < 2 or pairs < _LEAST_PAIRS or self.equal > pairs / 10 or not self._are_most():
            return None
        different = np.unique(numbers).size
        if different <= min(2 * self._mean_times + 1, sample / 2):
            return "number"
        is_even = not self._is_of_all or bool((self.counts == np.median(self.counts)).mean() >= 0.9)
        is_few = self.times <= min(self.items, _MOST_REPEATS) and self.items >= _LEAST_ITEMS
        return "all" if different == sample and is_even and is_few else None

    @property
    def are_copies(self) -> bool:
        """True if the rows, which nothing tells apart, look like repeats of items."""
        is_enough = self.times >= 2 and self.items >= _LEAST_ITEMS and _pairs(self.counts) >= _LEAST_PAIRS
        return is_enough and self._are_most() and _are_repeats(self.items, self.times)

    def _are_most(self) -> bool:
        """True if most items have several rows."""
        return not self._is_of_all or bool((self.counts >= 2).mean() > 0.5)


def _pairs(counts: NDArray[np.intp]) -> int:
    return int((counts * (counts - 1) // 2).sum())


def _random(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers without any order, always the same (the finaliser of SplitMix64)."""
    import numpy as np

    numbers = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    mixed: NDArray[np.uint64] = numbers ^ (numbers >> np.uint64(31))
    return mixed
