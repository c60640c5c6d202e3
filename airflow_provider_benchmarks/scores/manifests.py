"""The JSON files that say what a folder of results holds: manifests and pins."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import NewerFormat
from airflow_provider_benchmarks.scores.json_values import parse_json

#: The format that is written and read. Files of the first releases do not say theirs.
VERSION = 1


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


def text_in(manifest: dict[str, Any], key: str, *, is_optional: bool = False) -> str:
    """A text of a manifest; an optional one is empty where it is missing.

    :raises LookupError: it is missing
    :raises ValueError: it is something else
    """
    value = manifest.get(key, "") if is_optional else manifest[key]
    if not isinstance(value, str) or not (value or is_optional):
        raise ValueError(f'expected a text as "{key}", found {brief(value)}')
    return value
