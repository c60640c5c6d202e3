"""Rows of the documented download, and of the stored file where the service can't read its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from io import BytesIO
from itertools import islice

from airflow_provider_benchmarks.exceptions import IncompleteResults, ServiceError
from airflow_provider_benchmarks.scores import RowScore
from airflow_provider_benchmarks.scores.completeness import line_blocks
from airflow_provider_benchmarks.scores.rows import UnreadByService, read_rows

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 64 * 1024


def readable_rows(
    lines: Generator[bytes, None, None], stored: Callable[[], Iterable[bytes]], limit: int | None
) -> Iterator[RowScore]:
    """Stream rows.

    :param lines: of the documented download
    :param stored: opens the stored file, a JSONL file that is cut anywhere
    :param limit: number of rows to stop after
    :raises IncompleteResults: a line is not a row, or the service ended the stream with an error
    """
    rows = 0
    try:
        with closing(lines):
            for row in islice(read_rows(lines), limit):
                rows += 1
                yield row
        return
    except UnreadByService as error:
        unread = error
    logger.warning("Reading row scores from the stored file from row %s on: %s", rows + 1, unread)
    try:
        pieces = stored()
    except ServiceError as error:
        raise unread from error
    yield from _rows_of_file(pieces, unread, first=rows, limit=limit)


def _rows_of_file(
    pieces: Iterable[bytes], unread: UnreadByService, *, first: int, limit: int | None
) -> Iterator[RowScore]:
    """The rows of a file.

    :param unread: raised where the file itself is damaged
    :param first: number of rows to leave out
    """
    try:
        blocks = line_blocks(pieces, _BLOCK_BYTES)
        yield from islice(read_rows(line for block in blocks for line in BytesIO(block)), first, limit)
    except IncompleteResults as error:
        raise unread from error
    finally:
        if close := getattr(pieces, "close", None):
            close()
