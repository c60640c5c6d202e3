"""Names of jobs, benchmarks and gates as names of folders and files of the score store."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, unquote

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.json_values import fits_utf8

#: Most file systems take names of 255 bytes, of which a file that is being written needs 39 for ``.<name>.<hex>.part``.
#: Apart from a gate's name, a marker of a verdict has a time (23), a job (up to 51 on the service), an outcome (up to
#: 12) and three commas.
_CUT_CHARACTERS = 100
_HASH_CHARACTERS = 12
_MAX_GATE_CHARACTERS = _CUT_CHARACTERS + len("~") + _HASH_CHARACTERS


def folder_name(name: str, what: str) -> str:
    """Quote a name into that of a folder; those that begin with ``_`` are the store's own.

    :raises ConfigurationError: it is empty, a dot segment that would lead to another folder, begins with ``_``, or has
        half a character
    """
    if name.rpartition("/")[2] in ("", ".", "..") or name.startswith("_") or not fits_utf8(name):
        raise ConfigurationError(f'the score store can\'t keep a {what} called "{shortened(name)}"')
    return quote(name, safe="")


def is_folder_name(quoted: str) -> bool:
    """True if :func:`folder_name` gives this for some name."""
    try:
        return folder_name(unquote(quoted, errors="strict"), "job") == quoted
    except (ConfigurationError, UnicodeError):
        return False


def benchmark_folder(workspace: str, benchmark: str) -> str:
    """The folder of a benchmark's jobs in a workspace, below the store's root.

    :param benchmark: reference ``workspace/name``, or a name in the workspace
    :raises ConfigurationError: there can be none for such names
    """
    owner, _, name = benchmark.rpartition("/")
    place = name if owner in ("", workspace) else f"{owner}/{name}"
    return f"{folder_name(workspace, 'workspace')}/{folder_name(place, 'benchmark')}"


def gate_name(gate: str) -> str:
    """The name of a gate in the store: its own, or where that is long its beginning and a hash of the whole.

    Two gates of one beginning have two names, and the name of a name is the same again.

    :raises ConfigurationError: it is empty, or has half a character
    """
    if not gate or not fits_utf8(gate):
        raise ConfigurationError(f'the score store can\'t keep the verdict of a gate called "{shortened(gate)}"')
    if len(quote(gate, safe="")) <= _MAX_GATE_CHARACTERS:
        return gate
    start = gate[:_CUT_CHARACTERS]
    while len(quote(start, safe="")) > _CUT_CHARACTERS:
        start = start[:-1]
    return f"{start}~{hashlib.sha256(gate.encode()).hexdigest()[:_HASH_CHARACTERS]}"
