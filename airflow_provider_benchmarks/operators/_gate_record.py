"""Write a verdict to every place that is to have it: when one fails, the others are still written."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import BenchmarkError, ConfigurationError
from airflow_provider_benchmarks.extras import REPORT, require
from airflow_provider_benchmarks.gates import Outcome, Verdict
from airflow_provider_benchmarks.gates.report_context import ReportContext
from airflow_provider_benchmarks.gates.verdict import LEFT_OUT
from airflow_provider_benchmarks.masking import safe_text
from airflow_provider_benchmarks.operators._base import max_xcom_bytes, xcom_bytes
from airflow_provider_benchmarks.retry_policy import SUBMITS, can_retry_mend
from airflow_provider_benchmarks.safe_causes import safe_cause
from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow_provider_benchmarks.store import StoredFile

REPORTS = (".md", ".html", ".json", ".xml")
#: Length of the values of items, in characters, in an XCom that would be too large otherwise.
_SHORT = 200
#: The order in which results are put into an XCom while there is room.
_ORDER = [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.PASS]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Record:
    """The places where writing a verdict failed.

    :param seconds: for which each place is tried again after faults that may pass. A task that fails for a miss is not
        retried, so what it can't write then stays lost
    """

    seconds: float = 0.0
    errors: list[tuple[str, BaseException]] = field(default_factory=list)

    def write(self, place: str, write: Callable[[], object]) -> None:
        """Write the verdict to one place.

        :param place: in words, for messages
        """
        tries = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=lambda tried: SUBMITS.pause(tried.attempt_number),
            stop=stop_before_delay(self.seconds),
            before_sleep=lambda tried: _warn_of(place, tried),
            reraise=True,
        )
        try:
            tries(write)
        except Exception as error:
            found = safe_cause(error)
            logger.error("The verdict could not be written to %s", place, exc_info=found)
            self.errors.append((place, found))

    def raise_first(self) -> None:
        """Raise the first error, so that Airflow retries the task."""
        if self.errors:
            raise self.errors[0][1]

    def __str__(self) -> str:
        """The errors, a line each; empty where there is none."""
        return "".join(
            f"\nThe verdict could not be written to {place}: {type(error).__name__}: {error}"
            for place, error in self.errors
        )


def _may_pass(error: BaseException) -> bool:
    return can_retry_mend(error) if isinstance(error, BenchmarkError) else isinstance(error, OSError)


def _warn_of(place: str, tried: RetryCallState) -> None:
    error, pause = tried.outcome and tried.outcome.exception(), tried.upcoming_sleep
    logger.warning("Writing the verdict to %s failed; trying again in %.1f s. %s", place, pause, safe_text(str(error)))


def check_report(report: Any, *, gate: str) -> None:
    """Refuse the path of a report whose format is not known, or needs packages that are not installed.

    :param gate: the gate's task id, for messages
    """
    if report is not None and not (isinstance(report, str) and report.endswith(REPORTS)):
        raise ConfigurationError(f'gate "{gate}": the report must end in {", ".join(REPORTS)}, found {brief(report)}')
    if is_html(report):
        require(f'gate "{gate}": a report in HTML needs', *REPORT, extra="report")


def is_html(report: str | None) -> bool:
    """True if a report is an HTML page, which shows more than the verdict's own data."""
    return report is not None and report.endswith(".html")


def store_report(verdict: Verdict, report: str, *, gate: str, context: Callable[[], ReportContext]) -> StoredFile:
    """Write the verdict as a page.

    :param report: path or URL that ends in one of ``REPORTS``
    :param gate: name of the gate, ``dag_id.task_id``
    :param context: collects what an HTML page says besides
    """
    from airflow_provider_benchmarks.store import Place, store_bytes
    from airflow_provider_benchmarks.views import VerdictView, html_page, junit_page

    forms: dict[str, Callable[[], str]] = {
        ".html": lambda: html_page(verdict, context()),
        ".json": lambda: json.dumps(verdict.to_dict(), indent=1),
        ".md": verdict.to_markdown,
        ".xml": lambda: junit_page(VerdictView.of(verdict), name=gate),
    }
    suffix = PurePath(report).suffix
    text = forms[suffix]()
    stored = store_bytes([text.encode()], Place(report), format=suffix.lstrip("."))
    logger.info("Report: %s", stored.path)
    return stored


def xcom_of(verdict: Verdict, *, whole: str) -> dict[str, Any]:
    """The verdict in a size that fits an XCom: one that is too large lacks long items, then rows, then results.

    :param whole: the places that have the whole verdict, in words
    """
    data: dict[str, Any] = storable(verdict.to_dict())
    if _fits(data):
        return data
    short = _with_rows(data, lambda rows: [{**row, "item": _shortened(row["item"])} for row in rows])
    short["note"] = f"Values of items are cut to {_SHORT} characters: the whole verdict is too large for an XCom."
    if _fits(short):
        return short
    without = _with_rows(data, lambda rows: [])
    without["note"] = "Rows that got worse most are left out: they are too large for an XCom."
    if _fits(without) or len(verdict.results) == 1:
        return without
    return _with_fewer_results(verdict, without, whole)


def _with_fewer_results(verdict: Verdict, data: dict[str, Any], whole: str) -> dict[str, Any]:
    """Leave out the results that there is no room for, those that passed first. At least one result remains.

    :param data: the verdict without rows
    """
    results = data["results"]

    def with_results(places: list[int]) -> dict[str, Any]:
        gone = set(range(len(results))).difference(places)
        counts = Counter(str(verdict.results[place].counts_as) for place in sorted(gone))
        parts = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        note = (
            f"{len(gone)} of {len(results)} results ({parts}), and the rows that got worse most, are left out: "
            f"they are too large for an XCom. All are in {whole}."
        )
        return {**data, LEFT_OUT: dict(counts), "note": note, "results": [results[place] for place in sorted(places)]}

    first, *others = sorted(range(len(results)), key=lambda place: _ORDER.index(verdict.results[place].outcome))
    chosen = [first]
    # The note is longest when all results but the first are left out.
    room = max_xcom_bytes() - xcom_bytes(with_results(chosen))
    for place in others:
        room -= xcom_bytes(results[place]) + len(", ")
        if room < 0:
            break
        chosen.append(place)
    return with_results(chosen)


def _with_rows(verdict: dict[str, Any], change: Callable[[list[Any]], list[Any]]) -> dict[str, Any]:
    results = [{**r, "worst": change(r["worst"])} if "worst" in r else r for r in verdict["results"]]
    return {**verdict, "results": results}


def _shortened(item: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in item.items()}
    return {name: item[name] if len(text) <= _SHORT else f"{text[:_SHORT]}…" for name, text in texts.items()}


def _fits(verdict: dict[str, Any]) -> bool:
    return xcom_bytes(verdict) <= max_xcom_bytes()
