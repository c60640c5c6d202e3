"""Judge stored or downloaded scores by a policy file.

Exits with 0 when the gate passes, 1 when it is missed or inconclusive, and 2 when it could not be judged, or its
verdict could not be printed.
"""

from __future__ import annotations

import argparse
import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.brief import brief_names, shortened
from airflow_provider_benchmarks.commands.output import show, to_stderr
from airflow_provider_benchmarks.commands.sheets import HTML, add_format
from airflow_provider_benchmarks.commands.stored_jobs import add_store, path_of
from airflow_provider_benchmarks.commands.verdicts import verdict_text
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.extras import REPORT, require

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates import Policy, Verdict
    from airflow_provider_benchmarks.gates.report_context import ReportContext
    from airflow_provider_benchmarks.gates.sources import FolderSource

NAME = "gate"
FAILURE = "could not judge"
EXAMPLE = "gate --policy release.yaml --candidate new/ --baseline old/"
PASSED, MISSED = 0, 1


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    scores = (
        "folder with aggregate-scores.json and row-scores.parquet or .jsonl, a file of aggregate scores, or the name "
        "of a job in the score store"
    )
    parser.add_argument("--policy", required=True, help="policy file, YAML or JSON")
    parser.add_argument("--candidate", required=True, help=scores)
    parser.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="scores to compare with, as those of the candidate: PATH for the comparisons that name no baseline, or "
        "pinned, last_passed or previous; NAME=PATH, also more than once, for those that name another. A folder that a "
        "comparison names itself needs none. A policy that compares with what is not given can't be judged, unless it "
        "says if_no_baseline",
    )
    parser.add_argument(
        "--history",
        nargs="*",
        default=[],
        help="earlier scores that passed, newest first. A policy that looks at the history can't be judged without, "
        "unless it says if_inconclusive",
    )
    add_store(parser)
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Judge, print the verdict, and return the exit code."""
    if options.format == HTML:
        require("--format html needs", *REPORT, extra="report")
    with to_stderr():
        verdict, source = _judge(options)
        text = verdict_text(verdict, options.format, lambda: _context(options.policy, source))
    show(text)
    return PASSED if verdict.passed else MISSED


def _judge(options: argparse.Namespace) -> tuple[Verdict, FolderSource]:
    from airflow_provider_benchmarks.gates.run import modules_of, run_gate
    from airflow_provider_benchmarks.gates.sources import FolderSource

    policy = _read_policy(options.policy)
    require(f"{options.policy}: confidence and comparisons need", *modules_of(policy.checks))
    _check_history(options.history, policy)
    source = FolderSource(
        checks=policy.checks,
        candidate_path=path_of(options.candidate, options),
        baseline_paths={name: path_of(path, options) for name, path in _baselines(options.baseline, policy).items()},
        history_paths=[path_of(path, options) for path in options.history],
    )
    verdict = run_gate(
        policy.checks,
        source,
        if_inconclusive=policy.if_inconclusive,
        if_no_baseline=policy.if_no_baseline,
        in_full=options.format == "html",
    )
    return verdict, source


def _read_policy(path: str) -> Policy:
    """Read the policy file.

    :raises ConfigurationError: there is none, or it holds no policy
    :raises OSError: it can't be read
    """
    from airflow_provider_benchmarks.gates import read_policy
    from airflow_provider_benchmarks.reviewed_text import MAX_BYTES
    from airflow_provider_benchmarks.scores.stored_files import open_stored, storage_errors

    try:
        with storage_errors(path), open_stored(path) as file:
            return read_policy(file.read(MAX_BYTES + 1), name=path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG):
            raise
        raise ConfigurationError(
            f"there is no policy file {shortened(path)} ({error.strerror}). Correct --policy: it is the path of a file "
            f"in YAML or JSON."
        ) from error


def _check_history(paths: Sequence[str], policy: Policy) -> None:
    """Refuse a policy that needs a history where none is given.

    :raises ConfigurationError: the policy does not say what holds without one
    """
    if paths or policy.if_inconclusive is not None:
        return
    if metrics := [c.metric for c in policy.checks if c.needs().history or c.needs().since_pin]:
        raise ConfigurationError(
            f"the policy looks at the history of {brief_names(dict.fromkeys(metrics))}, which is not given: add "
            f"--history NEW OLDER …, or let the policy say what holds without one (if_inconclusive: warn, fail or pass)"
        )


def _baselines(arguments: Sequence[str], policy: Policy) -> dict[str, str]:
    """Paths of scores, by the name of the baseline in checks; "" for those that name none.

    :param arguments: ``PATH`` or ``NAME=PATH``; a path may have a "=" too
    :raises ConfigurationError: one comes twice, or is missing and the policy does not say what holds without one
    """
    from airflow_provider_benchmarks.gates.sources import STORED_BASELINES

    names = {name for check in policy.checks if (name := check.needs().baseline) is not None}
    paths: dict[str, str] = {}
    for text in arguments:
        name = next((n for n in sorted(names, key=len, reverse=True) if n and text.startswith(f"{n}=")), "")
        path = text.removeprefix(f"{name}=") if name else text
        if not path or name in paths:
            which = f'baseline "{shortened(name)}"' if name else "baseline without a name"
            raise ConfigurationError(f"--baseline: the {which} {'is there twice' if path else 'has no path'}")
        paths[name] = path
    if "" in paths:
        paths = dict.fromkeys(names.intersection(STORED_BASELINES), paths[""]) | paths
    paths = {name: name for name in names if "/" in name} | paths
    missing = sorted(names - paths.keys())
    if missing and not policy.foresees_no_baseline:
        options = [f"--baseline {'' if name in ('', *STORED_BASELINES) else f'{name}='}PATH" for name in missing]
        wanted = shortened(" ".join(dict.fromkeys(options)), 500)
        raise ConfigurationError(
            f"the policy compares with a baseline that is not given: add {wanted}, or let the policy "
            f"say what holds without one (if_no_baseline: warn, fail or pass)"
        )
    return paths


def _context(policy: str, source: FolderSource) -> ReportContext:
    """What a report says besides the verdict; what is given as history has passed."""
    from airflow_provider_benchmarks.gates.report_context import PastJob, ReportContext

    past = (PastJob(scores=scores, outcome="pass") for scores in source.history(len(source.history_paths)))
    return ReportContext(policy=policy, history=tuple(past))
