"""Links from a task in the Airflow UI: to its job on the service, its report, its stored scores and its baseline.

A link is an XCom of the task, pushed as soon as its address is known: it works while the task runs, and after it failed
or skipped. Without an address that a browser can open there is none. A link never fails its task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom, conf

from airflow_provider_benchmarks.address_templates import BASE_URL, fields_of, filled_address, is_address
from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

logger = logging.getLogger(__name__)


class _XComLink(BaseOperatorLink):
    """A link whose address the task has pushed."""

    @property
    def xcom_key(self) -> str:
        return f"_link_{type(self).__name__}"

    def persist(self, context: Context, url: str) -> None:
        """Push the URL now, so that the link works while the task is still running."""
        context["ti"].xcom_push(key=self.xcom_key, value=storable(url))

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""


class BenchmarkJobLink(_XComLink):
    """The job: its page by ``[benchmarks] job_url``, else its URL on the service."""

    name = "Benchmark job"


class ReportLink(_XComLink):
    """The report of a gate."""

    name = "Report"


class StoredScoresLink(_XComLink):
    """The folder of the job in the score store, or the file of a download."""

    name = "Stored scores"


class BaselineLink(_XComLink):
    """What a gate has compared with: its folder in the score store, else the job."""

    name = "Baseline"


def link_job(context: Context, hook: BenchmarkHook, name: str, *, benchmark: str | None = None) -> None:
    """Link the job of a task; where the service can't be asked for its paths, the log says so.

    :param benchmark: that the job runs; None where it is not known
    """
    _link(BenchmarkJobLink(), context, lambda: job_address(hook, name, benchmark))


def link_path(link: _XComLink, context: Context, *paths: str | None) -> bool:
    """Link the first path that has an address for people.

    :return: True if there is one
    """
    return any(_link(link, context, partial(storage_address, path)) for path in paths if path)


def link_baseline(context: Context, hook: BenchmarkHook, *, folder: str | None, job: str | None) -> None:
    """Link the baseline of a gate: its folder in the score store, else the job on the service."""
    if not link_path(BaselineLink(), context, folder) and job is not None:
        _link(BaselineLink(), context, lambda: job_address(hook, job))


def has_job_pages() -> bool:
    """True if ``[benchmarks] job_url`` says where jobs have pages: then no service is asked for its paths."""
    return bool(conf.get("benchmarks", "job_url", fallback=""))


def job_address(hook: BenchmarkHook, name: str, benchmark: str | None = None) -> str:
    """The address of a job for people; the service's own where the configuration names none.

    :raises ServiceError: the service can't be asked for its paths
    """
    template = conf.get("benchmarks", "job_url", fallback="")
    if not template:
        return hook.job_url(name)
    if benchmark is None and "benchmark" in fields_of(template):
        benchmark = hook.get_job(name).benchmark
    fields = {
        BASE_URL: hook.config.base_url,
        "workspace": hook.workspace,
        "job_name": name,
        "benchmark": benchmark or "",
    }
    return filled_address(template, fields, option="[benchmarks] job_url")


def storage_address(path: str) -> str:
    """The address of a file or folder in object storage for people; empty where none is known.

    The name of an Airflow connection, and what follows a path on the web, may be secret, and are left out.

    :raises ConfigurationError: ``[benchmarks] storage_url`` can't be used
    """
    from airflow_provider_benchmarks.store import Place

    place = Place(str(path))
    scheme, _, rest = ("", "", place.location) if place.is_local else place.location.partition("://")
    if scheme in ("http", "https"):
        address = urlsplit(place.location)._replace(query="", fragment="").geturl()
        return address if is_address(address) else ""
    template = conf.get("benchmarks", "storage_url", fallback="")
    bucket, _, key = ("", "", rest.lstrip("/")) if place.is_local else rest.partition("/")
    if not template or (not bucket and "bucket" in fields_of(template)):
        return ""
    fields = {"url": place.location, "scheme": scheme or "file", "bucket": bucket, "key": key}
    return filled_address(template, fields, option="[benchmarks] storage_url")


def _link(link: _XComLink, context: Context, address: Callable[[], str]) -> bool:
    try:
        if not (url := address()):
            return False
        link.persist(context, url)
    except Exception as error:  # noqa: BLE001  whatever it is, the task's own work must go on
        logger.warning('There is no link "%s": %s', link.name, error)
        return False
    return True
