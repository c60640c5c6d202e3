from __future__ import annotations

import errno
import zipfile

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from s3fs.utils import FileExpired

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, ResultsChanged
from airflow_provider_benchmarks.scores import read_results, read_row_scores
from airflow_provider_benchmarks.scores.results_files.files import named_if_damaged
from airflow_provider_benchmarks.scores.stored_files import filesystem_of, is_damage, open_stored, storage_errors

OF_A_CLIENT = [
    EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    NoCredentialsError(),
    ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
    type("ServiceRequestError", (Exception,), {"__module__": "azure.core.exceptions"})("no connection"),
    type("HttpError", (Exception,), {"__module__": "gcsfs.retry"})("503"),
    type("RefreshError", (Exception,), {"__module__": "google.auth.exceptions"})("expired"),
    type("ClientPayloadError", (Exception,), {"__module__": "aiohttp.client_exceptions"})("cut"),
    type("Own", (NoCredentialsError,), {})(),
]


def raised(error):
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize("error", OF_A_CLIENT, ids=lambda error: type(error).__name__)
class TestErrorsOfClients:
    def test_they_are_no_damage(self, error):
        assert not is_damage(raised(error))

    def test_they_are_oserrors_that_name_the_path(self, error):
        with pytest.raises(
            OSError, match=f"s3://b/k: the storage can't be reached, or refuses .{type(error).__name__}"
        ):
            with storage_errors("s3://b/k"):
                raise error

    def test_they_stay_so_where_damage_is_named(self, error):
        with pytest.raises(OSError, match="s3://b/k: the storage can't be reached.*Try again; then check the storage"):
            with named_if_damaged("s3://b"), named_if_damaged("s3://b/k"):
                raise error


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), zipfile.BadZipFile("x"), EOFError(), RecursionError()]
)
def test_other_errors_are_damage_and_stay_what_they_are(error):
    assert is_damage(raised(error))
    with pytest.raises(type(error)), storage_errors("s3://b/k"):
        raise error


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ENOSPC, errno.EBUSY])
def test_oserrors_of_the_storage_are_no_damage(code):
    assert not is_damage(raised(OSError(code, "x")))


def test_a_refusal_of_an_object_storage_is_no_damage():
    """EINVAL is what s3fs makes of 400 Bad Request."""
    assert not is_damage(raised(OSError(errno.EINVAL, "x")))


@pytest.mark.parametrize(
    "error",
    [
        FileExpired("b/k", "etag"),
        type("ResourceModifiedError", (Exception,), {"__module__": "azure.core.exceptions"})("412"),
    ],
)
def test_a_file_that_was_written_anew_meanwhile(error):
    with pytest.raises(IncompleteResults, match="s3://b/k was written anew while it was read. Read it again"):
        with named_if_damaged("s3://b/k"):
            raise error
    with pytest.raises(ResultsChanged, match="^s3://b/k was written anew while it was read. Read it again"):
        with storage_errors("s3://b"), storage_errors("s3://b/k"):
            raise error


@pytest.mark.parametrize("read", [filesystem_of, open_stored, read_results, read_row_scores])
def test_an_unknown_protocol(read):
    with pytest.raises(ConfigurationError, match="foo://x: nothing here opens such a URL .Protocol not known: foo"):
        read("foo://x")


@pytest.mark.parametrize("read", [read_results, read_row_scores])
def test_a_storage_that_can_t_be_reached(monkeypatch, read):
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="s3://nowhere/run: the storage can't be reached.*EndpointConnectionError"):
        read("s3://nowhere/run")
