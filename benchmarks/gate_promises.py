"""What gates promise where data are hard: each row tests one promise, beside what would do without the care taken.

``python benchmarks/gate_promises.py [--runs 1000]`` prints a table in Markdown; ``gate_soundness.py`` prints it, too.
All figures are of the package's own functions. A promise is broken where a share is beyond its limit by more than three
standard errors of the simulation.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates import NoRegression, evaluate
from airflow_provider_benchmarks.gates.statistics import (
    Moments,
    holm,
    mean_interval,
    paired_difference,
    share_interval,
    unpaired_difference,
)
from airflow_provider_benchmarks.scores import AggregateScores, JobScores

Array = NDArray[np.float64]
ALPHA = 0.05
#: Margin of the scores that lie close together.
CLOSE = 0.02


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A share of simulated runs, and its limit.

    :param promise: in words
    :param found: share of runs
    :param without: the same without the care taken; None where it is not asked
    :param how_without: what that is
    :param at_most: largest share that keeps the promise
    :param at_least: smallest one
    """

    promise: str
    found: float
    runs: int
    without: float | None = None
    how_without: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_broken(self) -> bool:
        for limit, is_over in ((self.at_most, True), (self.at_least, False)):
            if limit is not None:
                error = 3 * math.sqrt(limit * (1 - limit) / self.runs)
                if self.found > limit + error if is_over else self.found < limit - error:
                    return True
        return False


def share(runs: int, of_run: Callable[[], tuple[bool, ...]]) -> tuple[float, ...]:
    """The share of runs in which each of some things happened."""
    return tuple(float(mean) for mean in np.mean([of_run() for _ in range(runs)], axis=0))


def lost_losses(random: np.random.Generator, runs: int) -> Iterator[Promise]:
    """Scores that lie close together, of which some lose nearly all, and losses with a long tail."""
    for n in (20, 50, 300):
        for known in (None, (-1.0, 1.0)):

            def close(n: int = n, known: Any = known) -> tuple[bool, ...]:
                candidate, baseline = random.normal(0.95, 0.01, (2, n))
                candidate = candidate - 0.9 * (random.random(n) < 1.001 * CLOSE / 0.9)
                found = paired_difference(candidate, baseline, margin=CLOSE, confidence=1 - ALPHA, limits=known)
                return found.lower >= -CLOSE, found.lower_of_seen >= -CLOSE

            found, without = share(runs, close)
            where = "of a known range" if known else "of an unknown range"
            yield Promise(
                promise=f"prove: {n} scores 0.95 ± 0.01 {where}, of which some lose 0.9, just over the margin",
                found=found, runs=runs, without=without, how_without="Hall's t", at_most=ALPHA,
            )  # fmt: skip

        def aggregates(n: int = n) -> tuple[bool, ...]:
            sides = list(random.normal(0.95, 0.01, (2, n)))
            sides[0] = sides[0] - 0.9 * (random.random(n) < 1.001 * CLOSE / 0.9)
            moments = [Moments(mean=s.mean(), std_dev=s.std(), n=n, low=s.min(), high=s.max()) for s in sides]
            found = unpaired_difference(*moments, margin=CLOSE, confidence=1 - ALPHA)
            difference = sides[0].mean() - sides[1].mean()
            half = float(special.stdtrit(2 * n - 2, 1 - ALPHA)) * found.standard_error
            return found.lower >= -CLOSE, difference - half >= -CLOSE

        found, without = share(runs, aggregates)
        yield Promise(
            promise=f"prove: the same, of aggregate scores of {n} rows",
            found=found, runs=runs, without=without, how_without="Welch's t", at_most=ALPHA,
        )  # fmt: skip


def thresholds(random: np.random.Generator, runs: int) -> Iterator[Promise]:
    """Thresholds with confidence, of a mean that is at the bar."""
    for n in (20, 50, 300):

        def judged(n: int = n) -> tuple[bool, ...]:
            scores = random.normal(0.95, 0.02, n) * (random.random(n) >= 0.02)
            bar = 0.95 * 0.98
            level: Any = {"confidence": 1 - ALPHA, "one_sided": True}
            t = scores.mean() - float(special.stdtrit(n - 1, 1 - ALPHA)) * scores.std(ddof=1) / math.sqrt(n)
            return mean_interval(scores, **level)[0] >= bar, t >= bar

        found, without = share(runs, judged)
        yield Promise(
            promise=f"threshold: {n} scores 0.95 ± 0.02 with 2 % zeros, a mean at the bar",
            found=found, runs=runs, without=without, how_without="Student's t", at_most=ALPHA,
        )  # fmt: skip
    items = np.repeat(np.arange(100), 10)

    def repeated() -> tuple[bool, ...]:
        right = np.repeat(random.beta(4, 1, 100), 10)
        answers = (random.random(1000) < right).astype(float)
        level: Any = {"confidence": 1 - ALPHA, "one_sided": True}
        return share_interval(answers, items, **level)[0] >= 0.8, share_interval(answers, None, **level)[0] >= 0.8

    found, without = share(runs, repeated)
    yield Promise(
        promise="threshold: 100 items of 10 repeats, cluster_by, a mean at the bar",
        found=found, runs=runs, without=without, how_without="rows", at_most=ALPHA,
    )  # fmt: skip


def relative_margins(random: np.random.Generator, runs: int) -> Iterator[Promise]:
    """Relative margins, where the true change is the margin; the baseline's mean is not known."""
    n, margin = 200, 0.5

    def latencies(change: float) -> tuple[JobScores, JobScores]:
        candidate, baseline = random.lognormal(0, 0.5, (2, n))
        return job(candidate * change), job(baseline, "baseline")

    def detected() -> tuple[bool, ...]:
        check = NoRegression("m", margin=margin, relative=True, higher_is_better=False)
        mine, theirs = latencies(1 + margin)
        difference = mine.rows["s"].to_numpy() - theirs.rows["s"].to_numpy()  # type: ignore[index]
        bar = margin * theirs.rows["s"].mean()  # type: ignore[index]
        t = (difference.mean() - bar) / (difference.std(ddof=1) / math.sqrt(n))
        return evaluate([check], mine, theirs).outcome == "fail", float(special.stdtr(n - 1, -t)) < ALPHA

    found, without = share(runs // 2, detected)
    yield Promise(
        promise="detect: latencies of 200 rows that rise by the relative margin of 50 % are blocked",
        found=found, runs=runs // 2, without=without, how_without="margin of the mean seen", at_most=ALPHA,
    )  # fmt: skip

    def proved() -> tuple[bool, ...]:
        check = NoRegression("m", margin=margin, relative=True, higher_is_better=False, mode="prove")
        return (evaluate([check], *latencies(1 + 1.001 * margin)).passed,)

    yield Promise(
        promise="prove: the same latencies pass", found=share(runs // 2, proved)[0], runs=runs // 2, at_most=ALPHA
    )


def failed_calls(random: np.random.Generator, runs: int) -> Iterator[Promise]:
    """Calls that fail where the model would: a true drop of 3 points is hidden in rows that are left out."""
    n = 3000

    def proved() -> tuple[bool, ...]:
        baseline = (random.random(n) < 0.9).astype(float)
        candidate = np.where(random.random(n) < 0.033, 0.0, baseline)
        hidden: list[Any] = list(candidate)
        for place in np.flatnonzero((candidate == 0) & (baseline == 1)):
            hidden[place] = None
        check = NoRegression("m", margin=0.02, mode="prove", max_error_rate=0.05)
        kept = np.array([value is not None for value in hidden])
        left_out = evaluate([NoRegression("m", margin=0.02, mode="prove")], *map(job, (baseline[kept],) * 2))
        return evaluate([check], job(hidden), job(baseline, "baseline")).passed, left_out.passed

    few = max(runs // 20, 30)
    found, without = share(few, proved)
    yield Promise(
        promise="prove: a drop of 3 points of 3,000 rows, margin 2, hidden in calls that failed",
        found=found, runs=few, without=without, how_without="limited, not compared", at_most=ALPHA,
    )  # fmt: skip


def groups(random: np.random.Generator, runs: int) -> Iterator[Promise]:
    """A check over all rows beside a check of 57 groups; p-values of normal statistics."""
    effect = float(special.ndtri(1 - ALPHA) + special.ndtri(0.83))
    weights = [0.5, *[0.5 / 57] * 57]

    def seen() -> tuple[bool, ...]:
        overall = special.ndtr(random.normal(-effect))
        of_groups = special.ndtr(random.normal(0, 1, 57))
        p_values = [float(overall), *map(float, of_groups)]
        return tuple(holm(p_values, alpha=ALPHA, weights=shares).rejected[0] for shares in (weights, None))

    found, without = share(20 * runs, seen)
    yield Promise(
        promise="detect: a drop that a check alone finds in 83 % is found beside 57 groups",
        found=found, runs=20 * runs, without=without, how_without="equal shares", at_least=0.72,
    )  # fmt: skip

    def blocked() -> tuple[bool, ...]:
        p_values = [float(p) for p in random.random(58)]
        return (any(holm(p_values, alpha=ALPHA, weights=weights).rejected),)

    yield Promise(
        promise="detect: an equal model is blocked by any of 58 checks",
        found=share(20 * runs, blocked)[0], runs=20 * runs, at_most=ALPHA,
    )  # fmt: skip


def repeats(random: np.random.Generator, runs: int) -> Iterator[Promise]:
    """Equal models, with five repeats of each item that a field numbers."""
    items = [{"q": f"q{i // 5}", "seed": i % 5} for i in range(200)]

    def blocked() -> tuple[bool, ...]:
        easy = np.repeat(random.beta(0.5, 0.5, (2, 40)), 5, axis=1)
        candidate, baseline = (random.random((2, 200)) < easy).astype(float)
        sides = job(candidate, items=items), job(baseline, "baseline", items=items)
        return tuple(
            evaluate([NoRegression("m", repeat_by=field)], *sides).outcome == "fail" for field in ("seed", None)
        )

    few = max(runs // 4, 100)
    found, without = share(few, blocked)
    yield Promise(
        promise="detect: equal models, 40 items of 5 repeats, repeat_by, are blocked",
        found=found, runs=few, without=without, how_without="rows", at_most=ALPHA,
    )  # fmt: skip


def job(values: Any, name: str = "candidate", *, items: Any = None) -> JobScores:
    """A job of these values, NaN or None where there is none: None is a failed call of the model."""
    numbers = np.array([math.nan if value is None else value for value in values], dtype=float)
    known = numbers[np.isfinite(numbers)]
    score = {
        "name": "s", "count": known.size, "nan_count": numbers.size - known.size, "mean": float(known.mean()),
        "std_dev": float(known.std()), "variance": float(known.var()), "min": float(known.min()),
        "max": float(known.max()), "score_type": "range",
    }  # fmt: skip
    rows = pd.DataFrame(items or {"q": np.arange(numbers.size)})
    rows["s"] = numbers
    rows.attrs = {"score_columns": ["s"], "call_errors": [i for i, value in enumerate(values) if value is None]}
    return JobScores(AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [score]}]}), rows, job=name)


PROMISES = (lost_losses, thresholds, repeats, failed_calls, groups, relative_margins)


def print_promises(random: np.random.Generator, runs: int) -> int:
    """Print the table.

    :return: the number of broken promises
    """
    print("| promise | limit | runs in which it happens | without | |\n|---|---|---|---|---|")
    broken = 0
    for of_kind in PROMISES:
        for found in of_kind(random, runs):
            limit = f"≤ {found.at_most:.0%}" if found.at_most is not None else f"≥ {found.at_least:.0%}"
            without = "" if found.without is None else f"{found.without:.1%} ({found.how_without})"
            broken += found.is_broken
            mark = "BROKEN" if found.is_broken else ""
            print(f"| {found.promise} | {limit} | {found.found:.1%} | {without} | {mark} |", flush=True)
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what gates promise where data are hard.")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20240601)
    arguments = parser.parse_args()
    # The hint at repeats is meant for people.
    logging.disable(logging.WARNING)
    start = time.monotonic()
    broken = print_promises(np.random.default_rng(arguments.seed), arguments.runs)
    print(f"\n{arguments.runs:,} runs, seed {arguments.seed}, {time.monotonic() - start:.0f} s; {broken} are broken.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
