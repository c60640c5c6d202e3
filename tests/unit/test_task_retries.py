"""Which errors end a task for good: as docs/errors.md says."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    ConfigurationError,
    GateFailed,
    GateInconclusive,
    InvalidRequest,
    JobNotFound,
    NotFound,
    ServiceError,
    Unauthorized,
)
from airflow_provider_benchmarks.operators import gates
from airflow_provider_benchmarks.operators._final_errors import as_final, fails_for_good
from airflow_provider_benchmarks.retry_policy import can_retry_mend

ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
MODEL = "Job cannot be launched. Error: Invalid payload. Errors: Evaluation Model 'm' is not reachable: {}"
FINAL = [
    ConfigurationError("x"),
    Unauthorized("x", status_code=403),
    NotFound("x", status_code=404, method="POST"),
    JobNotFound("x", status_code=404, method="POST"),
    *(InvalidRequest("x", status_code=status) for status in (400, 405, 413, 415, 422)),
    InvalidRequest("x", status_code=422, detail=MODEL.format("… because a 401 error occurred.")),
    exceptions.Conflict("x", status_code=409, method="POST"),
    exceptions.ResultsTooLarge("x"),
    exceptions.DestinationExists("x"),
    exceptions.NewerFormat("x"),
    exceptions.Unwritable("x"),
]
MENDED = [
    Unauthorized("x", status_code=401),
    NotFound("x", status_code=404, method="GET"),
    JobNotFound("x", status_code=404, method="GET"),
    InvalidRequest("x"),
    InvalidRequest("x", status_code=307),
    *(
        InvalidRequest("x", status_code=422, detail=MODEL.format(why))
        for why in ("because a 500 error occurred", "because a 429 error occurred", "timed out", "Connection refused")
    ),
    InvalidRequest("x", status_code=422, should_retry=True),
    Unauthorized("x", status_code=403, should_retry=True),
    exceptions.Conflict("x", status_code=409, method="DELETE"),
    exceptions.Conflict("x", status_code=409, method="POST", should_retry=True),
    exceptions.NameUnusable("x", status_code=409, method="POST"),
    exceptions.ServiceUnavailable("x", status_code=503),
    exceptions.ServiceUnavailable("x", status_code=503, should_retry=False),
    exceptions.ProtocolError("x", status_code=403),
    exceptions.ProtocolError("x", status_code=500),
    exceptions.JobFailed("x"),
    exceptions.JobCancelled("x"),
    exceptions.JobTimeout("x"),
    exceptions.JobError("x"),
    exceptions.IncompleteResults("x"),
    exceptions.ResultsChanged("x"),
    exceptions.NotStored("x"),
    exceptions.ScoreNotFound("x"),
]


def described(error: BenchmarkError) -> str:
    return f"{type(error).__name__} {getattr(error, 'status_code', '')} {getattr(error, 'method', '')}"


@pytest.mark.parametrize("error", FINAL, ids=described)
def test_no_retry_mends_it(error):
    assert not can_retry_mend(error)

    @fails_for_good
    def execute() -> None:
        raise error from OSError("why")

    with pytest.raises(type(error)) as caught:
        execute()
    final = caught.value
    assert isinstance(final, AirflowFailException)
    assert (str(final), vars(final), type(final).__name__) == (str(error), vars(error), type(error).__name__)
    assert isinstance(final.__cause__, OSError)
    copy = pickle.loads(pickle.dumps(final))
    assert (type(copy), str(copy), vars(copy)) == (type(final), str(final), vars(final))


@pytest.mark.parametrize("error", MENDED, ids=described)
def test_a_retry_may_mend_it(error):
    assert can_retry_mend(error)
    assert as_final(error) is error
    assert not isinstance(error, AirflowFailException)


def test_an_error_that_is_final_already_stays_as_it_is():
    for error in (gates.GateFailed("x"), gates.BaselineRefused("x"), as_final(ConfigurationError("x"))):
        assert as_final(error) is error


def test_errors_of_another_kind_pass():
    @fails_for_good
    def execute() -> None:
        raise OSError("storage")

    with pytest.raises(OSError, match="storage") as caught:
        execute()
    assert not isinstance(caught.value, AirflowFailException)


def table() -> dict[str, str]:
    """What the page says of each error, by its name."""
    section = ERRORS.read_text().split("\n## By class\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {name: row[2] for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def test_the_page_says_which():
    retried = table()
    kinds = {
        name
        for name, kind in vars(exceptions).items()
        if isinstance(kind, type) and kind.__module__ == exceptions.__name__
    }
    assert kinds - retried.keys() == {"BenchmarkError", "ServiceError"}
    for error in (*FINAL, *MENDED, GateFailed("x"), GateInconclusive("x")):
        name = type(error).__name__
        words = set(re.findall(r"\b(yes|no)\b", retried[name]))
        is_final = error in FINAL or isinstance(error, GateFailed | GateInconclusive)
        assert ("no" if is_final else "yes") in words, name
        both = {"Unauthorized", "NotFound", "JobNotFound", "InvalidRequest", "Conflict", "JobTimeout"}
        assert name in both or len(words) == 1, name
    assert isinstance(InvalidRequest("x"), ServiceError)
