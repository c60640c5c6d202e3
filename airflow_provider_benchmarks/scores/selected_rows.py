"""Of a stored Parquet file of row scores, only what a comparison looks at, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.files import open_stored, read_row_scores
from airflow_provider_benchmarks.scores.frames import ITEM_HASH, SCORE_COLUMNS
from airflow_provider_benchmarks.scores.parquet import SCORE_COLUMNS_KEY
from airflow_provider_benchmarks.scores.table import INFERENCE_ERROR, METRIC_ERRORS, ROW_INDEX, SAMPLE

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_BATCH_ROWS = 8192


def read_selected_rows(path: Any, *, scores: Iterable[str], fields: Iterable[str], with_items: bool) -> pd.DataFrame:
    """Read some columns; those that the file does not have are left out.

    :param path: a local path or an Airflow ObjectStoragePath
    :param scores: names of scores, with or without their metric's reference; their labels come too
    :param fields: fields of the items
    :param with_items: add a column with a hash of each item, so that equal items are known without reading them
    """
    wanted = set(scores)
    columns = _Columns(path)
    chosen = [column for column in columns.scores if column in wanted or column.removesuffix(".label") in wanted]
    named = set(fields)
    chosen += [column for column in columns.items if column in named or column.removeprefix("item.") in named]
    frame = read_row_scores(path, columns=chosen)
    frame.attrs.setdefault(SCORE_COLUMNS, [])
    if with_items:
        frame[ITEM_HASH] = _item_hashes(path, columns.items)
    return frame


def read_items(path: Any, row_indices: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Read the items of a few rows, by row index."""
    import pyarrow.parquet as pq

    columns = _Columns(path)
    with open_stored(path) as file:
        table = pq.read_table(file, columns=[ROW_INDEX, *columns.items], filters=[(ROW_INDEX, "in", list(row_indices))])
    return {row.pop(ROW_INDEX): {k: v for k, v in row.items() if v is not None} for row in table.to_pylist()}


class _Columns:
    """Names of a file's columns.

    :param path: of the file
    """

    def __init__(self, path: Any) -> None:
        import json

        import pyarrow.parquet as pq

        with open_stored(path) as file:
            schema = pq.read_schema(file)
        self.scores: list[str] = json.loads((schema.metadata or {}).get(SCORE_COLUMNS_KEY, b"[]"))
        fixed = {ROW_INDEX, METRIC_ERRORS, INFERENCE_ERROR, SAMPLE, *self.scores}
        self.items = [name for name in schema.names if name not in fixed]


def _item_hashes(path: Any, items: list[str]) -> NDArray[np.uint64]:
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    parts = []
    with open_stored(path) as file:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS, columns=sorted(items)):
            total = np.zeros(batch.num_rows, dtype=np.uint64)
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                values = pd.Series(column.to_pandas()).astype(object)
                # With its name, so that a text that moves to another field is another item. Missing is as no field.
                hashes = pd.util.hash_array(values.to_numpy(), categorize=False, hash_key=_key_of(name))
                total += np.where(values.isna(), np.uint64(0), hashes)
            parts.append(total)
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _key_of(name: str) -> str:
    """Sixteen bytes, as pandas asks for."""
    import hashlib

    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:16]
