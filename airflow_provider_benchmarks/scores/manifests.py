"""The JSON files that say what a folder of results holds: manifests and pins."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import NewerFormat
from airflow_provider_benchmarks.scores.json_values import parse_json

#: The format that is written and read. Files of the first releases do not say theirs.
VERSION = 1
#: What a score store knows of a job, beside its scores; written before the manifest.
JOB_FILE = "job.json"
AGGREGATE_FILE = "aggregate-scores.json"


def read_manifest(path: object, content: bytes) -> dict[str, Any]:
    """Decode a manifest.

    :param path: for messages
    :raises NewerFormat: a newer release has written it
    :raises ValueError: it is no JSON object, or has no version that can be
    """
    manifest = parse_json(content)
    if not isinstance(manifest, dict):
        raise ValueError(f"expected an object, found {brief(manifest)}")
    version = manifest.get("version", VERSION)
    if type(version) is not int or version < 1:
        raise ValueError(f"expected a whole number as its version, found {brief(version)}")
    if version > VERSION:
        raise NewerFormat(
            f"{path} has the format version {version}, of a newer release: this one reads version {VERSION}. Update "
            f"airflow-provider-benchmarks here."
        )
    return manifest


def files_in(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The files that the manifest of a partitioned folder lists, all of them below the folder.

    :raises LookupError: it lists none, or a description lacks a field
    :raises ValueError: a description is none, the path of a file leads elsewhere, or the files do not have the rows
        that the manifest counts
    """
    files = manifest["files"]
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise ValueError(f'expected a list of files as "files", found {brief(files)}')
    paths = [text_in(file, "path") for file in files]
    if strange := [path for path in paths if not {"", ".", ".."}.isdisjoint(path.split("/"))]:
        raise ValueError(f"expected the path of a file below the folder, found {brief(strange[0])}")
    if len(set(paths)) != len(paths):
        raise ValueError("a file is listed twice")
    rows = sum(_number_in(file, "rows") for file in files)
    if rows != _number_in(manifest, "rows"):
        raise ValueError(f"the files have {rows} rows, but it counts {manifest['rows']}")
    return files


def _number_in(manifest: dict[str, Any], key: str) -> int:
    value = manifest[key]
    if type(value) is not int or value < 0:
        raise ValueError(f'expected a number as "{key}", found {brief(value)}')
    return value


def text_in(manifest: dict[str, Any], key: str, *, is_optional: bool = False) -> str:
    """A text of a manifest; an optional one is empty where it is missing.

    :raises LookupError: it is missing
    :raises ValueError: it is something else
    """
    value = manifest.get(key, "") if is_optional else manifest[key]
    if not isinstance(value, str) or not (value or is_optional):
        raise ValueError(f'expected a text as "{key}", found {brief(value)}')
    return value
