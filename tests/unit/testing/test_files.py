from __future__ import annotations

import pytest

FILES = "/apis/files/v2/workspaces/my-workspace/filesets"


@pytest.fixture
def file(http):
    http.put(f"{FILES}/qa/-/sub/a.txt", content=b"0123456789").raise_for_status()
    return f"{FILES}/qa/-/sub/a.txt"


def test_uploading_and_listing(http, file):
    answer = http.put(f"{FILES}/qa/-/b.txt", content=b"xy")
    assert answer.json() == {
        "file_ref": "my-workspace/qa#b.txt",
        "file_url": f"{FILES}/qa/-/b.txt",
        "path": "b.txt",
        "size": 2,
        "cache_status": None,
    }
    listed = http.get(f"{FILES}/qa/files").json()["data"]
    assert [entry["path"] for entry in listed] == ["b.txt", "qa.jsonl", "sub/a.txt"]
    assert {entry["cache_status"] for entry in listed} == {"not_cacheable"}
    assert [entry["path"] for entry in http.get(f"{FILES}/qa/files?path=sub").json()["data"]] == ["sub/a.txt"]


def test_downloading(http, file):
    answer = http.get(file)
    assert (answer.content, answer.headers["accept-ranges"]) == (b"0123456789", "bytes")
    assert answer.headers["content-type"] == "application/octet-stream"
    head = http.head(file)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")


@pytest.mark.parametrize(
    ("wanted", "content"),
    [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89"), ("bytes=0-0", b"0")],
)
def test_ranges(http, file, wanted, content):
    answer = http.get(file, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, content)
    first = b"0123456789".index(content)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(content) - 1}/10"


@pytest.mark.parametrize("wanted", ["bytes=99-", "bytes=5-99", "bytes=5-2", "junk"])
def test_ranges_that_can_not_be_met(http, file, wanted):
    answer = http.get(file, headers={"Range": wanted})
    assert (answer.status_code, answer.json()) == (416, {"detail": f"Invalid range: {wanted}"})


def test_large_uploads_go_to_disk_and_come_back(service, http):
    piece = bytes(range(256)) * 4096
    sent = http.put(f"{FILES}/qa/-/large.bin", content=(piece for _ in range(3)))  # chunked
    assert sent.json()["size"] == 3 * len(piece)
    assert http.get(f"{FILES}/qa/-/large.bin").content == piece * 3
    assert http.get(f"{FILES}/qa/-/large.bin", headers={"Range": f"bytes={len(piece)}-"}).content == piece * 2
    again = http.put(f"{FILES}/qa/-/large.bin", content=piece * 2)  # with a length
    assert again.json()["size"] == 2 * len(piece)
    assert http.get(f"{FILES}/qa/-/large.bin").content == piece * 2


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/none", 404, "Fileset 'none' not found in workspace 'my-workspace'"),
        ("GET", "/none/files", 404, "Fileset 'none' not found in workspace 'my-workspace'"),
        ("PUT", "/none/-/x", 404, "Fileset 'none' not found in workspace 'my-workspace'"),
        ("GET", "/qa/-/a/none", 404, "File 'a/none' not found in fileset 'my-workspace/qa'"),
        ("DELETE", "/qa/-/none", 404, "File 'none' not found in fileset 'my-workspace/qa'"),
        ("PUT", "/qa/-/%2e%2e/x", 400, "Path '../x' resolves outside of the storage root."),
    ],
)
def test_errors(http, method, path, status, detail):
    answer = http.request(method, FILES + path)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail)


def test_filesets(http):
    created = http.post(FILES, json={"name": "new", "description": "d"})
    assert created.status_code == 200  # not 201: so it is on the service
    assert http.get(f"{FILES}/new").json() == created.json()
    assert http.post(FILES, json={"name": "new"}).json() == {"detail": "Fileset 'my-workspace/new' already exists"}
    assert http.delete(f"{FILES}/new").json() == created.json()
    assert http.get(f"{FILES}/new").status_code == 404
    assert http.post(FILES, json={}).status_code == 422
    assert http.post(FILES, json={"name": "Bad"}).status_code == 422
