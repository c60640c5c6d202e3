"""Storage that refuses, dies or is left in the middle of a write: the old object or the new one, never a part of one.

Against a real S3 server through Airflow's own filesystem, with a proxy between them for the faults, and on local disk.
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from s3fs.core import S3File

from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.scores.selected_rows import read_items
from airflow_provider_benchmarks.store import Place, RowFormat, ScoreStore, atomic_write, store_rows
from tests.support.faulty_s3 import DROP, DROP_ANSWER, FaultyS3
from tests.support.s3_server import BUCKET, S3Server
from tests.support.stored_rows import line

PART = 8 * 1024 * 1024
OLD = b"old" * 1000
SMALL = 1000
SEVERAL_PARTS = 3 * PART


@pytest.fixture(scope="module")
def s3():
    with S3Server() as server:
        yield server


@pytest.fixture
def proxy(s3):
    with FaultyS3(s3.url) as between:
        yield between
    for upload in s3.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()):
        s3.client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])


@pytest.fixture
def storage(proxy, monkeypatch):
    """The id of an Airflow connection through the proxy; Airflow keeps a filesystem for each for good."""
    conn_id = f"aws_{id(proxy)}_{random.getrandbits(32)}"
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", proxy.connection)
    return conn_id


@pytest.fixture
def key(s3, request):
    """The key of an object that is there already."""
    name = re.sub(r"\W", "-", request.node.name)
    s3.client.put_object(Bucket=BUCKET, Key=name, Body=OLD)
    return name


def write(key: str, storage: str, size: int) -> None:
    with atomic_write(Place(f"s3://{BUCKET}/{key}", storage)) as file:
        for start in range(0, size, PART):
            file.write(b"n" * min(PART, size - start))


def failed_write(key: str, storage: str, size: int) -> str:
    """Write; give the message that it fails with."""
    with pytest.raises(OSError, match=re.escape(f'"s3://{BUCKET}/{key}"')) as caught:
        write(key, storage, size)
    assert not isinstance(caught.value, AirflowFailException)  # a retry of the task may find the storage well again
    assert storage in str(caught.value)
    return str(caught.value)


def test_an_object_of_many_parts_reads_back_equal(s3, proxy, storage, key):
    content = random.Random(1).randbytes(70 * 1024 * 1024)
    with atomic_write(Place(f"s3://{BUCKET}/{key}", storage)) as file:
        for start in range(0, len(content), 1_000_003):
            file.write(content[start : start + 1_000_003])
    assert proxy.requests.count("UploadPart") == 9
    assert s3.read(key) == content
    assert s3.unfinished_uploads() == []


FAULTS = [
    ("CreateMultipartUpload", 1, SMALL),
    ("UploadPart", 1, SMALL),
    ("UploadPart", 1, SEVERAL_PARTS),
    ("UploadPart", 2, SEVERAL_PARTS),
    ("UploadPart", 3, SEVERAL_PARTS),
    ("CompleteMultipartUpload", 1, SMALL),
    ("CompleteMultipartUpload", 1, SEVERAL_PARTS),
    ("PutObject", 1, 0),
]


@pytest.mark.parametrize(("operation", "first", "size"), FAULTS)
@pytest.mark.parametrize(("how", "reason"), [(500, "refused by the test"), (403, "PermissionError")])
def test_a_refused_request_leaves_the_old_object_and_nothing_else(
    s3, proxy, storage, key, operation, first, size, how, reason
):
    proxy.refuse(operation, how, first=first)
    assert reason in failed_write(key, storage, size)
    assert proxy.requests.count(operation) >= first
    assert s3.read(key) == OLD
    assert s3.unfinished_uploads() == []


@pytest.mark.parametrize(("operation", "first", "size"), [FAULTS[0], FAULTS[3], FAULTS[6]])
def test_a_request_without_an_answer_leaves_the_old_object_and_nothing_else(
    s3, proxy, storage, key, operation, first, size
):
    proxy.refuse(operation, DROP, first=first)
    failed_write(key, storage, size)
    assert s3.read(key) == OLD
    assert s3.unfinished_uploads() == []


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
@pytest.mark.parametrize("how", [503, DROP, DROP_ANSWER])
def test_a_fault_that_passes_is_tried_through(s3, proxy, storage, key, operation, how):
    proxy.refuse(operation, how, times=2)
    write(key, storage, SEVERAL_PARTS)
    assert proxy.requests.count(operation) == {"UploadPart": 5, "CompleteMultipartUpload": 3}[operation]
    assert s3.read(key) == b"n" * SEVERAL_PARTS
    assert s3.unfinished_uploads() == []


def test_a_last_request_without_any_answer_leaves_the_new_object_whole(s3, proxy, storage, key):
    proxy.refuse("CompleteMultipartUpload", DROP_ANSWER)
    failed_write(key, storage, SEVERAL_PARTS)
    assert s3.read(key) == b"n" * SEVERAL_PARTS
    assert s3.unfinished_uploads() == []


def test_a_server_that_dies_leaves_the_old_object_and_an_upload_that_can_be_ended(s3, proxy, storage, key, caplog):
    proxy.refuse("*", DROP, first=3)  # the upload has begun, and its first part is there
    failed_write(key, storage, SEVERAL_PARTS)
    assert s3.read(key) == OLD
    assert f'What was written of "s3://{BUCKET}/{key}" could not be removed' in caplog.text
    end_the_unfinished_upload(s3, key)
    proxy.recover()
    write(key, storage, SEVERAL_PARTS)
    assert s3.read(key) == b"n" * SEVERAL_PARTS


def end_the_unfinished_upload(s3: S3Server, key: str) -> None:
    """What the docstring of atomic_write says to do by hand."""
    (upload,) = s3.client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert upload["Key"] == key
    s3.client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload["UploadId"])
    assert s3.unfinished_uploads() == []


def test_a_killed_server_is_an_error_that_names_the_destination(monkeypatch):
    with S3Server() as server:
        connection = json.loads(server.connection)
        connection["extra"]["config_kwargs"] = {"retries": {"max_attempts": 0}}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_KILLED", json.dumps(connection))
        with pytest.raises(OSError, match=rf'"s3://{BUCKET}/lost.bin" \(EndpointConnectionError'):
            with atomic_write(Place(f"s3://{BUCKET}/lost.bin", "aws_killed")) as file:
                file.write(b"n" * PART)
                assert server.unfinished_uploads() == ["lost.bin"]
                server.kill()
                file.write(b"n" * PART)


def test_a_score_store_that_can_not_be_reached_is_no_empty_one(monkeypatch):
    with S3Server() as server:
        connection = json.loads(server.connection)
        connection["extra"]["config_kwargs"] = {"retries": {"max_attempts": 0}}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_GONE", json.dumps(connection))
        store = ScoreStore(f"s3://aws_gone@{BUCKET}/store")
        benchmark = {"workspace": "ws", "benchmark": "ws/qa"}
        assert store.history(**benchmark) == []
        server.kill()
    for read in (
        lambda: store.history(**benchmark),
        lambda: store.last_passed(**benchmark),
        lambda: store.pinned(**benchmark),
        lambda: store.get("job-1", **benchmark),
        lambda: store.find("job-1", workspace="ws"),
    ):
        with pytest.raises(OSError, match=rf"s3://aws_gone@{BUCKET}/store/ws.*the storage can't be reached"):
            read()


@pytest.mark.parametrize("size", [SMALL, SEVERAL_PARTS])
def test_garbage_collection_after_an_error_asks_for_nothing(s3, proxy, storage, key, size):
    def is_open() -> bool:
        # isinstance would ask proxies in other modules what they stand for.
        return any(type(thing) is S3File and thing.key == key for thing in gc.get_objects())

    def fail() -> None:
        with atomic_write(Place(f"s3://{BUCKET}/{key}", storage)) as file:
            file.write(b"n" * size)
            assert is_open()
            raise ValueError

    try:
        fail()
    except ValueError:
        requests = list(proxy.requests)
    gc.collect()
    assert not is_open()
    assert proxy.requests == requests
    assert s3.read(key) == OLD
    assert s3.unfinished_uploads() == []


@pytest.fixture
def stored_rows(tmp_path):
    """The content of a Parquet file of row scores."""
    row_format = RowFormat(name="parquet")
    return Path(
        store_rows([line(0, {"text": "a"})], Place(str(tmp_path / "rows")), row_format=row_format).path
    ).read_bytes()


@pytest.mark.parametrize(
    ("how", "error", "reason"),
    [
        (500, OSError, "refused by the test"),
        (403, PermissionError, "refused by the test"),
        (DROP, Exception, "connection"),
    ],
)
def test_row_scores_whose_storage_fails_are_not_called_damaged(
    s3, proxy, storage, key, stored_rows, how, error, reason
):
    s3.client.put_object(Bucket=BUCKET, Key=key, Body=stored_rows)
    proxy.refuse("GetObject", how)
    with pytest.raises(error, match=reason) as caught:
        read_items(f"s3://{storage}@{BUCKET}/{key}", [0])
    assert not isinstance(caught.value, BenchmarkError)
    proxy.recover()
    assert read_items(f"s3://{storage}@{BUCKET}/{key}", [0]) == {0: {"text": "a"}}


def start_writer(
    destination: str, storage: str = "", size: int = SEVERAL_PARTS, *limit: str
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.interrupted_write", destination, storage, str(size), *limit]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], env=dict(os.environ)
    )


def kill_in_the_block(writer: subprocess.Popen[bytes]) -> None:
    try:
        assert writer.stdout is not None
        assert b"written\n" in writer.stdout  # after log lines, in the block
    finally:
        writer.kill()
        writer.communicate(timeout=30)


@pytest.mark.parametrize("exists", [True, False])
def test_a_killed_worker_leaves_the_old_object_and_an_upload_that_can_be_ended(s3, storage, key, exists):
    if not exists:
        s3.client.delete_object(Bucket=BUCKET, Key=key)
    kill_in_the_block(start_writer(f"s3://{BUCKET}/{key}", storage))
    if exists:
        assert s3.read(key) == OLD
    else:
        assert key not in s3.list_keys()
    end_the_unfinished_upload(s3, key)


def test_a_killed_worker_leaves_the_old_file_and_one_that_the_documented_command_finds(tmp_path):
    target = tmp_path / "scores.jsonl"
    target.write_bytes(OLD)
    kill_in_the_block(start_writer(str(target)))
    assert target.read_bytes() == OLD
    (left,) = [path for path in tmp_path.iterdir() if path != target]
    assert re.fullmatch(r"\.scores\.jsonl\.[0-9a-f]{32}\.part", left.name)
    (command,) = re.findall("``(find .*)``", atomic_write.__doc__ or "")
    find = shlex.split(command.replace("FOLDER", str(tmp_path)))
    subprocess.run(find, check=True)
    assert left.exists()  # a writer could still be at it
    three_days_ago = left.stat().st_mtime - 3 * 24 * 3600
    for path in (left, target):
        os.utime(path, (three_days_ago, three_days_ago))
    subprocess.run(find, check=True)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("size", [SMALL * 2, SEVERAL_PARTS])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, size):
    target = tmp_path / "scores.jsonl"
    target.write_bytes(OLD[:SMALL])
    said, _ = start_writer(str(target), "", size, str(SMALL)).communicate(timeout=600)
    assert f'could not write "{target}" (OSError: [Errno 27] File too large' in said.decode()
    assert target.read_bytes() == OLD[:SMALL]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", ["s3", "local"])
def test_of_two_writers_at_once_one_has_written_all(s3, storage, key, tmp_path, kind):
    destination = f"s3://{BUCKET}/{key}" if kind == "s3" else str(tmp_path / "scores.jsonl")
    meet = threading.Barrier(2, timeout=60)

    def write_all(letter: bytes) -> None:
        try:
            with atomic_write(Place(destination, storage if kind == "s3" else None)) as file:
                for _ in range(3):
                    meet.wait()  # each part of one is written beside the same part of the other
                    file.write(letter * PART)
        except BaseException:
            meet.abort()  # the other one need not wait for its limit
            raise

    writers = [threading.Thread(target=write_all, args=(letter,)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    content = s3.read(key) if kind == "s3" else Path(destination).read_bytes()
    assert content in (b"a" * SEVERAL_PARTS, b"b" * SEVERAL_PARTS)
    assert s3.unfinished_uploads() == []
    assert len(list(tmp_path.iterdir())) == (kind == "local")
