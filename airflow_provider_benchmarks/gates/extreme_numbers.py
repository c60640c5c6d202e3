"""Scores so large or so small that their powers are not floats: no bound of their mean can be computed.

Statistics take the fourth power of a spread. Beyond these limits it would be infinite or zero, and a bound a word
instead of a number, on which no check may pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from airflow_provider_benchmarks.gates.result import Outcome
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.json_values import is_number

_LEAST, LARGEST_SCORE = 1e-60, 1e60
#: No two values within the limits differ by more: a larger margin allows no more.
LARGEST_DIFFERENCE = 4 * LARGEST_SCORE
_NO_BOUNDS = "can't be bounded or compared; write them in another unit"


def not_comparable(
    score: AggregateScore, base: AggregateScore, mine: Iterable[float | None], theirs: Iterable[float | None]
) -> tuple[Outcome, str] | None:
    """The outcome where a job's numbers are too large or too small to compare, and why; None where they are not.

    :param mine: the ends of the candidate's values, and other numbers of theirs
    :param theirs: the same of the baseline's
    """
    mine, theirs = (*mine, score.min, score.max), (*theirs, base.min, base.max)
    if problem := too_large(score.name, *mine):
        return Outcome.FAIL, problem
    if problem := too_large(base.name, *theirs):
        return Outcome.INCONCLUSIVE, f"in the baseline {problem}"
    problem = too_small(score.name, *mine, *theirs)
    return (Outcome.INCONCLUSIVE, problem) if problem else None


def is_computable(value: object) -> TypeGuard[float]:
    """True for a number that statistics may take to its fourth power."""
    return is_number(value) and abs(value) <= LARGEST_SCORE


def too_large(name: str, *numbers: float | None) -> str | None:
    """Why no bound of a score's mean can be computed; None where it can.

    :param name: of the score
    :param numbers: its ends, its mean, its standard deviation, …, as far as they are known
    """
    largest = _largest(numbers)
    if largest <= LARGEST_SCORE:
        return None
    return f"the values of {name} reach {largest:.3g}: means of values beyond ±{LARGEST_SCORE:g} {_NO_BOUNDS}"


def too_small(name: str, *numbers: float | None) -> str | None:
    """The same, for scores all of which are next to 0 and not 0."""
    largest = _largest(numbers)
    if largest == 0 or largest >= _LEAST:
        return None
    return f"no value of {name} is beyond ±{largest:.3g}: means of values that are all within ±{_LEAST:g} {_NO_BOUNDS}"


def _largest(numbers: Iterable[float | None]) -> float:
    return max((abs(number) for number in numbers if is_number(number)), default=0.0)


def without_rounding(std_dev: float, *numbers: float | None) -> float:
    """A standard deviation, or 0 where it is that of equal values, which rounding made different.

    :param numbers: the scores' mean and ends, as far as they are known
    """
    return 0.0 if std_dev <= 1e-12 * _largest(numbers) else std_dev
