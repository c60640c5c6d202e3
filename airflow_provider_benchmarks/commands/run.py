"""Run a benchmark, wait until its job has ended, and print the scores.

The service is that of an Airflow connection, which may be in the environment, as AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT.
Exits with 0 when the job has completed or need not be waited for, 1 when it has ended in any other way or not in time,
and 2 when it could not be run, has scored nothing, or its scores could not be read or printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.commands.output import print_to, show, to_stderr
from airflow_provider_benchmarks.commands.sheets import add_format, shown
from airflow_provider_benchmarks.commands.show import scores_sheet
from airflow_provider_benchmarks.connection_fields import not_found
from airflow_provider_benchmarks.durations import seconds_of
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, JobError

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import Submission
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

NAME = "run"
FAILURE = "could not run"
EXAMPLE = "run --benchmark benchmarks/qa-bench.yaml --param limit_samples=100"
COMPLETED, NOT_COMPLETED = 0, 1
_DEFAULT_CONN_ID = "nemo_evaluator_default"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--benchmark",
        required=True,
        metavar="FILE",
        help="benchmark file, YAML or JSON; or WORKSPACE/NAME of one that the service has stored",
    )
    parser.add_argument("--model", help="for an online job: WORKSPACE/NAME, or a JSON object with url and name")
    parser.add_argument("--prompt-template", help="of the requests to the model: a text, or a JSON object")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of the job, such as limit_samples=100; also more than once. VALUE is JSON, or else a text",
    )
    parser.add_argument("--name", help="name of the job; default: a generated one")
    parser.add_argument("--conn-id", default=_DEFAULT_CONN_ID, help=f"Airflow connection; default: {_DEFAULT_CONN_ID}")
    parser.add_argument("--workspace", help="workspace of the job; default: the connection's")
    parser.add_argument("--store", help="folder of a score store that the scores go into: a local path or a URL")
    parser.add_argument("--no-wait", action="store_true", help="print the job's name as soon as it is submitted")
    parser.add_argument("--poll-interval", type=float, default=30, help="seconds between two polls; default: 30")
    parser.add_argument("--timeout", type=float, help="maximum seconds to wait; default: no limit. The job goes on")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Run the benchmark, print its scores, and return the exit code."""
    if options.no_wait and options.store:
        raise ConfigurationError("--store needs the job's scores: leave --no-wait out")
    seconds_of(options.poll_interval, "--poll-interval")
    if options.timeout is not None:
        seconds_of(options.timeout, "--timeout")
    try:
        with to_stderr():
            page = _result(options)
    except JobError as error:
        print_to(str(error), sys.stderr)
        return NOT_COMPLETED
    show(page())
    return COMPLETED


def _result(options: argparse.Namespace) -> Callable[[], str]:
    """Run the benchmark, and return what makes the text to be printed.

    :raises JobError: the job has not completed, or not in time
    """
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

    hook = BenchmarkHook(options.conn_id, workspace=options.workspace)
    _require_connection(hook)
    submission = _submit(hook, options)
    job = submission.job
    if options.no_wait:
        return partial(str, job.name)
    done = "submitted" if submission.created else f"attached to what was submitted before ({job.status}):"
    print_to(f"{done} {job}: {hook.job_url(job.name)}", sys.stderr)
    hook.wait_for_job(job.name, poll_interval=options.poll_interval, timeout=options.timeout)
    if options.store:
        from airflow_provider_benchmarks.commands.progress import WatchedRows
        from airflow_provider_benchmarks.hooks.downloads import store_job
        from airflow_provider_benchmarks.store import ScoreStore

        store_job(WatchedRows(hook.client, job.name), ScoreStore(options.store))
    scores = hook.get_aggregate_scores(job.name)
    if not scores.has_values:
        raise IncompleteResults(
            f"nothing of {job} could be scored: its rows and its log on the service have the reasons"
        )
    return partial(shown, [scores_sheet(scores)], options.format, scores.to_records())


def _submit(hook: BenchmarkHook, options: argparse.Namespace) -> Submission:
    from airflow_provider_benchmarks.benchmarks import requested, unread_model

    runs = requested(
        None,
        options.benchmark,
        model=_model(options.model),
        prompt_template=_json_or_text(options.prompt_template, "--prompt-template"),
        params=_params(options.param),
    )
    if (problem := unread_model(runs)) is not None:
        print_to(f"warning: {problem}", sys.stderr)
    return hook.client.submit_job(runs, name=options.name)


def _require_connection(hook: BenchmarkHook) -> None:
    """Refuse a connection that does not exist.

    :raises ConfigurationError: says what to do
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        _ = hook.config
    except AirflowNotFoundException as error:
        raise ConfigurationError(f"--conn-id: {not_found(hook.conn_id)}") from error


def _model(text: str | None) -> Any:
    """A reference as it is, or a JSON object.

    :raises ConfigurationError: it begins as JSON does, and is no object
    """
    model = _json_or_text(text, "--model")
    if isinstance(model, str) and model.lstrip().startswith(("{", "[")):
        raise ConfigurationError(f"--model is no reference, and no JSON object either: {shortened(model)}")
    return model


def _json_or_text(text: str | None, option: str) -> Any:
    """A JSON object as one, and every other text as it is: a template such as ``{{item.question}}`` is no JSON."""
    value = None if text is None else _json(text, option)
    return value if isinstance(value, dict) else text


def _json(text: str, option: str) -> Any:
    """JSON as its value, and every other text as it is.

    :raises ConfigurationError: it is nested too deep to be read
    """
    try:
        return json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        raise ConfigurationError(f"{option} is nested too deep: {shortened(text, 40)}") from None


def _params(arguments: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not name or not equals or name in params:
            problem = "is there twice" if name in params else "has no NAME=VALUE"
            raise ConfigurationError(f'--param: "{argument}" {problem}')
        params[name] = _json(text, f"--param {name}")
    return params
