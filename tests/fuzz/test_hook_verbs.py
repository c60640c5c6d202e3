"""Every public method of the hook, with every kind of answer: a right value or an error of this package."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from hypothesis import given

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.client._choice import forget_choices
from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.store import ScoreStore
from tests.fuzz.budget import examples
from tests.fuzz.odd_answers import ODD, Odd
from tests.fuzz.pauses import no_pauses
from tests.fuzz.right_service import NAME, WORKSPACE, Service
from tests.fuzz.right_values import (
    check_error,
    check_job,
    check_jobs,
    check_name,
    check_results,
    check_rows,
    check_scores,
    check_text,
)
from tests.fuzz.test_client_verbs import APIS, BENCHMARK, FIRST, JOB, SPEC, TIMES, VARIANTS, config_of, public_methods

FAILED = BenchmarkJob(name=NAME, workspace=WORKSPACE, status="error")
EVENT = {"job_name": NAME, "workspace": WORKSPACE}
#: A verb gets an empty folder, too.
Verb = Callable[[BenchmarkHook, Path], None]


def _wait(hook: BenchmarkHook, _: Path) -> None:
    job = hook.wait_for_job(NAME, poll_interval=5, timeout=600, cancel_on_timeout=True)
    check_job(job)
    assert job.status == "completed"


def _poke(hook: BenchmarkHook, _: Path) -> None:
    assert type(hook.poke(NAME)) is bool


def _end(event: Mapping[str, Any]) -> Verb:
    return lambda hook, _: hook.finish_event({**EVENT, **event}, job_name=NAME, cancel_on_timeout=True)


def _quickly(hook: BenchmarkHook, _: Path) -> None:
    assert type(hook.cancel_job_quickly(NAME)) is bool
    assert type(hook.cancel_job_quickly(NAME, fingerprint="x")) is bool


def _tail(hook: BenchmarkHook, _: Path) -> None:
    for line in hook.tail_logs(NAME):
        check_text(line)


def _download(name: str, **arguments: Any) -> Verb:
    def download(hook: BenchmarkHook, folder: Path) -> None:
        target = folder / name
        try:
            stored = hook.download_row_scores(NAME, str(target), **arguments)
        except BaseException:
            assert not target.exists()
            raise
        assert stored.rows is not None
        assert target.exists()
        if target.is_file():
            assert stored.bytes == target.stat().st_size
            assert len(read_row_scores(str(target))) == stored.rows

    return download


def _artifacts(hook: BenchmarkHook, folder: Path) -> None:
    target = folder / "artifacts.tar.gz"
    try:
        hook.download_artifacts(NAME, str(target))
    except BaseException:
        assert not target.exists()
        raise
    assert target.exists()


def _store(hook: BenchmarkHook, folder: Path) -> None:
    store = ScoreStore(str(folder / "store"))
    try:
        stored = hook.store_job(store, NAME)
    except BaseException:
        assert not list(folder.rglob("manifest.json"))
        raise
    assert (stored.job, stored.workspace) == (NAME, WORKSPACE)
    store.scores(stored)


def _test(hook: BenchmarkHook, _: Path) -> None:
    succeeded, message = hook.test_connection()
    assert type(succeeded) is bool
    check_text(message)


VERBS: dict[str, Verb] = {
    "submit_job": lambda hook, _: check_job(hook.submit_job(SPEC, name=NAME)),
    "submit_job, of code": lambda hook, _: check_job(hook.submit_job(benchmark=BENCHMARK, name=NAME)),
    "get_job": lambda hook, _: check_job(hook.get_job(NAME)),
    "get_status": lambda hook, _: check_job(hook.get_status(NAME)),
    "list_jobs": lambda hook, _: check_jobs(hook.list_jobs(status="completed")),
    "wait_for_job": _wait,
    "finish": lambda hook, _: check_text(str(hook.finish(FAILED))),
    "finish_event, of a failed job": _end({"status": "error"}),
    "finish_event, at the deadline": _end({"status": "timed_out", "error": "JobTimeout", "message": "late"}),
    "poke": _poke,
    "cancel_job": lambda hook, _: check_job(hook.cancel_job(NAME)),
    "cancel_job_quickly": _quickly,
    "tail_logs": _tail,
    "get_dataset": lambda hook, _: check_name(hook.get_dataset(JOB)),
    "list_results": lambda hook, _: check_results(hook.list_results(NAME)),
    "get_aggregate_scores": lambda hook, _: check_scores(hook.get_aggregate_scores(NAME)),
    "iter_row_scores": lambda hook, _: check_rows(hook.iter_row_scores(NAME)),
    "download_row_scores": _download("rows.jsonl"),
    "download_row_scores, packed": _download("rows.jsonl.gz", compression="gzip"),
    "download_row_scores, Parquet": _download("rows.parquet", format="parquet", with_sample=True),
    "download_row_scores, CSV": _download("rows.csv", format="csv", with_sample=True),
    "download_row_scores, some": _download("rows.csv", format="csv", limit=2),
    "download_row_scores, parts": _download("rows", format="parquet", partition_by="reference"),
    "download_artifacts": _artifacts,
    "store_job": _store,
    "test_connection": _test,
    "job_url": lambda hook, _: check_text(hook.job_url(NAME)),
    "get_conn": lambda hook, _: check_job(hook.get_conn().get_job(NAME)),
    "client": lambda hook, _: check_job(hook.client.get_job(NAME)),
}
#: What ends in an error by right.
RAISING = {"finish", "finish_event, of a failed job"}
#: What makes no request, and what is Airflow's own.
SILENT = {"config", "workspace", "aliases", "get_ui_field_behaviour", "get_connection_form_widgets"}


def call(verb: str, service: Service, config: ClientConfig) -> None:
    """Call a verb of a hook whose connection leads to a service in process."""
    forget_choices()
    hook = BenchmarkHook()
    hook.__dict__["config"] = config  # in place of a connection
    made = lambda config: BenchmarkClient(config, httpx.MockTransport(service))
    with tempfile.TemporaryDirectory() as folder, no_pauses():
        with patch("airflow_provider_benchmarks.client.BenchmarkClient", made):
            VERBS[verb](hook, Path(folder))


def test_the_grid_has_every_verb():
    own = {name for kind in (BenchmarkHook,) for name in vars(kind) if not name.startswith("_")}
    methods = (own & public_methods(BenchmarkHook)) - SILENT
    data = {name for name in methods if isinstance(vars(BenchmarkHook)[name], str)}
    assert {name.partition(",")[0] for name in VERBS} == methods - data


@pytest.mark.parametrize("verb", VERBS)
@examples(10)
@given(odd=ODD, api=APIS, first=FIRST, times=TIMES, variant=VARIANTS)
def test_a_verb(verb, odd, api, first, times, variant):
    service = Service(api, odd, first=first, times=times, variant=variant)
    try:
        call(verb, service, config_of(api))
    except BenchmarkError as error:
        check_error(error)


@pytest.mark.parametrize("api", ["benchmark-jobs", "evaluate-jobs"])
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in RAISING])
def test_right_answers_are_right(verb, api):
    call(verb, Service(api, Odd()), config_of(api))
