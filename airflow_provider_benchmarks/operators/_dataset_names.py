"""The names of datasets in OpenLineage's naming, which are the same for who writes one and for who reads it."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from airflow_provider_benchmarks.masking import safe_text
from airflow_provider_benchmarks.scores.local_paths import local_path, scheme_of

#: The schemes of OpenLineage's names, by those that fsspec knows besides.
_SCHEMES = {"s3a": "s3", "gcs": "gs", "az": "abfs"}
#: What Marquez refuses in a namespace.
_NOT_IN_NAMESPACE = re.compile(r"[^a-zA-Z:;=/0-9_.@+-]")
_PORTS = {"http": 80, "https": 443}


def stored_name(url: str) -> tuple[str, str]:
    """The namespace and the name of a file or folder.

    Which Airflow connection opens it is not of its name.

    :raises ConfigurationError: it chains filesystems
    """
    if (path := local_path(url)) is not None:
        return "file", safe_text(_without_dots(path))
    scheme, (bucket, _, key) = scheme_of(url), url.partition("://")[2].partition("/")
    bucket = bucket.rpartition("@")[2]
    return safe_text(f"{_SCHEMES.get(scheme, scheme)}://{bucket}"), safe_text(key.strip("/") or "/")


def service_namespace(base_url: str) -> str:
    """The namespace of what a service has: its host and port, however the connection writes them, and its path.

    The port is always there, so that an address of IPv6 needs no brackets, which namespaces can't have.
    """
    url = urlsplit(base_url)
    place = f"{_host(url.hostname or '')}:{url.port or _PORTS.get(url.scheme, 80)}{url.path.rstrip('/')}"
    return _NOT_IN_NAMESPACE.sub("_", f"nemo-evaluator://{place}")


def _without_dots(path: str) -> str:
    """A local path without ``..``, which leads from where a link points to. Other links stay as they are named."""
    parts = PurePosixPath(path).parts
    if ".." not in parts:
        return path
    last = len(parts) - parts[::-1].index("..")
    return os.path.join(os.path.realpath(os.path.join(*parts[:last])), *parts[last:])


def _host(name: str) -> str:
    """A host as names of it compare: in lower case, of IPv6 the short form, of other scripts that of DNS."""
    try:
        return ip_address(name).compressed
    except ValueError:
        pass
    try:
        return name.lower().rstrip(".").encode("idna").decode()
    except UnicodeError:
        return name.lower()
