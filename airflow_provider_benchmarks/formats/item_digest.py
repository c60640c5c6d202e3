"""A digest of the items in a table of row scores, and whether they look like repeats; and one of other columns.

It shows that two jobs of one dataset have the same items without reading them, which takes many times longer than
reading their scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.columns import ROW_INDEX, Kind
from airflow_provider_benchmarks.scores.json_values import parse_json
from airflow_provider_benchmarks.scores.own_fields import Field
from airflow_provider_benchmarks.scores.unnoticed_repeats import RepeatSample

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

#: Odd factors that spread a number over all 64 bits.
_SPREAD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5, 0xD6E8FEB86659FD93)
_WORD = 8
#: Number of rows whose signatures are in memory at a time.
_SIGNATURE_ROWS = 200_000


class ItemDigest:
    """Digest the row indices and items of a table that comes in batches; how it is cut into batches does not matter.

    :param columns: field and type of each item column, by its name
    :param folder: for eight bytes a row; the caller's to delete
    """

    def __init__(self, columns: dict[str, tuple[Field, Kind]], folder: Path) -> None:
        kinds = {ROW_INDEX: Kind.INT, **{name: columns[name][1] for name in sorted(columns)}}
        self._digests = {name: _ColumnDigest(kind) for name, kind in kinds.items()}
        self._columns = columns
        self._sample = RepeatSample(len(columns))
        self._signatures = folder / "signatures"
        self._signed: str | None = None
        self._rows = 0

    def add(self, batch: pa.Table) -> None:
        for name, digest in self._digests.items():
            for chunk in batch.column(name).chunks:
                digest.add(chunk)
        self._sample.add(batch.num_rows, lambda places: self._values(batch, places))
        if not self._rows:
            self._signatures.unlink(missing_ok=True)
            self._signed = self._distinguishing_column(batch)
        self._rows += batch.num_rows
        if self._signed is not None:
            with self._signatures.open("ab") as file:
                for chunk in batch.column(self._signed).chunks:
                    file.write(_signatures(chunk).tobytes())

    def finish(self) -> bytes:
        """JSON: ``digest``, equal for the same items in the same order, and ``all_differ`` where no two are equal.

        Items with another digest may be equal all the same, and without ``all_differ`` none need be. ``repeats`` has
        what looks like repeats of items. The digest is by column: it compares with that of a file whose columns hold
        the same fields.
        """
        from xxhash import xxh3_128_hexdigest

        parts = [self._rows, *((name, *digest.finish()) for name, digest in self._digests.items())]
        found: dict[str, Any] = {"digest": xxh3_128_hexdigest(json.dumps(parts).encode())}
        if self._signed is not None and self._are_distinct():
            found["all_differ"] = True
        if (repeats := self._sample.find()) is not None:
            found["repeats"] = repeats.to_json()
        return json.dumps(found).encode()

    def _values(self, batch: pa.Table, places: NDArray[np.intp]) -> dict[Field, list[Any]]:
        """The values of the items of some rows, by field."""
        some: dict[str, list[Any]] = batch.select(list(self._columns)).take(places).to_pydict()
        return {
            field: [None if text is None else parse_json(text) for text in some[name]]
            if kind == Kind.JSON
            else some[name]
            for name, (field, kind) in self._columns.items()
        }

    def _distinguishing_column(self, batch: pa.Table) -> str | None:
        """The smallest item column whose values differ in all rows of a batch.

        None of JSON: its texts are others for equal values, too, as where the keys have another order.
        """
        import numpy as np

        plain = [name for name, (_, kind) in self._columns.items() if kind != Kind.JSON] if batch.num_rows else []
        for name in sorted(plain, key=lambda name: batch.column(name).nbytes):
            found = np.concatenate([_signatures(chunk) for chunk in batch.column(name).chunks])
            if len(np.unique(found)) == batch.num_rows:
                return name
        return None

    def _are_distinct(self) -> bool:
        # Parts of the signatures at a time, so that memory does not grow with the rows.
        parts = self._rows // _SIGNATURE_ROWS + 1
        return all(_differ(self._part_of_signatures(part, parts)) for part in range(parts))

    def _part_of_signatures(self, part: int, parts: int) -> NDArray[np.uint64]:
        import numpy as np

        found = []
        for first in range(0, self._rows, _SIGNATURE_ROWS):
            some = np.fromfile(self._signatures, dtype=np.uint64, count=_SIGNATURE_ROWS, offset=first * _WORD)
            # The upper half of the bits, as the lower ones of a product depend on the lower ones of its factors alone.
            found.append(some[(some * np.uint64(_SPREAD[0]) >> np.uint64(32)) % np.uint64(parts) == part])
        return np.concatenate(found)


def _differ(numbers: NDArray[np.uint64]) -> bool:
    numbers.sort()
    return bool((numbers[1:] != numbers[:-1]).all())


class ValueDigest:
    """Digest some columns of a table that comes in batches; how it is cut into batches does not matter.

    :param names: of the columns
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._columns = {name: _ColumnDigest() for name in names}

    def add(self, batch: pa.Table) -> None:
        for name, digest in self._columns.items():
            for chunk in batch.column(name).chunks:
                digest.add(chunk)

    def finish(self) -> bytes:
        """In hex; equal for equal columns of the same names."""
        from xxhash import xxh3_128_hexdigest

        parts = [(name, *digest.finish()) for name, digest in self._columns.items()]
        return xxh3_128_hexdigest(json.dumps(parts).encode()).encode()


class _ColumnDigest:
    """Digest a column.

    :param kind: of its values, where the same ones of another kind are others
    """

    def __init__(self, kind: str = "") -> None:
        from xxhash import xxh3_128

        self._kind = kind
        self._rows = 0
        self._values, self._lengths, self._missing = xxh3_128(), xxh3_128(), xxh3_128()

    def add(self, chunk: pa.Array) -> None:
        import numpy as np
        import pyarrow as pa

        if chunk.null_count and not pa.types.is_null(chunk.type):
            missing = np.flatnonzero(chunk.is_null().to_numpy(zero_copy_only=False))
            self._missing.update((missing + self._rows).tobytes())
        self._rows += len(chunk)
        if pa.types.is_string(chunk.type):
            ends, content = _text(chunk)
            self._values.update(content[ends[0] : ends[-1]])
            self._lengths.update(np.diff(ends).tobytes())
        elif not pa.types.is_null(chunk.type):
            self._values.update(_numbers(chunk).tobytes())

    def finish(self) -> tuple[str, ...]:
        return self._kind, self._values.hexdigest(), self._lengths.hexdigest(), self._missing.hexdigest()


def _text(chunk: pa.Array) -> tuple[NDArray[np.int32], memoryview]:
    """The offsets of a text column, one more than rows, and the texts' bytes."""
    import numpy as np

    _, offsets, content = chunk.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    return ends, memoryview(b"" if content is None else content)


def _numbers(chunk: pa.Array) -> NDArray[Any]:
    import pyarrow as pa

    if chunk.null_count:
        chunk = chunk.fill_null(False if pa.types.is_boolean(chunk.type) else 0)
    numbers: NDArray[Any] = chunk.to_numpy(zero_copy_only=False)
    return numbers


def _signatures(chunk: pa.Array) -> NDArray[np.uint64]:
    """A number for each value. Equal values have equal ones, so values whose numbers differ are different.

    Of a text it takes the length and the 16 bytes at either end.
    """
    import numpy as np
    import pyarrow as pa

    if pa.types.is_null(chunk.type):
        return np.zeros(len(chunk), dtype=np.uint64)
    if pa.types.is_floating(chunk.type):
        numbers = _numbers(chunk)
        # NaN is as a missing value, which is 0 here. The sum makes 0.0 of -0.0.
        return (np.where(np.isnan(numbers), 0.0, numbers) + 0.0).view(np.uint64)
    if not pa.types.is_string(chunk.type):
        return _numbers(chunk).astype(np.int64).view(np.uint64)
    ends, content = _text(chunk)
    padded = b"".join((b"\0" * 2 * _WORD, content[ends[0] : ends[-1]], b"\0" * 2 * _WORD))
    # The word that begins at each byte.
    words: NDArray[np.uint64] = np.ndarray(len(padded) - _WORD + 1, np.dtype("<u8"), padded, strides=(1,))
    starts = ends - ends[0] + 2 * _WORD
    first, last, lengths = starts[:-1], starts[1:], np.diff(ends)
    found = lengths.astype(np.uint64)
    for place, (at, from_end) in enumerate(((first, 0), (first + _WORD, _WORD), (last - _WORD, 0))):
        inside = np.clip(lengths - from_end, 0, _WORD).astype(np.uint64) * np.uint64(8)
        found = found * np.uint64(_SPREAD[place]) + _within(words[at], inside, at_end=place == 2)
    return found


def _within(words: NDArray[np.uint64], bits: NDArray[np.uint64], *, at_end: bool) -> NDArray[np.uint64]:
    """Clear what is outside of a text that is shorter than a word."""
    import numpy as np

    gap = np.uint64(64) - bits
    moved = (words >> gap) << gap if at_end else (words << gap) >> gap
    return np.where(bits == 0, np.uint64(0), moved)
