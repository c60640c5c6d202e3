"""What tests of 0/1 scores see, by exact enumeration: ``python benchmarks/zero_one_power.py`` prints it in Markdown.

Every outcome that there can be is tested, by ours and by other tests that keep their level, and the probabilities of
the significant ones are added up: no random numbers. A row has the worst of its cells, the one where ours sees least in
comparison with the best of the others. Of pairs the share is that of gains, of sides the candidate's.

The command fails if ours errs more often than its level under any value of the other share, or sees more than 3 points
less than the best of the others in any cell. Two columns are for information: mid-p does not keep its level, and the
order by likelihood ratios wins up to 24 points where no row at all gains, and loses up to 16 where few do.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from airflow_provider_benchmarks.gates.statistics import exact_shares
from airflow_provider_benchmarks.gates.statistics.exact_shares import Design
from airflow_provider_benchmarks.gates.statistics.share_designs import Pairs, Sides

Array = NDArray[np.float64]
Significant = dict[str, NDArray[np.bool_]]
ALPHAS = (0.05, 0.005)
#: True drops beyond the margin; the powers of interest lie between.
DROPS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4)
#: True drops where a drop of the margin is to be excluded: none, or little.
PROVED = (0.0, 0.01, -0.01)
#: Powers of our test may be lower than the best reference's by this.
ALLOWED = 0.03
#: Values of the other share at which the others' largest error is looked for, and at which ours is.
SHARES, OUR_SHARES = 240, 1_000
INFORMATION = ("likelihood ratio", "mid-p")


class Outcomes:
    """All outcomes of a design, and how probable they are under a margin."""

    def __init__(self, design: Design, margin: float) -> None:
        self.design, self.margin = design, margin
        i, j = (counts.ravel() for counts in np.indices((design.most[0] + 1, design.most[1] + 1)).astype(float))
        possible = j <= design.most_j(i)
        self.i, self.j = i[possible], j[possible]
        self.null = np.exp(design.log_probability(self.i, self.j, self._shares(SHARES), margin))

    def _shares(self, count: int) -> Array:
        low, high = self.design.limits(self.margin)
        return low + (high - low) * np.sin(np.linspace(0, np.pi / 2, count)) ** 2

    def power(self, significant: NDArray[np.bool_], share: float, drop: float) -> float:
        chosen = self.i[significant], self.j[significant]
        return float(np.exp(self.design.log_probability(*chosen, np.array([share]), drop)).sum())

    def size(self, significant: NDArray[np.bool_]) -> float:
        """The largest probability of an error."""
        chosen = self.i[significant], self.j[significant]
        parts = np.array_split(self._shares(OUR_SHARES), 20)
        return max(
            float(np.exp(self.design.log_probability(*chosen, part, self.margin)).sum(axis=0).max()) for part in parts
        )

    def p_values(self, order: Array) -> Array:
        """The unconditional p-values of an order, in which larger values are more extreme."""
        ranked = np.argsort(-order, kind="stable")
        largest = np.cumsum(self.null[ranked], axis=0).max(axis=1)
        return np.asarray(largest[np.searchsorted(-order[ranked], -order + 1e-9, side="right") - 1])

    def estimated(self, order: Array) -> Array:
        """The p-values of an order at the likeliest value of the other share: Lloyd's E step."""
        ranked = np.argsort(-order, kind="stable")
        cumulated = np.cumsum(self.null[ranked], axis=0)
        last = np.searchsorted(-order[ranked], -order + 1e-9, side="right") - 1
        likeliest = self.design.likeliest_share(self.i, self.j, self.margin)
        shares = self._shares(SHARES)
        right = np.clip(np.searchsorted(shares, likeliest), 1, shares.size - 1)
        weight = (likeliest - shares[right - 1]) / (shares[right] - shares[right - 1])
        return np.asarray(cumulated[last, right - 1] * (1 - weight) + cumulated[last, right] * weight)


def conditional_p_values(outcomes: Outcomes) -> Array:
    """Exact conditional p-values without a margin: McNemar's of pairs, Fisher's of sides."""
    design, i, j = outcomes.design, outcomes.i, outcomes.j
    if isinstance(design, Pairs):
        return np.asarray(special.bdtrc(j - 1, (i + j).astype(np.int64), 0.5) * (j > 0) + (j <= 0))
    from scipy import stats

    return np.asarray(stats.hypergeom.sf(j - 1, sum(design.most), i + j, design.most[1]))


def p_values(outcomes: Outcomes) -> dict[str, Array]:
    """P-values of the other tests."""
    at = outcomes.i, outcomes.j, outcomes.margin
    likeliest = outcomes.design.likeliest_share(*at)
    score = outcomes.design.score(*at, likeliest)
    root = np.sign(score) * np.sqrt(np.maximum(outcomes.design.deviance(*at, likeliest), 0))
    found = {
        "score, unconditional": outcomes.p_values(score),
        "E + M of the score": outcomes.p_values(-outcomes.estimated(score)),
        "likelihood ratio": outcomes.p_values(root),
    }
    if outcomes.margin == 0:
        conditional = conditional_p_values(outcomes)
        found |= {"conditional": conditional, "Boschloo": outcomes.p_values(-conditional)}
        found["mid-p"] = conditional - _of_the_outcome(outcomes) / 2
    return found


def _of_the_outcome(outcomes: Outcomes) -> Array:
    """The conditional probability of each outcome."""
    design, i, j = outcomes.design, outcomes.i, outcomes.j
    from scipy import stats

    if isinstance(design, Pairs):
        return np.asarray(stats.binom.pmf(j, i + j, 0.5))
    return np.asarray(stats.hypergeom.pmf(j, sum(design.most), i + j, design.most[1]))


def cells(design: Design, margin: float) -> Iterator[tuple[float, float]]:
    """Shares of i, and true drops beyond the margin."""
    shares = (0.0, 0.01, 0.05) if isinstance(design, Pairs) else (0.05, 0.5, 0.8, 0.95)
    for share in shares:
        for drop in (margin + more for more in DROPS) if margin >= 0 else PROVED:
            low, high = design.limits(drop)
            if low <= share <= high:
                yield share, drop


def rows_of(design: Design, margin: float) -> Iterator[tuple[list[str], bool]]:
    """A table's rows, and whether ours keeps its promise in each."""
    outcomes = Outcomes(design, margin)
    others = p_values(outcomes)
    for alpha in ALPHAS:
        fewest = exact_shares.critical_region(design, margin, alpha, is_refined=True).fewest
        ours = outcomes.j >= fewest[outcomes.i.astype(int)]
        significant = {name: found <= alpha for name, found in others.items()}
        size, worst = outcomes.size(ours), None
        for share, drop in cells(design, margin):
            powers = {name: outcomes.power(which, share, drop) for name, which in significant.items()}
            mine = outcomes.power(ours, share, drop)
            behind = max(power for name, power in powers.items() if name not in INFORMATION) - mine
            # Where ours sees most everywhere: the cell where the tests differ most, as powers near 0 and 1 do not.
            rank = round(behind, 3), -abs(mine - 0.5)
            if worst is None or rank > worst[0]:
                worst = rank, behind, share, drop, mine, powers
        assert worst is not None
        _, behind, share, drop, mine, powers = worst
        figures = [f"{powers[name]:.1%}" if name in powers else "–" for name in COLUMNS]
        keeps = size <= alpha * (1 + 1e-5) and behind <= ALLOWED
        cell = [_name(design), f"{margin:g}", f"{alpha:g}", f"{size:.3%}", f"{share:g}", f"{drop:g}", f"{mine:.1%}"]
        yield [*cell, *figures, f"{max(behind, 0) * 100:.1f}"], keeps


COLUMNS = ("score, unconditional", "E + M of the score", "conditional", "Boschloo", *INFORMATION)


def _name(design: Design) -> str:
    return f"{design.n} pairs" if isinstance(design, Pairs) else f"{design.candidate_n} and {design.baseline_n} rows"


def main() -> int:
    parser = argparse.ArgumentParser(description="What tests of 0/1 scores see, by exact enumeration.")
    parser.add_argument("--quick", action="store_true", help="leave the largest samples out")
    arguments = parser.parse_args()
    start = time.monotonic()
    designs: list[Design] = [*map(Pairs, (10, 20, 50, 100, 200)), Sides(20, 20), Sides(50, 50), Sides(40, 100)]
    if arguments.quick:
        designs = [design for design in designs if design.outcomes < 3_000]
    print("| rows | margin | level | errs at most | share | true drop | ours | " + " | ".join(COLUMNS), end="")
    print(" | behind the best, points |\n" + "|---" * (len(COLUMNS) + 8) + "|")
    broken = 0
    for design in designs:
        for margin in (0.0, 0.02, 0.05, -0.02, -0.05):
            for row, keeps in rows_of(design, margin):
                broken += not keeps
                print("| " + " | ".join(row) + " |" + ("" if keeps else " **broken**"), flush=True)
    print(f"\n{time.monotonic() - start:.0f} s; ours errs too often or sees too little in {broken} rows.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
