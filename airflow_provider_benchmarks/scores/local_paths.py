"""Whether a text names a file of the local disk or one of a storage, and which file of the disk."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.masking import register_secrets
from airflow_provider_benchmarks.scores.json_values import fits_utf8

#: Schemes of object storages; what is first in their paths is a bucket or container.
WITH_BUCKETS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://|(file|local):", re.IGNORECASE)
_LOCAL = ("", "file", "local")
#: Filesystems that fsspec would open one within the other: simplecache::s3://bucket/key.
_CHAINED = re.compile(r"([a-z0-9+.-]+::)+[a-z0-9+.-]+://", re.IGNORECASE)
#: What has a storage's scheme, and is no URL of it. As a path of the disk it would be a folder called ``s3:``.
_TOO_FEW_SLASHES = re.compile(rf"({'|'.join((*WITH_BUCKETS, 'https?'))}):(?!//)/?", re.IGNORECASE)
#: An address of IPv6 in the place of a host.
_ADDRESS = re.compile(r"^[^/]*\[[^/\]]*\]")
#: Filesystems whose URLs have something else there: github://organisation:repository@branch/path.
_NO_PASSWORD = ("git", "github")
#: The password of a user in a URL.
_PASSWORD = re.compile(r"((?:^|::)[a-z0-9+.-]*://[^/@:]*:)([^/]+)(?=@)", re.IGNORECASE)


def scheme_of(path: Any) -> str:
    """The scheme of a URL; empty for a path of the local disk, whatever is in it."""
    found = _URL.match(str(path))
    return "" if found is None else (found[1] or found[2]).lower()


def is_local(path: Any) -> bool:
    """True for a path or URL of the local disk."""
    return scheme_of(path) in _LOCAL


def local_path(path: Any) -> str | None:
    """The absolute path of a file of the local disk; None for the URL of a storage.

    Only a ``~`` that begins it, and a link, stand for something else: all other characters are those of names.

    :raises ConfigurationError: it chains filesystems, or lacks slashes after the scheme of a storage
    """
    text, scheme = str(path), scheme_of(path)
    if (begin := _TOO_FEW_SLASHES.match(text)) is not None:
        raise ConfigurationError(
            f'"{text}" is no URL: did you mean "{begin[1].lower()}://{text[begin.end() :]}"? A local path with such a '
            f"name begins with / or ./"
        )
    if _CHAINED.match(text) or (scheme not in (*_LOCAL, *WITH_BUCKETS) and _has_link(text)):
        raise ConfigurationError(
            f'{text}: filesystems that are chained with "::" are not opened. Name the file or folder itself; a local '
            f"path with such a name begins with / or ./"
        )
    if scheme not in _LOCAL:
        return None
    found = _URL.match(text)
    name = os.path.expanduser(text if found is None else text[found.end() :])
    # As the disk takes it: what ".." is depends on links.
    return f"/{str(PurePosixPath(os.getcwd(), name)).lstrip('/')}"


def require_possible(path: Any) -> None:
    """Refuse a text that no disk and no storage has for a path.

    :raises ConfigurationError: it has a NUL or half a character, is no URL, or names no bucket
    """
    text = str(path)
    # What Python reads of a disk's names that are no UTF-8 has half characters, which the disk takes back.
    fits = _fits_disk(text) if is_local(text) else fits_utf8(text)
    if "\0" in text or not fits:
        raise ConfigurationError(f"{brief(text)} can't be a path: it has a NUL, or half a character. Correct it.")
    if scheme_of(text) not in WITH_BUCKETS:
        return
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise ConfigurationError(f"{brief(text)} is no URL ({error}). Correct it.") from error
    # A folder without a name, s3:///folder, has a message of its own.
    if not url.netloc.rpartition("@")[2] and (url.netloc or not url.path.strip("/")):
        raise ConfigurationError(f"{brief(text)} names no bucket: look whether a template has given nothing.")


def _fits_disk(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def refuse_password(path: Any) -> None:
    """Refuse the URL of a storage that has a password: logs, pages and lineage show paths.

    :raises ConfigurationError: it has one; the message does not show it, nor does any other from here on
    """
    text = str(path)
    is_other = scheme_of(text) in _NO_PASSWORD or (is_local(text) and _CHAINED.match(text) is None)
    if is_other or (found := _PASSWORD.search(text)) is None:
        return
    register_secrets([found[2], unquote(found[2])])
    shown = _PASSWORD.sub(r"\1***", text)
    raise ConfigurationError(
        f"{shown}: a password does not belong into the URL of a storage, which everybody sees who sees the DAG or its "
        f"log. Put it into an Airflow connection, and name that one: s3://connection@bucket/folder"
    )


def _has_link(url: str) -> bool:
    return "::" in _ADDRESS.sub("", url.partition("://")[2])
