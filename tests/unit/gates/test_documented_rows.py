"""The numbers of rows that docs/cookbook.md names are those that the package itself computes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.differences import paired_difference, rows_to_decide
from airflow_provider_benchmarks.gates.statistics.proportions import exact_lower
from tests.support.airflow_runs import REPOSITORY

POWER, ALPHA = 0.8, 0.05


def _table(heading: str) -> list[tuple[str, int, int]]:
    """The cells of the table whose head begins so: of each the row's name, the column's percentage, and the number."""
    page = (REPOSITORY / "docs" / "cookbook.md").read_text()
    section = page.split("\n### How many rows\n")[1].split("\n### ")[0]
    head, _, *rows = (
        line.strip("| ").split(" | ")
        for line in f"| {heading}{section.split(f'| {heading}')[1]}".split("\n\n")[0].splitlines()
    )
    columns = [int("".join(filter(str.isdigit, name))) for name in head[1:]]
    return [
        (row[0], column, int(cell.replace(",", "")))
        for row in rows
        for column, cell in zip(columns, row[1:], strict=True)
    ]


def _rounded(rows: int) -> int:
    """Up to two digits."""
    unit = 10 ** max(0, len(str(rows)) - 2)
    return -(-rows // unit) * unit


@pytest.mark.parametrize(("changed", "margin", "rows"), _table("answers that change"))
def test_rows_that_prove_a_margin(changed, margin, rows):
    n = 40
    flipped = n // int(changed.removeprefix("1 in ")) // 2
    baseline = np.ones(n)
    baseline[:flipped] = 0
    candidate = baseline.copy()
    candidate[:flipped], candidate[flipped : 2 * flipped] = 1, 0
    difference = paired_difference(candidate, baseline, margin=margin / 100, confidence=1 - ALPHA)
    needed = rows_to_decide(difference, margin=margin / 100, confidence=1 - ALPHA, assumed=0.0)
    assert _rounded(needed) == rows


@pytest.mark.parametrize(("bar", "above", "rows"), _table("bar"))
def test_rows_that_clear_a_bar(bar, above, rows):
    """With so many rows and some more, and not with a fifth fewer, a model passes in 80 % of runs."""
    at_least, mean = float(bar), float(bar) + above / 100

    def power(n: int) -> float:
        passes = exact_lower(np.arange(n + 1), np.full(n + 1, n), alpha=np.full(n + 1, ALPHA)) >= at_least
        return float(stats.binom.sf(np.argmax(passes) - 1, n, mean))

    assert min(power(n) for n in range(rows, rows + 20)) >= POWER - 0.005
    assert power(round(rows * 0.8)) < POWER
