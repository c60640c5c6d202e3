"""What tells checks apart that judge the same score by the same bar, such as against two baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import count
from typing import Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates.check import Check
from airflow_provider_benchmarks.scores.json_values import json_text

_MOST_OF_VALUE = 80


def distinctions(names: Sequence[Hashable], checks: Sequence[Check]) -> list[str]:
    """What to write behind each name, so that no two are the same; empty where that is not needed.

    :param names: what is shown of each check anyway
    :param checks: each of them
    :return: the arguments in which checks of one name differ; of those that differ in none, a number
    """
    places: dict[Hashable, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    found = [""] * len(names)
    for same in places.values():
        if len(same) > 1:
            for place, text in zip(same, _apart([checks[place].to_dict() for place in same]), strict=True):
                found[place] = text
    return found


def _apart(checks: Sequence[dict[str, Any]]) -> list[str]:
    arguments = [{name: json_text(value) for name, value in check.items()} for check in checks]
    names = dict.fromkeys(name for each in arguments for name in each)
    differing = [name for name in names if len({each.get(name) for each in arguments}) > 1]
    texts = [", ".join(f"{name} {_value(check[name])}" for name in differing if name in check) for check in checks]
    numbers, times = {text: count(1) for text in texts}, Counter(texts)
    return [" ".join(filter(None, [text, f"#{next(numbers[text])}" if times[text] > 1 else ""])) for text in texts]


def _value(value: Any) -> str:
    return shortened(value if isinstance(value, str) else json_text(value), _MOST_OF_VALUE)
