"""Scores, verdicts and the time that jobs take as metrics of Airflow's own, where ``[benchmarks] metrics`` is on.

A backend that has tags (Datadog, OpenTelemetry, StatsD in the style of InfluxDB) gets them as tags. Plain StatsD drops
tags: there they are parts of the name. Both have the characters and the length that Airflow lets through. No value of
an item is in either. Sending can't fail a task.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.exceptions import JobCancelled, JobFailed, JobTimeout

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.gates import Verdict
    from airflow_provider_benchmarks.scores import AggregateScores

#: Airflow lets 250 characters through, tags in the style of InfluxDB included.
_MAX_LENGTH = 250
#: Of a part that is cut, this many characters tell it from others that begin alike.
_HASH_LENGTH = 8
_ODD = re.compile(r"[^A-Za-z0-9_-]")
#: These separate the parts of names and references: what differs by nothing else is rare, and need not be told apart.
_SEPARATORS = re.compile(r"[./ ]")
#: How a job ended, by what ends the wait for it.
_ENDS = {JobFailed: "error", JobCancelled: "cancelled", JobTimeout: "timed_out"}

logger = logging.getLogger(__name__)


def send_scores(context: Context, scores: AggregateScores | None, *, workspace: str, benchmark: str) -> None:
    """Send the means of a job's scores, the first 50; one that is NaN or not known is not sent.

    :param scores: None where they could not be read
    :param benchmark: that the job has run; empty where that is not known, and scores have no name then
    """
    with _sending() as is_on:
        if not is_on or scores is None or not benchmark:
            return
        from airflow_provider_benchmarks.scores.json_values import is_number
        from airflow_provider_benchmarks.scores.means import MAX_MEANS

        for score in scores.scores[:MAX_MEANS]:
            if not is_number(score.mean):
                continue
            tags = {"dag_id": context["ti"].dag_id, "workspace": workspace, "benchmark": benchmark}
            _send("gauge", "benchmarks.score.mean", score.mean, {**tags, "metric": score.metric, "score": score.name})


def send_verdict(context: Context, verdict: Verdict) -> None:
    """Count a gate's verdict, and send the number of its checks by outcome."""
    with _sending() as is_on:
        if not is_on:
            return
        from airflow_provider_benchmarks.gates import Outcome

        tags = {**_task(context), "workspace": verdict.workspace, "benchmark": verdict.benchmark}
        _send("incr", "benchmarks.gate.verdicts", 1, {**tags, "outcome": verdict.outcome})
        found = Counter(result.outcome for result in verdict.results)
        for outcome in Outcome:
            _send("gauge", "benchmarks.gate.checks", found[outcome], {**tags, "outcome": outcome})


@contextmanager
def timed_job(context: Context, *, submitted: float | None, workspace: str, benchmark: str | None) -> Iterator[None]:
    """Send how long a job took from its submit until its end was noticed in the block, and how it ended.

    What leaves the block otherwise than a job's end does, such as a deferral, sends nothing.

    :param submitted: seconds since the epoch; None where that is not known
    """

    def send(status: str) -> None:
        with _sending() as is_on:
            if is_on and submitted is not None:
                tags = {**_task(context), "workspace": workspace, "benchmark": benchmark or "", "status": status}
                took = timedelta(seconds=max(time.time() - submitted, 0.0))
                _send("timing", "benchmarks.job.duration", took, tags)

    try:
        yield
    except tuple(_ENDS) as error:
        send(next(_ENDS[kind] for kind in type(error).__mro__ if kind in _ENDS))
        raise
    send("completed")


def submitted_at(created_at: datetime | None) -> float | None:
    """Seconds since the epoch, for :func:`timed_job`; None where the service does not say."""
    return None if created_at is None else created_at.timestamp()


@contextmanager
def _sending() -> Iterator[bool]:
    """Whether metrics are on; an error of the setting or in the block is logged."""
    is_on = False
    try:
        is_on = conf.getboolean("benchmarks", "metrics", fallback=False)
    except Exception as error:  # noqa: BLE001
        logger.warning("No metrics are sent: %r", error)
    try:
        yield is_on
    except Exception as error:  # noqa: BLE001
        logger.warning("A metric was not sent: %r", error)


def _task(context: Context) -> dict[str, str]:
    return {"dag_id": context["ti"].dag_id, "task_id": context["ti"].task_id}


def _send(method: str, name: str, value: Any, tags: Mapping[str, str]) -> None:
    """Send one metric.

    :param tags: in an order that stays: it is that of the parts of a name
    """
    from airflow.providers.common.compat.sdk import Stats

    if _has_tags():
        room = _MAX_LENGTH - len(name) - sum(len(f",{key}=") for key in tags)
        getattr(Stats, method)(name, value, tags=dict(zip(tags, _fitting(tags.values(), room), strict=True)))
        return
    parts = _fitting(tags.values(), _MAX_LENGTH - len(name) - len(tags))
    getattr(Stats, method)(".".join([name, *parts]), value)


def _has_tags() -> bool:
    """Whether the backend that Airflow sends metrics to keeps tags; Airflow takes the first one that is on."""
    if _is_on("statsd_datadog_enabled"):
        return _is_on("statsd_datadog_metrics_tags", default=True)
    return _is_on("statsd_influxdb_enabled" if _is_on("statsd_on") else "otel_on")


def _is_on(option: str, *, default: bool = False) -> bool:
    return bool(conf.getboolean("metrics", option, fallback=default))


def _fitting(values: Iterable[str], room: int) -> list[str]:
    """The values as parts of a name, cut where they are longer together than there is room."""
    texts = [str(value) for value in values]
    whole = [_part(text, _MAX_LENGTH) for text in texts]
    return whole if sum(map(len, whole)) <= room else [_part(text, room // len(texts)) for text in texts]


def _part(text: str, limit: int) -> str:
    """A text in the characters of names of metrics; one that is cut, or has odd characters, ends in its hash."""
    plain = _SEPARATORS.sub("_", text) or "-"
    if len(plain) <= limit and not _ODD.search(plain):
        return plain
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    return f"{_ODD.sub('_', plain)[: limit - _HASH_LENGTH - 1]}-{digest}"
