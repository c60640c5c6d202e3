"""The hook on the local service, through real Airflow connections."""

from __future__ import annotations

import json
import logging
import math
import re
import tarfile
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    IncompleteResults,
    JobCancelled,
    JobFailed,
    JobTimeout,
    NotFound,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.testing import EvaluationService, Fault
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE


@pytest.fixture
def hook(service):
    return BenchmarkHook()


@pytest.fixture
def connect_as(monkeypatch):
    """Define the connection ``mine``."""

    def define(**fields):
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({"conn_type": "nemo_evaluator", **fields}))
        return BenchmarkHook("mine")

    return define


def names_in(archive: Path) -> list[str]:
    with tarfile.open(archive) as opened:
        return opened.getnames()


def test_a_job_from_submit_to_frames(hook, tmp_path):
    job = hook.submit_job(SPEC, name="job-1")
    assert hook.wait_for_job(job.name, poll_interval=0.05, timeout=60).status == "completed"
    assert hook.get_job("job-1").benchmark == BENCHMARK
    assert [job.name for job in hook.list_jobs(status="completed")] == ["job-1"]
    assert hook.get_aggregate_scores("job-1").get("exact-match").mean == 0.6
    assert [row.item["output"] for row in hook.iter_row_scores("job-1", limit=1)] == ["The answer is 4"]
    assert hook.tail_logs("job-1", lines=2)[-1]
    stored = hook.download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
    assert (stored.rows, stored.bytes) == (5, (tmp_path / "rows.jsonl").stat().st_size)
    hook.download_artifacts("job-1", str(tmp_path / "artifacts.tar.gz"))
    assert names_in(tmp_path / "artifacts.tar.gz")


def test_the_requests_of_a_poll_are_no_lines_of_the_log(hook, caplog):
    with caplog.at_level(logging.INFO):
        hook.test_connection()
    assert [record.name for record in caplog.records if record.name.startswith("httpx")] == []


class TestWaiting:
    def test_a_failed_job_raises_its_reason(self, hook, service):
        service.fail_jobs(BENCHMARK, "Job exited with code 1", root_error="'context' is undefined on row 17")
        hook.submit_job(SPEC, name="job-1")
        with pytest.raises(JobFailed) as caught:
            hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)
        assert str(caught.value).startswith(
            "'context' is undefined on row 17\n"
            f'benchmark job "job-1" of benchmark {BENCHMARK} in workspace "my-workspace" ended in error. Last'
        )
        assert "Last log lines:" in str(caught.value)

    def test_a_cancelled_job_is_an_error(self, hook, service):
        service.hold_jobs("active")
        hook.submit_job(SPEC, name="job-1")
        hook.cancel_job("job-1")
        with pytest.raises(JobCancelled):
            hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)

    def test_a_job_that_takes_too_long(self, hook, service):
        service.hold_jobs("active")
        hook.submit_job(SPEC, name="job-1")
        with pytest.raises(JobTimeout, match="did not end in time; last seen: "):
            hook.wait_for_job("job-1", poll_interval=0.05, timeout=0.3)

    @pytest.mark.parametrize(
        "arguments", [{"timeout": math.nan}, {"timeout": math.inf}, {"timeout": "5"}, {"poll_interval": math.nan}]
    )
    def test_a_wait_that_would_never_end_is_refused(self, hook, arguments):
        (name,) = arguments
        with pytest.raises(ConfigurationError, match=f"{name} must be"):
            hook.wait_for_job("job-1", **{"poll_interval": 0.05, **arguments})

    def test_a_job_that_is_not_there(self, hook):
        with pytest.raises(NotFound):
            hook.wait_for_job("none", poll_interval=0.05, timeout=60)

    def test_an_unknown_status_word_is_waited_through(self, hook, service):
        hook.submit_job(SPEC, name="job-1")
        service.pin_status(WORKSPACE, "job-1", "archiving")

        def unpin_after_three_polls() -> None:
            while sum(request.path.endswith("/job-1/status") for request in service.requests) < 3:
                time.sleep(0.01)
            service.pin_status(WORKSPACE, "job-1", None)

        unpinning = threading.Thread(target=unpin_after_three_polls, daemon=True)
        unpinning.start()
        seconds = timedelta(seconds=0.05), timedelta(minutes=1)
        assert hook.wait_for_job("job-1", poll_interval=seconds[0], timeout=seconds[1]).status == "completed"
        unpinning.join(timeout=60)

    def test_a_service_that_fails_for_a_while_is_waited_for(self, hook, service):
        hook.submit_job(SPEC, name="job-1")
        for fault in (Fault.answer(500), Fault.answer(503), Fault.drop_connection(), Fault.malformed(b"<html>")):
            service.inject(fault.on("GET", "*/job-1*", times=1))
        assert hook.wait_for_job("job-1", poll_interval=0.05, timeout=60).status == "completed"

    def test_progress_is_logged_when_it_changes(self, hook, service, capsys):
        service.set_job_seconds(1.0)
        hook.submit_job(SPEC, name="job-1")
        hook.wait_for_job("job-1", poll_interval=0.02, timeout=60)
        lines = [line.partition("job-1: ")[2] for line in capsys.readouterr().out.splitlines()]
        said = [line.partition(", submitted 0:00:")[0] for line in lines if ", submitted 0:00:" in line]
        assert said[-1] == "completed, 100 %, 5 samples"
        assert len(said) == len(set(said)) > 2


class TestDownload:
    def test_fewer_rows_than_the_aggregates_count_are_not_stored(self, hook, service, tmp_path):
        aggregate = {"results": [{"metric": "my-workspace/m", "scores": [{"name": "m", "count": 3, "nan_count": 1}]}]}
        rows = [{"row_index": i, "item": {}, "sample": {}, "metrics": {}, "requests": []} for i in range(3)]
        service.give_results(BENCHMARK, aggregate=aggregate, rows=rows)
        hook.submit_job(SPEC, name="job-1")
        hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)
        with pytest.raises(
            IncompleteResults, match=r'benchmark job "job-1".*there are 3 rows, but the aggregate scores count 4'
        ):
            hook.download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
        assert list(tmp_path.iterdir()) == []

    def test_a_dropped_connection_is_gone_on_from(self, hook, service, tmp_path):
        hook.submit_job(SPEC, name="job-1")
        hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)
        cut = service.inject(Fault.cut_body(after_bytes=500).on("GET", "*/filesets/*/-/results/*", times=2))
        assert hook.download_row_scores("job-1", str(tmp_path / "rows.jsonl")).rows == 5
        assert cut.fired == 2

    def test_artifacts_begin_again_after_a_drop(self, hook, service, tmp_path, monkeypatch):
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0.5")
        hook.submit_job(SPEC, name="job-1")
        hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)
        fault = Fault.cut_body(after_bytes=100).on("GET", "*/artifacts/download", times=None)
        service.inject(fault)
        with pytest.raises(ServiceUnavailable):
            hook.download_artifacts("job-1", str(tmp_path / "a.tar.gz"))
        assert list(tmp_path.iterdir()) == []
        service.clear_faults()
        service.inject(Fault.cut_body(after_bytes=100).on("GET", "*/artifacts/download", times=2))
        hook.download_artifacts("job-1", str(tmp_path / "a.tar.gz"))
        assert names_in(tmp_path / "a.tar.gz")


class TestConnection:
    def test_what_was_reached(self, hook, service):
        ok, message = hook.test_connection()
        assert ok
        assert message.startswith("Reached NeMo Evaluator 0.1 (benchmark-jobs, platform version ")
        assert f"{service.url} under /apis/evaluation" in message
        assert 'workspace "my-workspace"' in message

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"host": ""}, 'connection "mine": no host: set it to the service\'s base URL'),
            ({"host": "127.0.0.1:1"}, "got no answer from http://127.0.0.1:1"),
            ({"host": "{url}/prefix"}, "Check the connection's host|check the connection's host"),
            ({"host": "{url}", "extra": {"workspace": "none"}}, "Workspace 'none' not found"),
            ({"host": "{url}", "password": "junk"}, "Set a valid API token"),
            (
                {"host": "{url}", "extra": {"timeout": "soon"}},
                'extra "timeout" must be a number of seconds, found "soon"',
            ),
            ({"host": "{url}", "extra": {"api": "evaluate-job"}}, 'evaluate-jobs. Did you mean "evaluate-jobs"'),
            ({"host": "{url}", "extra": {"verify": "/no/ca.pem"}}, '"/no/ca.pem" does not exist'),
            ({"host": "{url}", "extra": {"headers": "X: 1"}}, 'extra "headers" must be a JSON object'),
            ({"host": "{url}", "extra": {"headers": "[" * 9999}}, 'extra "headers" must be a JSON object'),
            ({"host": "{url}", "extra": {"headers": {"Ünï": "1"}}}, '"Ünï" can\'t be the name of an HTTP header'),
            ({"host": "{url}", "extra": {"headers": {"X": 1}}}, 'extra "headers" must be a JSON object'),
        ],
    )
    def test_what_to_mend(self, connect_as, service, fields, message):
        fields = {**fields, "host": fields["host"].format(url=service.url)}
        ok, said = connect_as(**fields).test_connection()
        assert not ok
        assert re.search(message, said), said

    def test_a_gateway_that_hides_all_but_the_service_s_own_paths(self, hook, service):
        for path in ("/health/ready", "/cluster-info"):
            service.inject(Fault.answer(404, body=b"<html>nginx</html>").on("GET", path, times=None))
        ok, message = hook.test_connection()
        assert ok, message
        assert message.startswith("Reached NeMo Evaluator 0.1 (benchmark-jobs, platform version unknown)")

    def test_an_address_that_is_none_of_them_says_what_was_tried(self, hook, service):
        service.inject(Fault.answer(404, body=b"<html>nginx</html>").on("GET", "*", times=None))
        ok, message = hook.test_connection()
        assert not ok
        assert all(f"GET /apis/{name}/" in message for name in ("evaluation", "evaluator", "evals"))

    @pytest.mark.parametrize("password", [" s3cret\n", "Bearer s3cret", "bearer: s3cret "])
    def test_the_token_and_headers_of_the_connection_are_used(self, connect_as, password):
        with EvaluationService(token="s3cret") as service:
            service.seed_question_answer_example()
            hook = connect_as(
                host=service.url,
                password=password,
                extra={"workspace": WORKSPACE, "headers": '{"X-Gateway": " k3y "}', "verify": "false", "timeout": "7"},
            )
            assert hook.test_connection()[0]
            assert hook.config.timeout == 7.0
            assert hook.config.verify is False
            headers = {key.lower(): value for key, value in service.requests[-1].headers.items()}
            assert (headers["authorization"], headers["x-gateway"]) == ("Bearer s3cret", "k3y")

    @pytest.mark.parametrize(
        ("fields", "url"),
        [
            ({"host": "https://e.example.com/"}, "https://e.example.com"),
            ({"host": "https://e.example.com/base/"}, "https://e.example.com/base"),
            ({"host": "e.example.com"}, "https://e.example.com"),
            ({"host": "e.example.com", "schema": "http", "port": 8080}, "http://e.example.com:8080"),
            ({"host": "https://e.example.com/base", "port": 8443}, "https://e.example.com:8443/base"),
            ({"host": "https://e.example.com:1", "port": 8443}, "https://e.example.com:1"),
            ({"host": "localhost", "port": 8080}, "http://localhost:8080"),
            ({"host": "127.8.0.1:80/base"}, "http://127.8.0.1:80/base"),
            ({"host": "[::1]", "port": 8080}, "http://[::1]:8080"),
            ({"host": "localhost.corp.example"}, "https://localhost.corp.example"),
            ({"host": "localhost-eval.corp.example", "port": 80}, "https://localhost-eval.corp.example:80"),
            ({"host": "127.evil.example"}, "https://127.evil.example"),
            ({"host": "::1", "port": 8080}, "http://[::1]:8080"),
            ({"host": "2001:db8::1"}, "https://[2001:db8::1]"),
            ({"host": "http://[2001:db8::1]:8080/base"}, "http://[2001:db8::1]:8080/base"),
            ({"host": "http://2001:db8::1", "port": 8080}, "http://[2001:db8::1]:8080"),
            ({"host": "e.example.com", "schema": "gateway"}, "https://e.example.com/gateway"),
            ({"host": "e.example.com", "schema": "HTTP/gateway/a"}, "http://e.example.com/gateway/a"),
            ({"host": "e.example.com", "schema": "http://"}, "http://e.example.com"),
            ({"host": "https://e.example.com/a", "schema": "b", "port": 1}, "https://e.example.com:1/a/b"),
            ({"conn_type": "http", "host": "e.example.com"}, "http://e.example.com"),
            ({"conn_type": "http", "host": "e.example.com", "schema": "https"}, "https://e.example.com"),
            ({"conn_type": "https", "host": "localhost", "schema": "gateway"}, "https://localhost/gateway"),
        ],
    )
    def test_the_base_url_in_all_its_forms(self, connect_as, fields, url):
        assert connect_as(**fields).config.base_url == url

    def test_a_connection_as_a_url(self, monkeypatch):
        monkeypatch.setenv(
            "AIRFLOW_CONN_MINE", "nemo-evaluator://:s3cret@e.example.com:8443/https?workspace=qa&timeout=5"
        )
        config = BenchmarkHook("mine").config
        assert (config.base_url, config.token, config.workspace) == ("https://e.example.com:8443", "s3cret", "qa")
        assert config.timeout == 5.0

    @pytest.mark.parametrize(
        ("uri", "url"),
        [
            ("http://host:8080", "http://host:8080"),
            ("https://host/gateway", "https://host/gateway"),
            ("https://host:8443/gateway/a", "https://host:8443/gateway/a"),
            ("https://host/http/v1", "https://host/http/v1"),
            ("https://host/https/v1", "https://host/https/v1"),
            ("https://host/http", "https://host/http"),
            ("http://host:8080/https/v1", "http://host:8080/https/v1"),
            ("http://host:8080/http/v1", "http://host:8080/http/v1"),
            ("nemo-evaluator://https://host/http/v1", "https://host/http/v1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://[2001:db8::1]:8080/gateway", "https://[2001:db8::1]:8080/gateway"),
            ("nemo-evaluator://[2001:db8::1]:8080", "https://[2001:db8::1]:8080"),
            ("nemo-evaluator://host:8080/http", "http://host:8080"),
            ("nemo-evaluator://host:8080/gateway", "https://host:8080/gateway"),
            ("nemo-evaluator://http://host:8080", "http://host:8080"),
            ("nemo-evaluator://https://host:8080/gateway", "https://host:8080/gateway"),
            ("nemo-evaluator://https%3A%2F%2Fhost%2Fgateway", "https://host/gateway"),
            ("nemo-evaluator://host", "https://host"),
        ],
    )
    def test_a_url_of_a_connection_is_what_it_says(self, monkeypatch, uri, url):
        for credentials in ("", ":t0ken-of-it@"):
            scheme, _, rest = uri.rpartition("://")
            monkeypatch.setenv("AIRFLOW_CONN_MINE", f"{scheme}://{credentials}{rest}?workspace=qa")
            config = BenchmarkHook("mine").config
            assert (config.base_url, config.workspace) == (url, "qa")
            assert config.token == (credentials[1:-1] or None)

    @pytest.mark.parametrize(
        ("fields", "warning"),
        [
            (
                {"host": "https://e.example.com:1", "port": 8443},
                "the host has the port 1, the port field 8443: the host",
            ),
            ({"host": "e.example.com:1", "port": 8443}, "the host has the port 1"),
            ({"host": "http://[::1]:1", "port": 8443}, "the host has the port 1"),
            (
                {"host": "http://e.example.com", "schema": "https"},
                'the host begins with "http://", the schema is "https"',
            ),
            ({"extra": {"timeuot": 5}}, 'the extra has an unknown key "timeuot". Did you mean "timeout"?'),
            ({"extra": {"Headers": {}}}, 'unknown key "Headers". Did you mean "headers"?'),
            (
                {"extra": {"api_key": "x"}},
                'unknown key "api_key", which is not read: it belongs into the connection\'s pass',
            ),
            (
                {"extra": {"zzz\n::group::": 1}},
                '"zzz : :group::"; known: workspace, verify, timeout, min_download_speed, api, headers',
            ),
            ({"host": "https://e.example.com/apis"}, 'the host has the path "/apis"'),
            ({"host": "https://e.example.com/apis/evaluation/v2"}, 'the host has the path "/apis"'),
            ({"password": "Bearer t0ken"}, 'the password is a token alone, without "Bearer"'),
            ({"password": "bearer-t0ken"}, None),
            ({"host": "https://e.example.com:8443", "port": 8443}, None),
            ({"host": "e.example.com", "port": 8443, "schema": "https", "extra": {"workspace": "w"}}, None),
        ],
    )
    def test_what_is_warned_of(self, connect_as, caplog, monkeypatch, fields, warning):
        from airflow_provider_benchmarks.hooks import connection

        monkeypatch.setattr(connection, "_warned", set())
        for _ in range(2):
            assert connect_as(**{"host": "e.example.com", **fields}).config
        ours = [each for each in caplog.records if each.name.startswith("airflow_provider_benchmarks")]
        found = [each.getMessage() for each in ours if each.levelname == "WARNING"]
        assert (warning in found[0]) if warning else not found
        if "extra" in fields:
            assert len(found) <= 1

    def test_credentials_in_a_host_are_shown_nowhere(self, connect_as, caplog):
        with pytest.raises(ConfigurationError, match="must not hold credentials") as caught:
            assert connect_as(host="https://me:pa55word@e.example.com", port=8443).config
        assert "pa55word" not in f"{caught.value} {caplog.text}"

    @pytest.mark.parametrize("extra", ["[1]", '"x"', "5", "{", "null"])
    def test_an_extra_that_is_no_object(self, connect_as, extra):
        hook = connect_as(host="e.example.com", extra=extra)
        try:
            hook.get_connection("mine")
        except AirflowNotFoundException:  # Airflow 3.0 does not take it for a connection
            return
        if extra == "null":
            assert hook.config
            return
        with pytest.raises(ConfigurationError, match="the extra must be a JSON object"):
            assert hook.config

    def test_the_workspace_of_the_task_wins(self, service):
        assert BenchmarkHook().workspace == WORKSPACE
        assert BenchmarkHook(workspace="other").workspace == "other"

    def test_secrets_are_masked(self, connect_as, service):
        from airflow.providers.common.compat.sdk import redact

        hook = connect_as(host=service.url, password="s3cret-token", extra={"headers": {"X-Odd": "h3ader-value "}})
        assert hook.config
        shown = redact("s3cret-token and h3ader-value")
        assert "s3cret-token" not in str(shown)
        assert "h3ader-value" not in str(shown)


def test_a_format_that_is_not_known(hook, tmp_path):
    with pytest.raises(ConfigurationError, match='unknown format of row scores "xml"; known: jsonl, parquet, csv'):
        hook.download_row_scores("job-1", str(tmp_path / "rows"), format="xml")
