"""Keep a verdict in every place that wants it. Each is tried by itself: one that fails takes no other with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ConfigurationError, ResultsTooLarge
from airflow_provider_benchmarks.operators._base import check_xcom_size

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates import Verdict

REPORTS = (".md", ".html", ".json")
#: Characters of each value of an item that are left in an XCom that would be too large.
_SHORT = 200

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Record:
    """Where a verdict was to be kept, and where that failed."""

    errors: list[tuple[str, Exception]] = field(default_factory=list)

    def keep(self, place: str, write: Callable[[], object]) -> None:
        """Write the verdict to one place.

        :param place: in words, for messages
        """
        try:
            write()
        except Exception as error:  # of whatever kind: the verdict is known, and must not get lost
            logger.exception("The verdict could not be written to %s", place)
            self.errors.append((place, error))

    def raise_first(self) -> None:
        """Raise what failed first, so that Airflow tries the task again."""
        if self.errors:
            raise self.errors[0][1]

    def __str__(self) -> str:
        """What failed, a line each; empty where nothing did."""
        return "".join(
            f"\nThe verdict could not be written to {place}: {type(error).__name__}: {error}"
            for place, error in self.errors
        )


def check_report(report: Any, *, gate: str) -> None:
    """Refuse the path of a report whose format is not known.

    :param gate: the gate's task id, for messages
    """
    if report is not None and not (isinstance(report, str) and report.endswith(REPORTS)):
        raise ConfigurationError(f'gate "{gate}": the report must end in {", ".join(REPORTS)}, found {report!r}')


def store_report(verdict: Verdict, report: str) -> None:
    """Write the verdict as a page."""
    from airflow_provider_benchmarks.store import store_bytes

    suffix = PurePath(report).suffix
    if suffix == ".json":
        text = json.dumps(verdict.to_dict(), indent=1)
    else:
        text = verdict.to_html() if suffix == ".html" else verdict.to_markdown()
    stored = store_bytes([text.encode()], report, format=suffix.lstrip("."))
    logger.info("Report: %s", stored.path)


def xcom_of(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict as small as an XCom may be: of one that is too large, without long items, or without rows.

    :param verdict: as :meth:`Verdict.to_dict` gives it
    """
    if _fits(verdict):
        return verdict
    short = _with_rows(verdict, lambda rows: [{**row, "item": _shortened(row["item"])} for row in rows])
    short["note"] = f"Values of items are cut to {_SHORT} characters: the whole verdict is too large for an XCom."
    if _fits(short):
        return short
    without = _with_rows(verdict, lambda rows: [])
    return {**without, "note": "Rows that got worse most are left out: they are too large for an XCom."}


def _with_rows(verdict: dict[str, Any], change: Callable[[list[Any]], list[Any]]) -> dict[str, Any]:
    results = [{**r, "worst": change(r["worst"])} if "worst" in r else r for r in verdict["results"]]
    return {**verdict, "results": results}


def _shortened(item: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in item.items()}
    return {name: item[name] if len(text) <= _SHORT else f"{text[:_SHORT]}…" for name, text in texts.items()}


def _fits(verdict: dict[str, Any]) -> bool:
    try:
        check_xcom_size(verdict, "the verdict")
    except ResultsTooLarge:
        return False
    return True
