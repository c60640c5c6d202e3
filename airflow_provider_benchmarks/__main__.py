"""Run a gate from a shell: ``python -m airflow_provider_benchmarks gate --policy release.yaml --candidate FOLDER``.

Exits with 0 when the gate passes, 1 when it is missed or inconclusive, and 2 when it could not be judged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from airflow_provider_benchmarks.exceptions import BenchmarkError

PASSED, MISSED, NOT_JUDGED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, print the verdict, and give the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _gate(options)
    except (BenchmarkError, OSError) as error:
        print(f"could not judge: {error}", file=sys.stderr)
        return NOT_JUDGED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    gate = commands.add_parser("gate", help="judge stored or downloaded scores by a policy file")
    scores = "folder with aggregate-scores.json and row-scores.parquet or .jsonl, or a file of aggregate scores"
    gate.add_argument("--policy", required=True, help="policy file, YAML or JSON")
    gate.add_argument("--candidate", required=True, help=scores)
    gate.add_argument("--baseline", help=scores)
    gate.add_argument("--history", nargs="*", default=[], help="earlier scores that passed, newest first")
    gate.add_argument("--format", choices=["table", "markdown", "html", "json"], default="table")
    return parser


def _gate(options: argparse.Namespace) -> int:
    import fsspec

    from airflow_provider_benchmarks.gates import evaluate, read_policy
    from airflow_provider_benchmarks.gates.loading import load_both, load_scores, with_items

    with fsspec.open(options.policy, "rb") as file:
        policy = read_policy(file.read(), name=options.policy)
    candidate, baseline, rows_path = load_both(options.candidate, options.baseline, policy.checks)
    verdict = evaluate(
        policy.checks,
        candidate,
        baseline,
        history=[load_scores(path, policy.checks)[0] for path in options.history],
        if_inconclusive=policy.if_inconclusive,
        if_no_baseline=policy.if_no_baseline,
    )
    if rows_path is not None:
        verdict = with_items(verdict, rows_path)
    texts = {"table": verdict.to_table, "markdown": verdict.to_markdown, "html": verdict.to_html}
    if options.format == "json":
        print(json.dumps(verdict.to_dict(), indent=1))
    else:
        print(f"{verdict.summary}\n{texts['table']()}" if options.format == "table" else texts[options.format]())
    return PASSED if verdict.passed else MISSED


if __name__ == "__main__":
    sys.exit(main())
