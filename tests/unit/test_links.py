from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from airflow_provider_benchmarks.exceptions import NotFound
from airflow_provider_benchmarks.links import (
    BenchmarkJobLink,
    ReportLink,
    StoredScoresLink,
    link_job,
    link_path,
    storage_address,
)
from tests.support.contexts import task_context

CONSOLE = "https://console.example.com/{bucket}?prefix={key}"


@pytest.fixture
def storage(monkeypatch):
    return lambda template: monkeypatch.setenv("AIRFLOW__BENCHMARKS__STORAGE_URL", template)


class Hook:
    """Of a service whose jobs run one benchmark."""

    config = SimpleNamespace(base_url="http://127.0.0.1:1")
    workspace = "ws"

    def job_url(self, name: str) -> str:
        return f"http://127.0.0.1:1/apis/{name}"

    def get_job(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(benchmark="ws/qa")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("s3://bucket/a b/report.html", "https://console.example.com/bucket?prefix=a%20b/report.html"),
        ("s3://connection@bucket/x", "https://console.example.com/bucket?prefix=x"),
        ("/data/report.html", ""),
        ("file:///data/report.html", ""),
        ("s3://bucket/a://b", "https://console.example.com/bucket?prefix=a%3A//b"),
        ("https://user@files.example.com/x?signature=y#z", "https://files.example.com/x"),
    ],
)
def test_the_address_of_a_path(storage, path, address):
    storage(CONSOLE)
    assert storage_address(path) == address


def test_local_paths_have_an_address_where_the_template_names_no_bucket(storage):
    storage("https://files.example.com/{key}?{scheme}&{url}")
    assert storage_address("/proc/x/r.html") == "https://files.example.com/proc/x/r.html?file&/proc/x/r.html"
    assert storage_address("/proc/we://x") == "https://files.example.com/proc/we%3A/x?file&/proc/we%3A/x"


def test_paths_have_none_where_none_is_known():
    assert storage_address("s3://bucket/x") == ""


def test_the_first_path_that_has_an_address_is_linked(storage):
    storage(CONSOLE)
    context = task_context()
    assert link_path(StoredScoresLink(), context, None, "/data/x", "s3://b/x", "s3://b/y")
    assert context["ti"].xcoms == [("_link_StoredScoresLink", "https://console.example.com/b?prefix=x")]


def test_a_bad_template_makes_no_link_and_is_named(storage, caplog):
    storage("https://e.example.com/{nope}")
    context = task_context()
    with caplog.at_level(logging.WARNING):
        assert not link_path(ReportLink(), context, "s3://b/x")
    assert 'There is no link "Report": [benchmarks] storage_url = "https://e.example.com/{nope}"' in caplog.text
    assert context["ti"].xcoms == []


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("", "http://127.0.0.1:1/apis/job-1"),
        ("https://ui.example.com/{workspace}/{job_name}", "https://ui.example.com/ws/job-1"),
        ("{base_url}/ui?benchmark={benchmark}", "http://127.0.0.1:1/ui?benchmark=ws/qa"),
    ],
)
def test_the_page_of_a_job(monkeypatch, template, url):
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__JOB_URL", template)
    context = task_context()
    link_job(context, Hook(), "job-1")
    assert context["ti"].xcoms == [(BenchmarkJobLink().xcom_key, url)]


def test_a_service_that_refuses_and_an_xcom_that_fails_leave_the_task_alone(monkeypatch, caplog):
    hook, context = Hook(), task_context(on_push=lambda key: 1 / 0)
    link_job(context, hook, "job-1")
    monkeypatch.setattr(hook, "job_url", lambda name: (_ for _ in ()).throw(NotFound("no such job")))
    link_job(context, hook, "job-1")
    assert "division by zero" in caplog.text
    assert "no such job" in caplog.text
    assert context["ti"].xcoms == []
