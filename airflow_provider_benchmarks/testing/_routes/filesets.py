"""Routes of the files service: filesets and the files in them."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import FileSlice, HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._http.validation import FILESET_PATTERN, Fields, check_entity_name
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._state.fileset import Fileset, StoredFile
from airflow_provider_benchmarks.testing._state.identifiers import new_id
from airflow_provider_benchmarks.testing._state.state import State

ROUTES: list[Route] = []
_FILESETS = "/apis/files/v2/workspaces/{workspace}/filesets"
_FILE = _FILESETS + "/{name}/-/{path:path}"


def create_fileset(state: State, workspace: str, name: str, *, description: str = "") -> Fileset:
    """Create a fileset, with the service's checks in the service's order.

    :raises HttpError: 409: it exists; 422: its name is invalid, or its workspace does not exist
    """
    if (workspace, name) in state.filesets:
        raise HttpError(409, f"Fileset '{workspace}/{name}' already exists")
    check_entity_name(name)
    if workspace not in state.workspaces:
        raise HttpError(422, f"Workspace '{workspace}' does not exist. Please create the workspace first.")
    return state.add_fileset(workspace, name, description)


def find_fileset(state: State, workspace: str, name: str) -> Fileset:
    fileset = state.filesets.get((workspace, name))
    if fileset is None:
        raise HttpError(404, f"Fileset '{name}' not found in workspace '{workspace}'")
    return fileset


def find_file(state: State, workspace: str, name: str, path: str) -> StoredFile:
    stored = find_fileset(state, workspace, name).files.get(_normalised(path))
    if stored is None:
        raise HttpError(404, f"File '{path}' not found in fileset '{workspace}/{name}'")
    return stored


def _normalised(path: str) -> str:
    normal = posixpath.normpath(path)
    if normal.startswith(("../", "/")) or normal == "..":
        raise HttpError(
            400,
            f"Path '{path}' resolves outside of the storage root. This may indicate a path traversal attack. Ensure "
            f"that paths such as ../.. are not used in the path.",
        )
    return normal


def _show_fileset(state: State, fileset: Fileset) -> dict[str, Any]:
    environment = {"environment": None} if state.release.has_environments else {}
    return {
        "id": fileset.id,
        "name": fileset.name,
        "workspace": fileset.workspace,
        "description": fileset.description,
        "purpose": "generic",
        "storage": {
            "read_chunk_size": 1048576,
            "type": "local",
            "path": f"/var/lib/nemo/files/filesets/{fileset.workspace}/{fileset.name}",
            "write_buffer_size": 16777216,
        },
        "metadata": {"dataset": None, "model": None, **environment},
        "custom_fields": {},
        "project": "",
        "created_at": fileset.created_at,
        "updated_at": fileset.created_at,
    }


def _show_file(workspace: str, name: str, path: str, size: int, cache_status: str | None) -> dict[str, Any]:
    return {
        "file_ref": f"{workspace}/{name}#{path}",
        "file_url": f"/apis/files/v2/workspaces/{workspace}/filesets/{name}/-/{path}",
        "path": path,
        "size": size,
        "cache_status": cache_status,
    }


@route(ROUTES, "POST", _FILESETS)
def post_fileset(context: Context, request: Request, workspace: str) -> Response:
    fields = Fields(request.json())
    name = fields.text("name", required=True, pattern=FILESET_PATTERN)
    description = fields.text("description", nullable=True)
    fields.raise_errors()
    assert name is not None
    return json_response(
        _show_fileset(context.state, create_fileset(context.state, workspace, name, description=description or ""))
    )


@route(ROUTES, "GET", _FILESETS + "/{name}")
def get_fileset(context: Context, request: Request, workspace: str, name: str) -> Response:
    return json_response(_show_fileset(context.state, find_fileset(context.state, workspace, name)))


@route(ROUTES, "DELETE", _FILESETS + "/{name}")
def delete_fileset(context: Context, request: Request, workspace: str, name: str) -> Response:
    fileset = find_fileset(context.state, workspace, name)
    del context.state.filesets[workspace, name]
    return json_response(_show_fileset(context.state, fileset))


@route(ROUTES, "GET", _FILESETS + "/{name}/files")
def list_files(context: Context, request: Request, workspace: str, name: str) -> Response:
    fileset = find_fileset(context.state, workspace, name)
    prefix = request.query.get("path", [""])[-1]
    files = [
        _show_file(workspace, name, path, stored.size, "not_cacheable")
        for path, stored in sorted(fileset.files.items())
        if path.startswith(prefix)
    ]
    return json_response({"data": files})


@route(ROUTES, "HEAD", _FILE)
def head_file(context: Context, request: Request, workspace: str, name: str, path: str) -> Response:
    return _download(request, find_file(context.state, workspace, name, path))


@route(ROUTES, "GET", _FILE)
def get_file(context: Context, request: Request, workspace: str, name: str, path: str) -> Response:
    return _download(request, find_file(context.state, workspace, name, path))


@route(ROUTES, "PUT", _FILE)
def put_file(context: Context, request: Request, workspace: str, name: str, path: str) -> Response:
    fileset = find_fileset(context.state, workspace, name)
    stored = StoredFile(_keep_body(context.state, request))
    fileset.files[_normalised(path)] = stored
    return json_response(_show_file(workspace, name, path, stored.size, None))


def _keep_body(state: State, request: Request) -> bytes | Path:
    """Return the body; move a large one, whose file is deleted after the request."""
    if isinstance(request.body, bytes):
        return request.body
    path = state.folder / new_id("file")
    shutil.move(request.body, path)
    return path


@route(ROUTES, "DELETE", _FILE)
def delete_file(context: Context, request: Request, workspace: str, name: str, path: str) -> Response:
    stored = find_file(context.state, workspace, name, path)
    del context.state.filesets[workspace, name].files[_normalised(path)]
    return json_response(_show_file(workspace, name, path, stored.size, None))


def _download(request: Request, stored: StoredFile) -> Response:
    headers = {"accept-ranges": "bytes"}
    requested = request.headers.get("range")
    if request.method == "HEAD" or not requested:
        return Response(body=file_slice(stored), content_type="application/octet-stream", headers=headers)
    bounds = _parse_range(requested, stored.size)
    if bounds is None:
        raise HttpError(416, f"Invalid range: {requested}")
    first, last = bounds
    headers["content-range"] = f"bytes {first}-{last}/{stored.size}"
    body = file_slice(stored, first, last)
    return Response(status=206, body=body, content_type="application/octet-stream", headers=headers)


def _parse_range(requested: str, size: int) -> tuple[int, int] | None:
    """Parse a range as the files service does: the last byte must exist, and only the first range counts."""
    match = re.match(r"bytes=(\d*)-(\d*)", requested)
    if not match or not (match[1] or match[2]):
        return None
    if match[1]:
        first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    else:
        first, last = max(0, size - int(match[2])), size - 1
    return (first, last) if last < size and first <= last else None


def file_slice(stored: StoredFile, first: int = 0, last: int | None = None) -> bytes | FileSlice:
    """Return the bytes of a file from the first to the last, both included."""
    end = stored.size if last is None else last + 1
    if isinstance(stored.content, Path):
        return FileSlice(stored.content, first, end - first)
    return stored.content[first:end]
