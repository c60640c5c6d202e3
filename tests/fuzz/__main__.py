"""Run the fuzz tests for a time, with new random seeds again and again: ``make fuzz``.

An example that fails is kept in ``.build/fuzz`` and tried first in the next run. What is printed of it, its seed among
it, is enough to try it elsewhere: ``FUZZ_FACTOR=6 pytest tests/fuzz --hypothesis-seed=SEED``.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

#: How many times as many examples as in ``make test`` one round tries: a round takes some minutes.
FACTOR = 6


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="time after which no further round begins")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--factor", type=int, default=FACTOR)
    chosen = parser.parse_args()
    ends = time.monotonic() + 60 * chosen.minutes
    with ThreadPoolExecutor(chosen.processes) as pool:
        rounds = [pool.submit(_rounds, ends, chosen.factor) for _ in range(chosen.processes)]
        failed = [seed for each in rounds for seed in each.result()]
    print(f"Seeds of rounds that failed: {', '.join(map(str, failed)) or 'none'}.")
    return bool(failed)


def _rounds(ends: float, factor: int) -> list[int]:
    """Run rounds until the time is over. Return the seeds of those that failed."""
    failed = []
    while (left := ends - time.monotonic()) > 0:
        seed = random.SystemRandom().randrange(2**32)
        if _fails(seed, factor, left):
            failed.append(seed)
    return failed


def _fails(seed: int, factor: int, seconds: float) -> bool:
    """Run one round, the tests in an order of its own; one that the end of the time stops has not failed."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--hypothesis-seed={seed}", "tests/fuzz"]
    environment = {**os.environ, "FUZZ_FACTOR": str(factor), "FUZZ_SEED": str(seed), "FUZZ_SECONDS": f"{seconds:.0f}"}
    run = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    summary = run.stdout.strip().rpartition("\n")[2]
    print(f"seed {seed}: {summary}", flush=True)
    if run.returncode:
        print(run.stdout, flush=True)
    return bool(run.returncode)


if __name__ == "__main__":
    sys.exit(main())
