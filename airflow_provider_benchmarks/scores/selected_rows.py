"""Read what a comparison needs of a stored Parquet file of row scores, and no more, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.formats.parquet import named_if_damaged, open_parquet
from airflow_provider_benchmarks.formats.table_file import ITEMS_KEY, JSON_KEY, SCORE_COLUMNS_KEY, own_field
from airflow_provider_benchmarks.scores.column_names import without_number
from airflow_provider_benchmarks.scores.columns import FIXED, ROW_INDEX, SAMPLE
from airflow_provider_benchmarks.scores.equality import canonical_texts, hash_items
from airflow_provider_benchmarks.scores.frames import ITEM_FIELDS, REPEATS, SCORE_COLUMNS, says_fields
from airflow_provider_benchmarks.scores.item_hashes import hash_others, present
from airflow_provider_benchmarks.scores.json_values import LABEL, parse_json
from airflow_provider_benchmarks.scores.known_files import named_if_gone
from airflow_provider_benchmarks.scores.own_fields import OTHERS, Field
from airflow_provider_benchmarks.scores.reading import read_row_scores
from airflow_provider_benchmarks.scores.stored_files import named_if_unreadable, open_stored, storage_errors

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

_BATCH_ROWS = 8192
#: Number of values, missing ones included, that are in memory at a time.
_BATCH_VALUES = 4_000_000


def read_selected_rows(path: Any, *, scores: Iterable[str], fields: Iterable[str]) -> pd.DataFrame:
    """Read some columns; those that the file does not have are left out.

    :param path: a local path or an Airflow ObjectStoragePath
    :param scores: names of scores, with or without their metric's reference; their labels come too
    :param fields: fields of the items
    """
    wanted = set(scores)
    columns = _Columns(path)
    chosen = [
        column
        for column in columns.scores
        if column in wanted or column.removesuffix(LABEL) in wanted or without_number(column) in wanted
    ]
    named = set(fields)
    own = [column for column, field in columns.fields.items() if field in named]
    chosen += own
    if columns.others is not None and len(own) < len(named):
        chosen.append(columns.others)
    frame = read_row_scores(path, columns=chosen)
    frame.attrs |= {SCORE_COLUMNS: frame.attrs.get(SCORE_COLUMNS, []), ITEM_FIELDS: columns.items}
    frame.attrs |= says_fields(columns.fields) | {REPEATS: columns.repeats}
    return frame


def number_items(paths: Sequence[Any], *, by_field: bool = False) -> list[NDArray[np.uint64]]:
    """Number the items of each row of some files; the same number means the same item, whatever file it is in.

    Of files with the same digest of their items, only the metadata is read, or one of them.

    :param paths: local paths or Airflow ObjectStoragePaths
    :param by_field: the numbers are those of :func:`~airflow_provider_benchmarks.scores.equality.hash_items`, from
        which that of a field can be taken
    """
    import numpy as np

    files = [_Columns(path, was_there=True) for path in paths]
    first = files[0]
    if first.digest is None or any((file.digest, file.fields) != (first.digest, first.fields) for file in files):
        return [_item_hashes(path, file) for path, file in zip(paths, files, strict=True)]
    numbers = (
        np.arange(first.rows, dtype=np.uint64) if first.all_differ and not by_field else _item_hashes(paths[0], first)
    )
    return [numbers] * len(files)


@dataclass(frozen=True, slots=True)
class StoredItems:
    """The items of a file, to be read as they are needed.

    :param path: a local path or an Airflow ObjectStoragePath
    """

    path: Any

    def __deepcopy__(self, _: Any) -> StoredItems:
        return self  # pandas copies the attributes of a frame with each of its parts

    def read(self, row_indices: Sequence[int]) -> dict[int, dict[str, Any]]:
        return read_items(self.path, row_indices)


def read_items(path: Any, row_indices: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Read the items of a few rows, as :func:`read_records` does."""
    return {index: item for index, (item, _) in read_records(path, row_indices).items()}


def read_records(path: Any, row_indices: Sequence[int]) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Read a few rows, by row index; those whose index comes twice are left out, as it does not tell which is which.

    :return: the item of each, without the fields that it does not have; and the model's outputs, where the file has
        them
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    file_columns = _Columns(path, was_there=True)
    columns = [ROW_INDEX, *file_columns.items, *([SAMPLE] if file_columns.has_sample else [])]
    wanted = pa.array(row_indices, type=pa.int64())
    found: list[dict[str, Any]] = []
    # Without read_table(filters=…), which reads with Arrow's threads.
    with _opened(path, was_there=True) as file, open_parquet(file) as parquet:
        for group in range(parquet.num_row_groups):
            indices = parquet.read_row_group(group, columns=[ROW_INDEX], use_threads=False)[ROW_INDEX]
            mask = pc.is_in(indices, value_set=wanted)
            if pc.any(mask).as_py():
                rows = parquet.read_row_group(group, columns=columns, use_threads=False).filter(mask)
                values = [_values(field, column) for field, column in zip(rows.schema, rows.columns, strict=True)]
                found += (dict(zip(rows.column_names, row, strict=True)) for row in zip(*values, strict=True))
    fields = file_columns.fields
    samples = [(row.pop(ROW_INDEX), row.pop(SAMPLE, None), row) for row in found]
    times = Counter(index for index, _, _ in samples)
    return {
        index: (
            present({fields[name]: value for name, value in row.items()}),
            sample if isinstance(sample, dict) else {} if sample is None else {SAMPLE: sample},
        )
        for index, sample, row in samples
        if times[index] == 1
    }


class _Columns:
    """Names of a file's columns, and the digest of its items.

    :param path: of the file
    :param was_there: as of :func:`_opened`
    """

    def __init__(self, path: Any, *, was_there: bool = False) -> None:
        import pyarrow.parquet as pq

        with _opened(path, was_there=was_there) as file:
            self._read(pq.read_metadata(file))

    def _read(self, found: Any) -> None:
        import json

        metadata = found.metadata or {}
        self.rows: int = found.num_rows
        self.scores: list[str] = json.loads(metadata.get(SCORE_COLUMNS_KEY, b"[]"))
        fixed = {*FIXED, *self.scores}
        #: The field in each column of the items.
        self.fields: dict[str, Field] = {
            field.name: own_field(field) for field in found.schema.to_arrow_schema() if field.name not in fixed
        }
        self.items = list(self.fields)
        self.has_sample = SAMPLE in found.schema.to_arrow_schema().names
        #: The column of the fields that have none of their own; None where all have.
        self.others = next((name for name, field in self.fields.items() if field is OTHERS), None)
        items = json.loads(metadata.get(ITEMS_KEY, b"{}"))
        self.digest: str | None = items.get("digest")
        #: No two items are equal. What earlier files call "distinct" did not promise that.
        self.all_differ: bool = items.get("all_differ", False)
        #: What looks like repeats of items, as UnnoticedRepeats writes it.
        self.repeats: dict[str, Any] | None = items.get("repeats")


def _item_hashes(path: Any, columns: _Columns) -> NDArray[np.uint64]:
    """By field and not by column, as another file may have the same items in other columns."""
    import numpy as np

    if not columns.items:
        return np.zeros(columns.rows, dtype=np.uint64)
    parts = []
    with _opened(path, was_there=True) as file, open_parquet(file) as parquet:
        for batch in _batches(parquet, sorted(columns.items)):
            own = ((columns.fields[field.name], field, batch.column(field.name)) for field in batch.schema)
            texts = ((name, canonical_texts(_values(*found))) for name, *found in own if name is not OTHERS)
            parts.append(hash_items(texts, batch.num_rows))
            if columns.others is not None:
                others = map(_parsed, batch.column(columns.others).to_pylist())
                parts[-1] += hash_others(others, batch.num_rows)
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _batches(parquet: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some columns, so few rows at a time that those of very many fields stay small."""
    rows = max(min(_BATCH_ROWS, _BATCH_VALUES // len(columns)), 1)
    # Row group by row group, as a batch of texts may be large where it has rows of several.
    for group in range(parquet.num_row_groups):
        yield from parquet.iter_batches(batch_size=rows, row_groups=[group], columns=columns, use_threads=False)


@contextmanager
def _opened(path: Any, *, was_there: bool = False) -> Iterator[Any]:
    """Open a Parquet file to be read in the block.

    :param was_there: something was read from it before, so that it has gone meanwhile where it is not there
    :raises IncompleteResults: it can't be read, or has gone; names it
    :raises OSError: it is not there, or the storage fails
    """
    with (
        storage_errors(path),
        named_if_gone(path) if was_there else nullcontext(),
        named_if_unreadable(path),
        open_stored(path) as file,
        named_if_damaged(path),
    ):
        yield file


def _values(field: pa.Field, column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """The values of a column. A field's column is of one type in one file, and of JSON text in another."""
    values: list[Any] = column.to_pylist()
    if JSON_KEY not in (field.metadata or {}):
        return values
    return list(map(_parsed, values))


def _parsed(text: str | None) -> Any:
    return None if text is None else parse_json(text)
