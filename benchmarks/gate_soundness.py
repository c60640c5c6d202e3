"""How often gates err: ``python benchmarks/gate_soundness.py [--releases 2000] [--quick]`` prints a table in Markdown.

Every cell simulates releases: a baseline and a candidate with n rows each. A row has a difficulty, a normal variable
that both sides share in part (so that their scores correlate as the cell says), and clusters of five rows share in part
too. The score is a step of that variable (0/1, 1 to 5) or a smooth, skewed function of it (0 to 1). A drop makes all
rows harder for the candidate by the same amount, chosen such that the mean falls by what the cell asks for.

The bounds are those of ``paired_difference``, computed for all releases of a cell at once; some releases of every cell
are compared with the function itself. Of 0/1 scores only which differences are significant is computed, as exact bounds
of thousands of releases would take too long. ``zero_one_power.py`` has exact figures for them.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from gate_promises import print_promises
from numpy.typing import NDArray
from scipy import optimize, special

from airflow_provider_benchmarks.gates.statistics import (
    Difference,
    exact_shares,
    mean_bounds,
    paired_difference,
    skewed_means,
    unseen_values,
)

Array = NDArray[np.float64]
ALPHA = 0.05
CHECKS = 10
#: Margins of "prove", as shares of the score's range; the table has the worst of them.
MARGINS = (0.02, 0.05, 0.1)
#: Variance that rows of one cluster share.
SHARED = 0.3
#: Releases of each cell whose reported detectable drop is asked for, and that are compared with the public function; of
#: 0/1 scores fewer, as exact bounds take a tenth of a second.
REPORTED, REPORTED_BINARY = 150, 100


@dataclass(frozen=True)
class Score:
    name: str
    of: Callable[[Array], Array]
    range: float
    is_binary: bool = False

    def mean(self, shift: float) -> float:
        return float(self.of(_QUANTILES - shift).mean())

    def shift_for(self, drop: float) -> float:
        """Find how much harder rows must get for the mean to fall by ``drop``."""
        top = self.mean(0.0)
        return float(optimize.brentq(lambda shift: top - self.mean(shift) - drop, 0.0, 9.0)) if drop else 0.0

    def latent_correlation(self, correlation: float) -> float:
        """Find the correlation of the normal variables that gives the scores the one that is asked for."""
        grid = special.ndtri((np.arange(500) + 0.5) / 500)
        first = self.of(grid)

        def excess(latent: float) -> float:
            moved = self.of(latent * grid[:, None] + math.sqrt(1 - latent**2) * grid[None, :])
            return float(np.corrcoef(np.repeat(first, 500), moved.ravel())[0, 1]) - correlation

        return float(optimize.brentq(excess, 0.0, 0.9999)) if correlation else 0.0


_QUANTILES = special.ndtri((np.arange(200_000) + 0.5) / 200_000)
_LIMITS = np.array([-1.6, -0.9, -0.2, 0.7])
SCORES = (
    Score("0/1", lambda row: (row > -0.5244).astype(float), 1.0, is_binary=True),
    Score("1 to 5", lambda row: 1.0 + np.digitize(row, _LIMITS), 4.0),
    Score("continuous", lambda row: special.ndtr(row + 0.7), 1.0),
)


@dataclass(frozen=True)
class Cell:
    score: Score
    n: int
    correlation: float
    cluster_size: int = 1

    @property
    def name(self) -> str:
        return self.score.name

    @property
    def promises_power(self) -> bool:
        """The spread between ten clusters is too uncertain to say what could have been seen."""
        return self.cluster_size == 1 or self.n // self.cluster_size > 10

    @property
    def clusters(self) -> str:
        return f"{self.n // self.cluster_size} of {self.cluster_size}" if self.cluster_size > 1 else "none"

    def releases(self, random: np.random.Generator, count: int, latent: float, drop: float) -> tuple[Array, Array]:
        """Draw candidates and baselines, one release a row; the means differ by ``drop``."""
        baseline, noise = (self._rows(random, count) for _ in range(2))
        candidate = latent * baseline + math.sqrt(1 - latent**2) * noise - self.score.shift_for(drop)
        return self.score.of(candidate), self.score.of(baseline)

    def _rows(self, random: np.random.Generator, count: int) -> Array:
        rows = random.standard_normal((count, self.n))
        if self.cluster_size == 1:
            return rows
        shared = np.repeat(random.standard_normal((count, self.n // self.cluster_size)), self.cluster_size, axis=1)
        return math.sqrt(SHARED) * shared + math.sqrt(1 - SHARED) * rows

    def shows_larger(self, candidate: Array, baseline: Array, drop: float, alpha: float) -> NDArray[np.bool_]:
        """Say which releases ``paired_difference`` shows to have a larger drop."""
        larger = np.ones(len(candidate), dtype=bool)
        if not self._is_of_pairs:
            mean, error, skewness, values = self._moments(candidate, baseline)
            upper = skewed_means.bounds(mean, error, skewness, values.shape[1], alpha=alpha)[1]
            larger = upper < -drop
            spread = self._spread(candidate, baseline)
            for release in np.flatnonzero(error == 0):
                sample = unseen_values.Sample.of(-values[release])
                larger[release] = unseen_values.lower_bound(sample, -spread[release], alpha=alpha) > drop
        if self.score.is_binary:
            gains, losses = self._gains_and_losses(candidate, baseline)
            larger &= losses >= self._fewest(drop, alpha)[gains]
        return larger

    def shows_smaller(self, candidate: Array, baseline: Array, drop: float, alpha: float) -> NDArray[np.bool_]:
        """Say which releases ``paired_difference`` shows to have a smaller drop."""
        smaller = np.ones(len(candidate), dtype=bool)
        if not self._is_of_pairs:
            mean, error, skewness, values = self._moments(candidate, baseline)
            lower = skewed_means.bounds(mean, error, skewness, values.shape[1], alpha=alpha)[0]
            smaller = lower > -drop
            # The other bound is lower where this one is none: it need not be asked for there.
            asked = np.flatnonzero(smaller)
            spread = self._spread(candidate, baseline)[asked]
            smaller[asked] = p_values_with_unseen(values[asked], -spread, -drop) <= alpha
        if self.score.is_binary:
            gains, losses = self._gains_and_losses(candidate, baseline)
            smaller &= gains >= self._fewest(-drop, alpha)[losses]
        return smaller

    @property
    def _is_of_pairs(self) -> bool:
        return self.score.is_binary and self.cluster_size == 1

    def _moments(self, candidate: Array, baseline: Array) -> tuple[Array, Array, Array, Array]:
        """Of the differences: mean, error and skewness, and the values; with clusters of one size they are means."""
        values = (candidate - baseline).reshape(len(candidate), -1, self.cluster_size).mean(axis=2)
        return *skewed_means.moments(values), values

    def _spread(self, candidate: Array, baseline: Array) -> Array:
        """The range that the scores of each release may have."""
        if self.score.is_binary:
            return np.ones(len(candidate))
        sides = np.concatenate([candidate, baseline], axis=1)
        units = self.n / self.cluster_size
        return np.array([mean_bounds.possible_range(units, float(s.min()), float(s.max())) for s in sides])

    def _gains_and_losses(self, candidate: Array, baseline: Array) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        differences = candidate - baseline
        return (differences > 0).sum(axis=1), (differences < 0).sum(axis=1)

    def _fewest(self, margin: float, alpha: float) -> NDArray[np.int_]:
        """By number of gains the fewest losses that are significant; below a margin of 0 the other way round."""
        return exact_shares.critical_region(exact_shares.Pairs(self.n), margin, alpha, is_refined=True).fewest


@dataclass(frozen=True)
class RareLosses(Cell):
    """A drop is a few rows that lose everything; all others change by noise, or not at all.

    :param noise: standard deviation of the change of the others
    """

    noise: float = 0.0

    @property
    def name(self) -> str:
        return f"few rows lose all, others ± {self.noise:g}"

    @property
    def promises_power(self) -> bool:
        """What could be seen is told of drops of all rows."""
        return False

    def releases(self, random: np.random.Generator, count: int, latent: float, drop: float) -> tuple[Array, Array]:
        baseline = random.random((count, self.n))
        lost = random.random((count, self.n)) < drop
        return baseline - lost + self.noise * random.standard_normal((count, self.n)), baseline


@dataclass(frozen=True)
class Repeats(RareLosses):
    """Five repeats of each item with 0/1 scores, averaged; a drop is a few items that fail in all of them."""

    @property
    def name(self) -> str:
        return "0/1, 5 repeats an item, few items lose all"

    def releases(self, random: np.random.Generator, count: int, latent: float, drop: float) -> tuple[Array, Array]:
        baseline, candidate = (random.binomial(5, 0.9, (count, self.n)) / 5 for _ in range(2))
        lost = random.random((count, self.n)) < drop / 0.9
        return np.where(lost, 0.0, candidate), baseline


@dataclass(frozen=True)
class CloseTogether(RareLosses):
    """Scores that lie close together, of which a few lose nearly all: nothing that is seen tells how much."""

    @property
    def name(self) -> str:
        return "0.95 ± 0.01, few rows lose 0.9"

    def releases(self, random: np.random.Generator, count: int, latent: float, drop: float) -> tuple[Array, Array]:
        candidate, baseline = random.normal(0.95, 0.01, (2, count, self.n))
        return candidate - 0.9 * (random.random((count, self.n)) < drop / 0.9), baseline


@dataclass(frozen=True)
class LognormalLosses(RareLosses):
    """All rows lose, by amounts of which a few are many times as large as most; what is lost is the margin."""

    @property
    def name(self) -> str:
        return "lognormal losses"

    def releases(self, random: np.random.Generator, count: int, latent: float, drop: float) -> tuple[Array, Array]:
        losses = random.lognormal(0, 1, (count, self.n)) * (drop / math.exp(0.5))
        return -losses, np.zeros((count, self.n)) if drop else -losses[::-1]


@dataclass
class Figures:
    """Shares of releases, by name of the column."""

    cell: Cell
    values: dict[str, float] = field(default_factory=dict)


def measure(cell: Cell, random: np.random.Generator, releases: int) -> Figures:
    latent = cell.score.latent_correlation(cell.correlation)
    figures = Figures(cell)
    null = cell.releases(random, releases, latent, 0.0)
    figures.values |= _without_change(cell, random, releases, latent, null)
    figures.values |= _with_a_drop(cell, random, releases, latent)
    figures.values["covers"] = min(figures.values.pop("covers with a drop"), _coverage(cell, *null, 0.0))
    reported = REPORTED_BINARY if cell.score.is_binary else REPORTED
    compared = [_by_the_public_function(cell, *(side[i] for side in null)) for i in range(min(reported, releases))]
    for name, alpha in (("power", ALPHA), ("power, 10 checks", ALPHA / CHECKS)):
        drop = float(np.median([found.detectable(alpha) for found in compared if found is not None]))
        figures.values[name] = math.nan
        if drop < cell.score.mean(0.0) - cell.score.mean(9.0):
            changed = cell.releases(random, releases, latent, drop)
            figures.values[name] = float((_blocks(cell, *changed, alpha)).mean())
    return figures


def _without_change(
    cell: Cell, random: np.random.Generator, releases: int, latent: float, first: tuple[Array, Array]
) -> dict[str, float]:
    blocked = {name: np.zeros(releases, dtype=bool) for name in ("ours", *PRACTICES)}
    values: dict[str, float] = {}
    for check in range(CHECKS):
        sides = first if check == 0 else cell.releases(random, releases, latent, 0.0)
        if check == 0:
            values["blocks, 1 check"] = float(_blocks(cell, *sides, ALPHA).mean())
        # Holm rejects something exactly when the smallest p-value is under alpha / 10.
        blocked["ours"] |= _blocks(cell, *sides, ALPHA / CHECKS)
        for name, practice in PRACTICES.items():
            blocked[name] |= practice(*sides, cell.score.range)
            if check == 0:
                values[f"blocks, 1 check, {name}"] = float(blocked[name].mean())
    values["blocks, 10 checks"] = float(blocked["ours"].mean())
    return values | {f"blocks, 10 checks, {name}": float(blocked[name].mean()) for name in PRACTICES}


def _with_a_drop(cell: Cell, random: np.random.Generator, releases: int, latent: float) -> dict[str, float]:
    passed, covers = [], []
    values: dict[str, float] = {}
    for share in MARGINS:
        margin = share * cell.score.range
        sides = cell.releases(random, releases, latent, 1.001 * margin)
        passed.append(float(cell.shows_smaller(*sides, margin, ALPHA).mean()))
        covers.append(_coverage(cell, *sides, 1.001 * margin))
        if share == 0.05:
            values |= {
                f"lets through, {name}": float(1 - practice(*sides, cell.score.range).mean())
                for name, practice in PRACTICES.items()
            }
    return values | {"lets through": max(passed), "covers with a drop": min(covers)}


def _blocks(cell: Cell, candidate: Array, baseline: Array, alpha: float) -> NDArray[np.bool_]:
    return cell.shows_larger(candidate, baseline, 0.0, alpha)


def _coverage(cell: Cell, candidate: Array, baseline: Array, drop: float) -> float:
    larger = cell.shows_larger(candidate, baseline, drop, ALPHA / 2)
    return float((~larger & ~cell.shows_smaller(candidate, baseline, drop, ALPHA / 2)).mean())


def _by_the_public_function(cell: Cell, candidate: Array, baseline: Array) -> Difference | None:
    """Give the difference that is reported, None where it cannot judge; and see that it is the simulation's."""
    clusters = np.arange(cell.n) // cell.cluster_size if cell.cluster_size > 1 else None
    result = paired_difference(candidate, baseline, margin=0.0, confidence=1 - ALPHA, clusters=clusters)
    for alpha, ends in ((ALPHA, (result.lower, result.upper)), (ALPHA / 2, result.interval)):
        shows = cell.shows_larger, cell.shows_smaller
        mine = [bool(show(candidate[None], baseline[None], 0.0, alpha)[0]) for show in shows]
        if mine != [ends[1] < 0, ends[0] > 0]:
            raise AssertionError(f"{cell}: the simulation has {mine}, paired_difference {ends}")
    return result if result.problem is None else None


def p_values_with_unseen(values: Array, lowest: Array, limit: float) -> Array:
    """P-values of means of the limit or less, as ``unseen_values.p_value`` computes them, of all samples at once."""
    least = np.minimum(lowest, values.min(axis=1))[:, None]
    span = values.max(axis=1)[:, None] - least
    distances = np.concatenate([np.zeros_like(least), (values - least) / span], axis=1)
    share = ((limit - least) / span)[:, 0]
    low, high = np.full(len(values), -20.0), np.full(len(values), 60.0)
    for _ in range(45):
        middle = (low + high) / 2
        weights = 1 / (1 + distances * np.exp(middle)[:, None])
        is_above = (weights * distances).sum(axis=1) / weights.sum(axis=1) > share
        low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
    tilt = np.exp(high)[:, None]
    growth = 1 + distances * tilt
    scale = 1 + share * tilt[:, 0]
    logarithm = np.log(growth).sum(axis=1) - distances.shape[1] * np.log(scale)
    root = -np.sqrt(2 * np.maximum(logarithm, 0.0))
    variance = (((distances - share[:, None]) * scale[:, None] / growth) ** 2).sum(axis=1)
    standardised = -tilt[:, 0] / scale * np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.exp(-(root**2) / 2) / math.sqrt(2 * math.pi)
        found = special.ndtr(root) + density * (1 / root - 1 / standardised)
    found = np.where(root > -1e-3, 0.5, found)
    found = np.where(share >= distances.mean(axis=1), 1.0, found)
    return np.asarray(np.where(share <= 0, 0.0, found))


def _unpaired_t(candidate: Array, baseline: Array, score_range: float) -> NDArray[np.bool_]:
    n = candidate.shape[1]
    error = np.sqrt((candidate.var(axis=1) + baseline.var(axis=1)) / (n - 1))
    difference = candidate.mean(axis=1) - baseline.mean(axis=1)
    return np.asarray(difference < special.stdtrit(2 * n - 2, ALPHA) * error)


#: What people do now: when is a candidate blocked?
PRACTICES: dict[str, Callable[[Array, Array, float], NDArray[np.bool_]]] = {
    "mean": lambda candidate, baseline, score_range: candidate.mean(axis=1) < baseline.mean(axis=1) - 1e-12,
    "mean − 1 point": lambda candidate, baseline, score_range: (
        candidate.mean(axis=1) < baseline.mean(axis=1) - 0.01 * score_range - 1e-12
    ),
    "unpaired t": _unpaired_t,
}


def cells(*, quick: bool) -> Iterator[Cell]:
    for score in SCORES:
        for n in (50, 200) if quick else (50, 200, 1000):
            for correlation in (0.0, 0.5, 0.9):
                for cluster_size in (1, 5):
                    yield Cell(score, n, correlation, cluster_size)
    # The hard ones: hardly any pair differs, or there are hardly any clusters.
    for score in SCORES:
        yield Cell(score, 50, 0.98)
        yield Cell(score, 50, 0.5, 10)
    for n in (50, 200):
        for noise in (0.01, 0.05):
            yield RareLosses(SCORES[2], n, 0.0, noise=noise)
        yield Repeats(SCORES[2], n, 0.0)
    for n in (20, 50, 300):
        yield CloseTogether(SCORES[2], n, 0.0)
        yield LognormalLosses(SCORES[2], n, 0.0)


def failures(figures: Figures, releases: int) -> list[str]:
    """Name what misses its level by more than three standard errors of the simulation."""
    rare = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / releases)
    values = figures.values
    missed = [name for name in ("blocks, 1 check", "blocks, 10 checks", "lets through") if values[name] > rare]
    if values["covers"] < 1 - rare:
        missed.append("covers")
    for name in ("power", "power, 10 checks"):
        if figures.cell.promises_power and abs(values[name] - 0.8) > 0.04 + 3 * math.sqrt(0.16 / releases):
            missed.append(name)
    return missed


COLUMNS = {
    "blocks, 1 check": "unchanged blocked",
    "blocks, 10 checks": "same, 10 checks",
    "lets through": "drop past the margin let through",
    "covers": "interval covers",
    "power": "power at the reported drop",
    "power, 10 checks": "same, 10 checks",
    "blocks, 1 check, mean": "mean ≥ baseline: unchanged blocked",
    "blocks, 10 checks, mean": "same, 10 checks",
    "lets through, mean": "5-point drop let through",
    "blocks, 1 check, mean − 1 point": "mean ≥ baseline − 1 point: unchanged blocked",
    "blocks, 10 checks, mean − 1 point": "same, 10 checks",
    "lets through, mean − 1 point": "5-point drop let through",
    "blocks, 1 check, unpaired t": "unpaired t: unchanged blocked",
    "blocks, 10 checks, unpaired t": "same, 10 checks",
    "lets through, unpaired t": "5-point drop let through",
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how often gates err.")
    parser.add_argument("--releases", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="leave the cells with 1,000 rows out")
    parser.add_argument("--seed", type=int, default=20240601)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    start = time.monotonic()
    print("| scores | n | correlation | clusters | " + " | ".join(COLUMNS.values()) + " | misses |")
    print("|---" * (len(COLUMNS) + 5) + "|")
    missed = 0
    for cell in cells(quick=arguments.quick):
        figures = measure(cell, random, arguments.releases)
        misses = failures(figures, arguments.releases)
        missed += bool(misses)
        shares = ["–" if math.isnan(figures.values[name]) else f"{figures.values[name]:.1%}" for name in COLUMNS]
        row = [cell.name, f"{cell.n:,}", f"{cell.correlation}", cell.clusters, *shares, ", ".join(misses) or "–"]
        print("| " + " | ".join(row) + " |", flush=True)
    print("\nPromises where data are hard:\n")
    missed += print_promises(random, arguments.releases // 2)
    print(
        f"\n{arguments.releases:,} releases a cell, seed {arguments.seed}, {time.monotonic() - start:.0f} s; ", end=""
    )
    print(f"{missed} cells miss a level by more than three standard errors of the simulation.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
