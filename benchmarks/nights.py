"""What a month of nights does: ``python benchmarks/nights.py [--months 300]`` prints a table in Markdown.

A month is 30 nights of one unchanged model on 200 items, each night compared with the same baseline: a run of the model
that was pinned, or the mean per item over it and nine others. Items differ in how hard they are, and each night has
noise of its own. Scores are 0/1, with a chance of 1 for each item, of a model that answers most items in the same way
each time, and of one that wavers; or they are continuous. ``NoDrift`` has these ten runs for its reference.

Then a week of nights after all items have become harder, such that the mean falls by three points (of the continuous
scores, by 0.03).

The p-values are those of ``paired_difference``, the limits those of the chart that ``NoDrift`` makes; some nights are
judged by ``evaluate`` too, and must agree.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from airflow_provider_benchmarks.gates import NoDrift, NoRegression, evaluate
from airflow_provider_benchmarks.gates.statistics import paired_difference
from airflow_provider_benchmarks.gates.statistics.cusum import CusumChart
from airflow_provider_benchmarks.scores import AggregateScores, JobScores, row_scores_frame
from airflow_provider_benchmarks.scores.rows import RowScore

Array = NDArray[np.float64]
ITEMS, RUNS, NIGHTS, WEEK = 200, 10, 30, 7
DROP = 0.03
CONFIDENCES = (0.95, 0.99, 0.999)
#: Months whose first night is judged by ``evaluate``, too.
COMPARED = 5


@dataclass(frozen=True)
class Model:
    """A model, by what its scores of each item are.

    :param items: draws what is expected of each item
    :param run: draws the scores of runs, one a row
    """

    name: str
    items: Callable[[np.random.Generator], Array]
    run: Callable[[np.random.Generator, Array, int], Array]

    def harder(self, items: Array) -> Array:
        """What is expected of each item after a drop: in proportion, as no share falls below 0."""
        return items * (1 - DROP / items.mean())


def _zeros_and_ones(random: np.random.Generator, items: Array, runs: int) -> Array:
    return (random.random((runs, ITEMS)) < items).astype(float)


def _continuous(random: np.random.Generator, items: Array, runs: int) -> Array:
    return items + 0.15 * random.standard_normal((runs, ITEMS))


MODELS = (
    Model("0/1, most items alike each night", lambda random: random.beta(0.4, 0.2, ITEMS), _zeros_and_ones),
    Model("0/1, wavering", lambda random: random.beta(2, 1, ITEMS), _zeros_and_ones),
    Model("continuous", lambda random: random.normal(0.7, 0.2, ITEMS), _continuous),
)


def p_value(candidate: Array, baseline: Array) -> float:
    """The p-value of a comparison, one-sided; 1 where less than a standard error has fallen, far from any level."""
    fallen = baseline - candidate
    if fallen.sum() <= np.sqrt((fallen**2).sum()):
        return 1.0
    if all(((side == 0) | (side == 1)).all() for side in (candidate, baseline)):
        return _p_value_of_counts(int((candidate > baseline).sum()), int((candidate < baseline).sum()))
    # Losses too rare to be seen don't matter to a p-value of a drop, and take most of the time.
    return paired_difference(candidate, baseline, margin=0.0, confidence=0.95, rare_losses=False).p_value


@cache
def _p_value_of_counts(gains: int, losses: int) -> float:
    """That of 0/1 scores, of which these numbers of rows have changed."""
    candidate, baseline = np.zeros(ITEMS), np.zeros(ITEMS)
    candidate[:gains], baseline[gains : gains + losses] = 1.0, 1.0
    return paired_difference(candidate, baseline, margin=0.0, confidence=0.95).p_value


def drifts(reference: Array, nights: Array) -> NDArray[np.bool_]:
    """Nights in which NoDrift raises an alarm; these are not added, as a job that missed is no history."""
    passed: list[float] = []
    alarms = []
    for night in nights.mean(axis=1).tolist():
        chart = CusumChart.of(reference.mean(axis=1).tolist(), passed, two_sided=False, least_spread=1e-9)
        alarms.append(night < chart.lowest)
        if not alarms[-1]:
            passed.append(night)
    return np.array(alarms)


@dataclass(frozen=True)
class Months:
    """p-values and alarms, a month a row.

    :param p_values: of the comparisons, by the number of runs of the baseline
    """

    p_values: dict[int, Array]
    drifts: NDArray[np.bool_]

    def alarms(self) -> dict[str, NDArray[np.bool_]]:
        """Nights with an alarm, by the setting."""
        found = {
            f"baseline_runs={runs}, confidence={level}": p_values <= 1 - level
            for runs, p_values in self.p_values.items()
            for level in CONFIDENCES
        }
        return {
            **found,
            "NoDrift": self.drifts,
            f"NoDrift, and baseline_runs={RUNS}, confidence=0.999": self.drifts
            | found[f"baseline_runs={RUNS}, confidence=0.999"],
        }


def simulate(model: Model, random: np.random.Generator, months: int, *, harder: bool) -> Months:
    nights = WEEK if harder else NIGHTS
    p_values = {runs: np.empty((months, nights)) for runs in (1, RUNS)}
    alarms = np.empty((months, nights), dtype=bool)
    for month in range(months):
        items = model.items(random)
        pinned = model.run(random, items, RUNS)
        found = model.run(random, model.harder(items) if harder else items, nights)
        for runs, values in p_values.items():
            baseline = pinned[0] if runs == 1 else pinned.mean(axis=0)
            values[month] = [p_value(night, baseline) for night in found]
        alarms[month] = drifts(pinned, found)
        if month < COMPARED:
            compare_with_a_gate(pinned, found[0], {runs: values[month][0] for runs, values in p_values.items()})
    return Months(p_values, alarms)


def compare_with_a_gate(pinned: Array, night: Array, p_values: dict[int, float]) -> None:
    runs, candidate = [_job(run, f"run-{n}") for n, run in enumerate(pinned)], _job(night, "night")
    for number, expected in p_values.items():
        (result,) = evaluate([NoRegression("m", baseline_runs=number)], candidate, runs).results
        if expected < 1 and not np.isclose(result.details["p_value"], expected):
            raise AssertionError(f"a gate has p {result.details['p_value']}, the simulation {expected}")
    (result,) = evaluate([NoDrift("m")], candidate, history=runs[::-1]).results
    if (result.outcome == "fail") != drifts(pinned, night[None])[0]:
        raise AssertionError("a gate and the simulation disagree on a drift")


def _job(values: Array, name: str) -> JobScores:
    rows = [
        RowScore(row_index=i, item={"id": i}, sample={}, metrics={"w/m": {"s": v}})
        for i, v in enumerate(values.tolist())
    ]
    figures = {"mean": values.mean(), "std_dev": values.std(), "variance": values.var()}
    figures |= {"min": values.min(), "max": values.max(), "count": ITEMS, "nan_count": 0}
    aggregate = AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [{"name": "s", **figures}]}]})
    return JobScores(aggregate, row_scores_frame(rows), job=name)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a month of nights of an unchanged model does.")
    parser.add_argument("--months", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261128)
    arguments = parser.parse_args()
    random, start = np.random.default_rng(arguments.seed), time.monotonic()
    rows = []
    for model in MODELS:
        same, harder = (simulate(model, random, arguments.months, harder=harder).alarms() for harder in (False, True))
        for setting, alarms in same.items():
            worst = np.sort(alarms.mean(axis=1))[-arguments.months // 10 :]
            found = harder[setting]
            shares = [alarms.any(axis=1), alarms, worst, found[:, 0], found.any(axis=1)]
            rows.append([model.name, setting, *(f"{share.mean():.1%}" for share in shares)])
    header = ["scores", "setting", "months with a false alarm", "nights", "nights in the worst tenth of months"]
    print(table([*header, f"a drop of {DROP:g} found the first night", "within a week"], rows))
    print(f"\n{arguments.months:,} months a row, seed {arguments.seed}, {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
