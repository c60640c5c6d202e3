"""Which fields of the items have a column of their own.

Items may have ids as keys, another one in each row: a column for each would take memory and files that grow with the
square of the rows. So the first fields, in the order of the rows, have columns, and all others of an item are an
object in one column. Fields that the first rows do not have are likely to be rare, so fewer of them have columns.

It hangs on the items alone, and not on the format or on how rows come in batches: two files of the same items have the
same columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

#: Number of fields with a column of their own: of those that are in the first rows, and of all where others come later.
MOST_FIELDS, MOST_LATER_FIELDS = 2000, 250
_FIRST_ROWS = 100
#: Name of the column of all others.
OTHER_FIELDS = "other_fields"
#: Number of values, missing ones included, of which columns are made at a time.
_MOST_VALUES = 1_000_000


class OtherFields(Enum):
    """What stands for all other fields in the place of a field. It is no text, so that no field can be called so."""

    OTHERS = OTHER_FIELDS

    def __str__(self) -> str:
        return self.value


OTHERS: Final = OtherFields.OTHERS
#: What a column of the items holds: the field of this name, or all fields without a column.
Field: TypeAlias = "str | OtherFields"


class OwnFields:
    """The fields that have columns, as far as items have been seen."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._rows = 0
        #: Some items have fields without columns.
        self.is_passed = False

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they were first seen."""
        return tuple(self._names)

    @property
    def most_rows(self) -> int:
        """Number of rows of which columns should be made at a time."""
        return max(_MOST_VALUES // max(len(self._names), 1), 1)

    def see(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Take the items of the next rows."""
        for item in items:
            self._rows += 1
            if self._names.keys() >= item.keys():  # mostly
                continue
            most = MOST_FIELDS if self._rows <= _FIRST_ROWS else MOST_LATER_FIELDS
            for name in item:
                if name not in self._names:
                    if len(self._names) >= most:
                        self.is_passed = True
                        break
                    self._names[name] = None

    def columns(self, items: Sequence[Mapping[str, Any]]) -> dict[Field, list[Any]]:
        """The values of each field, of items that were seen; under ``OTHERS`` an object or None for each row."""
        found = dict.fromkeys(name for item in items for name in item)
        own = (name for name in found if name in self._names)
        columns: dict[Field, list[Any]] = {name: [item.get(name) for item in items] for name in own}
        if self.is_passed and len(columns) < len(found):
            columns[OTHERS] = [self._others(item) for item in items]
        return columns

    def _others(self, item: Mapping[str, Any]) -> dict[str, Any] | None:
        return {name: value for name, value in item.items() if name not in self._names} or None


def item_of(fields: Mapping[Field, Any]) -> dict[str, Any]:
    """The item again, of the values of its columns.

    :param fields: values by field; ``OTHERS`` may be among them
    """
    item = {name: value for name, value in fields.items() if name is not OTHERS}
    return item | (fields.get(OTHERS) or {})
