"""The conditions of ``where`` on fields of the items: which rows meet them, and what there is where none does."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import did_you_mean, shortened
from airflow_provider_benchmarks.gates.row_values import field_column
from airflow_provider_benchmarks.gates.wording import conditions, exact_number
from airflow_provider_benchmarks.scores.equality import are_among, canonical_column
from airflow_provider_benchmarks.scores.json_values import fits_utf8

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_COMPARE = {"at_least": operator.ge, "at_most": operator.le, "above": operator.gt, "below": operator.lt}
#: Number of values of a field that a message lists.
_MOST_VALUES = 8
_MOST_CHARACTERS = 40
_NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)


def matching(rows: pd.DataFrame, where: Mapping[str, Any] | None) -> pd.DataFrame:
    """The rows whose items meet all conditions; a missing value meets none but ``None``.

    :raises ScoreNotFound: the items have no such field
    """
    import numpy as np

    if not where:
        return rows
    chosen = np.ones(len(rows), dtype=bool)
    for name, wanted in where.items():
        chosen &= _meets(field_column(rows, name), wanted)
    found = rows[chosen]
    found.attrs = rows.attrs
    return found


def why_none_matches(rows: pd.DataFrame, where: Mapping[str, Any]) -> str:
    """Why no row meets all conditions, with the values that there are: ``no row has category = math; there are: …``.

    :param rows: one or more
    :raises ScoreNotFound: the items have no such field
    """
    met = {name: int(_meets(field_column(rows, name), wanted).sum()) for name, wanted in where.items()}
    alone = [name for name, number in met.items() if not number]
    if alone:
        return "; ".join(_why_none(field_column(rows, name), name, where[name]) for name in alone)
    each = ", ".join(
        f"{conditions({name: where[name]})} ({number:,} row{'s' if number > 1 else ''})" for name, number in met.items()
    )
    return shortened(f"no row meets all conditions at once, though some meet each: {each}", 500)


def shown_value(value: Any) -> Any:
    """A value in words; a whole number in one way, whatever the type of its column."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _meets(column: pd.Series[Any], wanted: Any) -> NDArray[np.bool_]:
    """Which values of a field meet a condition."""
    import numpy as np

    if not isinstance(wanted, Mapping):
        return are_among(column, wanted if isinstance(wanted, list) else [wanted])
    numbers = _numbers(column)
    chosen = np.ones(len(column), dtype=bool)
    for end, bar in wanted.items():
        chosen &= _COMPARE[end](numbers, bar)
    return chosen


def _why_none(column: pd.Series[Any], name: str, wanted: Any) -> str:
    """Why no value of a field meets a condition, with the values that there are."""
    import numpy as np

    problem = f"no row has {shortened(conditions({name: wanted}))}"
    values = column[column.notna()]
    if values.empty:
        return f"{problem}: none has a value of {shortened(name)}"
    if isinstance(wanted, Mapping):
        numbers = _numbers(values)
        if not np.isnan(numbers).all():
            low, high = map(exact_number, (float(np.nanmin(numbers)), float(np.nanmax(numbers))))
            return f"{problem}; the smallest is {low}, the largest {high}"
        problem = f"{problem}, as no value is a number"
    first = values[~_duplicated(values)]
    known = sorted((shown_value(value) for value in first.tolist()), key=str)
    candidates = [] if isinstance(wanted, Mapping) else wanted if isinstance(wanted, list) else [wanted]
    texts = {str(value): value for value in known}
    if any(str(value) in texts for value in candidates):  # 1 and "1": in JSON they are told apart
        shown = [_as_json(value) for value in known]
        problem = f"no row has {shortened(name)} = {shortened(' or '.join(map(_as_json, candidates)))}"
        return f"{problem}; there are: {_listed(shown)}"
    meant = did_you_mean(candidates[0], texts) if len(candidates) == 1 else ""
    return f"{problem}; there are: {_listed(list(map(str, known)))}{meant}"


def _duplicated(values: pd.Series[Any]) -> NDArray[np.bool_]:
    import pandas as pd

    kinds = pd.Series(canonical_column(values)) if values.dtype == object else values
    return kinds.duplicated().to_numpy()


def _listed(texts: list[str]) -> str:
    more = len(texts) - _MOST_VALUES
    others = f" and {more:,} other{'s' if more > 1 else ''}" if more > 0 else ""
    return f"{', '.join(shortened(text, _MOST_CHARACTERS) for text in texts[:_MOST_VALUES])}{others}"


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    """The numbers of a column, and those that are written as text; NaN for all else."""
    import pandas as pd

    if column.dtype == object:
        column = column.map(_readable_number)
    numbers: NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=float("nan"))
    return numbers


def _readable_number(value: Any) -> Any:
    """A value as pandas reads a number from it, and None for what pandas refuses."""
    if isinstance(value, bool | list | dict):
        return None
    if isinstance(value, str):
        # Before 2.2 pandas takes none for a number that is beyond all floats.
        return float(value) if _NUMBER.fullmatch(value) else value if fits_utf8(value) else None
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:  # compares like the end of the floats that it is beyond
            return math.inf if value > 0 else -math.inf
    return value
