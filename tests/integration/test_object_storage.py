"""All-or-nothing writes on a real S3 server, through Airflow's own filesystem and an Airflow connection."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.store import Place, atomic_write
from tests.support.s3_server import BUCKET


class Killed(BaseException):
    """Stands for whatever ends a process in the middle of a write."""


SMALL = 1000
SEVERAL_PARTS = 20 * 1024 * 1024


@pytest.mark.parametrize("size", [0, SMALL, SEVERAL_PARTS])
def test_an_object_appears_when_the_block_ends(s3, size):
    key = f"whole-{size}.bin"
    with atomic_write(Place(f"s3://{BUCKET}/{key}", "aws_scores")) as file:
        file.write(b"x" * size)
        assert key not in s3.list_keys()
    assert s3.read(key) == b"x" * size
    assert s3.unfinished_uploads() == []


@pytest.mark.parametrize("error", [ValueError, Killed])
@pytest.mark.parametrize("size", [SMALL, SEVERAL_PARTS])
def test_an_error_leaves_the_old_object_and_nothing_else(s3, size, error):
    key = f"broken-{size}-{error.__name__}.bin"
    s3.client.put_object(Bucket=BUCKET, Key=key, Body=b"old")
    with pytest.raises(error), atomic_write(Place(f"s3://{BUCKET}/{key}", "aws_scores")) as file:
        file.write(b"x" * size)
        raise error
    assert s3.read(key) == b"old"
    assert s3.unfinished_uploads() == []
