"""How often checks of a history find a drift, and raise false alarms: ``python benchmarks/drift.py [--runs 1000]``.

A run has a model's value of each night, normal and independent from night to night: 20 nights, of which a check knows
the last that it needs as its reference or window, and a month of 30 nights. A run ends with its first alarm, as all
that is counted is whether a month has one. Tables in Markdown are printed; the exit code is 1 where
``NoDrift(reference=10)`` misses what it promises by more than three standard errors of the simulation.

The values are judged by the functions that the checks call; some runs are judged by ``evaluate`` too, and must agree.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from airflow_provider_benchmarks.gates import Check, NoDrift, WithinHistory, evaluate
from airflow_provider_benchmarks.gates.history import middle_and_deviation
from airflow_provider_benchmarks.gates.statistics.cusum import MONTH, CusumChart
from airflow_provider_benchmarks.scores import AggregateScores, JobScores

Array = NDArray[np.float64]
BEFORE = 20
ROUNDING = 1e-9
#: Most false months, and fewest runs in which a drift of 0.1 spreads a night is found in 30.
FALSE_MONTHS, FOUND = 0.05, 0.95
#: Runs that are judged by ``evaluate``, too.
COMPARED = 4


def changes() -> dict[str, Array]:
    """What the nights of the month are below those before, in spreads."""
    nights = np.arange(1, MONTH + 1)
    drifts = {f"{slope} a night": slope * nights for slope in (0.05, 0.1, 0.2)}
    return {"none": 0.0 * nights, **drifts, **{f"a step of {step}": np.full(MONTH, float(step)) for step in (1, 2)}}


def drifts(check: NoDrift, values: Sequence[float], candidate: float) -> bool:
    """True if a night raises an alarm.

    :param values: of the nights before, oldest first
    """
    chart = CusumChart.of(
        values[: check.reference],
        values[check.reference :],
        two_sided=check.higher_is_better is None,
        least_spread=ROUNDING,
    )
    return candidate < chart.lowest or (check.higher_is_better is None and candidate > chart.highest)


def is_outlier(check: WithinHistory, values: Sequence[float], candidate: float) -> bool:
    """True if a night raises an alarm."""
    middle, deviation = middle_and_deviation(values[-check.window :])
    reach = check.spread * deviation
    return candidate < middle - reach or (check.higher_is_better is None and candidate > middle + reach)


def has_alarm(check: Check, run: Array, first: int) -> bool:
    """True if any night of the month raises an alarm.

    :param first: number of nights before the month that the check knows
    """
    values: list[float] = run.tolist()[BEFORE - first :]
    if isinstance(check, NoDrift):
        return any(drifts(check, values[:night], values[night]) for night in range(first, len(values)))
    assert isinstance(check, WithinHistory)
    return any(is_outlier(check, values[:night], values[night]) for night in range(first, len(values)))


def has_alarm_in_a_gate(check: Check, run: Array, first: int) -> bool:
    """The same, judged as a gate does."""
    nights = [_night(value) for value in run[BEFORE - first :]]
    return any(
        evaluate([check], nights[night], history=nights[:night][::-1]).outcome == "fail"
        for night in range(first, len(nights))
    )


def _night(mean: float) -> JobScores:
    score = {"name": "s", "count": 10**9, "nan_count": 0, "mean": float(mean), "min": 0, "max": 1}
    return JobScores(AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [score]}]}))


def measure(check: Check, first: int, random: np.random.Generator, runs: int) -> dict[str, float]:
    """The share of runs with an alarm, by what has changed."""
    shares = {}
    for name, change in changes().items():
        found = random.standard_normal((runs, BEFORE + MONTH))
        found[:, BEFORE:] -= change
        alarms = [has_alarm(check, run, first) for run in found]
        if alarms[:COMPARED] != [has_alarm_in_a_gate(check, run, first) for run in found[:COMPARED]]:
            raise AssertionError(f"{check}: the simulation and a gate disagree")
        shares[name] = sum(alarms) / runs
    return shares


def false_nights(random: np.random.Generator, runs: int) -> list[list[str]]:
    """The share of single nights, and of those with an alarm of any of five metrics, in which WithinHistory errs."""
    rows = []
    for jobs in (5, 10, 20):
        found = random.standard_normal((runs, jobs + 1))
        row = [f"{jobs}"]
        for both in (True, None):
            check = WithinHistory("m", higher_is_better=both)
            alarms = np.array([is_outlier(check, run[:-1], run[-1]) for run in found.tolist()])
            # Metrics whose values are independent of one another.
            any_of_five = alarms[: runs // 5 * 5].reshape(-1, 5).any(axis=1)
            row += [f"{alarms.mean():.1%}", f"{any_of_five.mean():.1%}"]
        rows.append(row)
    return rows


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how often checks of a history find a drift.")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261128)
    arguments = parser.parse_args()
    random, start = np.random.default_rng(arguments.seed), time.monotonic()
    checks: dict[str, tuple[Check, int]] = {
        "WithinHistory, 5 jobs before": (WithinHistory("m"), 5),
        "WithinHistory, 20 jobs before": (WithinHistory("m"), 20),
        **{f"NoDrift, reference of {n}": (NoDrift("m", reference=n), n) for n in (5, 10, 20)},
        **{
            f"NoDrift, reference of {n}, two-sided": (NoDrift("m", reference=n, higher_is_better=None), n)
            for n in (5, 10, 20)
        },
    }
    measured: dict[str, dict[str, float]] = {}
    for name, (check, first) in checks.items():
        measured[name] = measure(check, first, random, arguments.runs)
    rows = [[name, *(f"{share:.1%}" for share in shares.values())] for name, shares in measured.items()]
    print(table(["months with an alarm, by the change in spreads", *changes()], rows), end="\n\n")
    header = ["jobs before", "one-sided", "of 5 metrics any", "two-sided", "of 5 metrics any"]
    print(table(header, false_nights(random, 10 * arguments.runs)), end="\n\n")
    promised = measured["NoDrift, reference of 10"]
    errors = {share: 3 * math.sqrt(share * (1 - share) / arguments.runs) for share in (FALSE_MONTHS, FOUND)}
    missed = promised["none"] > FALSE_MONTHS + errors[FALSE_MONTHS] or promised["0.1 a night"] < FOUND - errors[FOUND]
    print(f"{arguments.runs:,} runs a cell, seed {arguments.seed}, {time.monotonic() - start:.0f} s; ", end="")
    print("NoDrift(reference=10) " + ("misses what it promises." if missed else "holds what it promises."))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
