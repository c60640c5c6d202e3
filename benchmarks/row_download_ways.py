"""One way of fetching row scores, as a process: ``python row_download_ways.py NAME ARGUMENT…`` prints its seconds.

Imports come before the clock starts, for every way alike: an Airflow worker has them loaded.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from generate_rows import METRICS
from measuring import peak_megabytes

S3_CONNECTION = "aws_scores"
#: A row group each: pyarrow's own 1 MiB would make a thousand of them.
_ARROW_BLOCK_BYTES = 8 * 1024 * 1024


def ours(job: str, destination: str, row_format: str, compression: str | None = None) -> Callable[[], object]:
    """The hook, from the first request to the finished file: counted, hashed, checked, and on the disk."""
    import airflow.sdk  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from airflow_provider_benchmarks.hooks import downloads  # noqa: F401
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

    storage = S3_CONNECTION if destination.startswith("s3:") else None
    hook = BenchmarkHook()
    hook.client  # noqa: B018  (as the SDK's client is made before its clock starts)
    return lambda: hook.download_row_scores(
        job, destination, format=row_format, compression=compression, storage_conn_id=storage
    )


def curl(url: str, destination: str) -> Callable[[], object]:
    return lambda: subprocess.run(["curl", "--silent", "--fail", "--output", destination, url], check=True)


def recipe(url: str, destination: str) -> Callable[[], object]:
    """The pandas recipe of the service's documentation, with its row index kept, over a plain HTTP connection."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401

    def run() -> None:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.netloc)
        connection.request("GET", address.path)
        rows = []
        for line in connection.getresponse():
            row = json.loads(line)
            flat_row = {"row_index": row["row_index"], **row["item"]}
            for scores in row["metrics"].values():
                for score in scores:
                    flat_row[score["name"]] = score["value"]
            rows.append(flat_row)
        pd.DataFrame(rows).to_parquet(destination)

    return run


def arrow(url: str, destination: str) -> Callable[[], object]:
    """pyarrow's JSON reader in streaming blocks, over a plain HTTP connection, to Parquet with zstd."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    def flat(batch: pa.RecordBatch) -> pa.Table:
        item, metrics = batch["item"], batch["metrics"]
        columns = {"row_index": batch["row_index"]}
        columns |= dict(zip((field.name for field in item.type), item.flatten(), strict=True))
        for metric, name in METRICS.items():
            columns[name] = pc.struct_field(pc.list_element(pc.struct_field(metrics, metric), 0), "value")
        return pa.table(columns)

    def run() -> None:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.netloc)
        connection.request("GET", address.path)
        options = pj.ReadOptions(block_size=_ARROW_BLOCK_BYTES)
        writer = None
        for batch in pj.open_json(connection.getresponse(), read_options=options):
            table = flat(batch)
            writer = writer or pq.ParquetWriter(destination, table.schema, compression="zstd")
            writer.write_table(table)
        if writer is not None:
            writer.close()

    return run


def duckdb(url: str, destination: str) -> Callable[[], object]:
    """DuckDB's JSON reader on the file that curl has fetched, to Parquet with zstd."""
    import duckdb as db

    source = f"{destination}.jsonl"
    scores = ", ".join(f'metrics."{metric}"[1].value AS "{name}"' for metric, name in METRICS.items())
    rows = f"SELECT row_index, unnest(item), {scores} FROM read_json('{source}', format = 'newline_delimited')"

    def run() -> None:
        curl(url, source)()
        db.sql(f"COPY ({rows}) TO '{destination}' (FORMAT parquet, COMPRESSION zstd)")

    return run


def polars(url: str, destination: str) -> Callable[[], object]:
    """Polars' streaming engine on the file that curl has fetched, to Parquet with zstd."""
    import polars as pl

    source = f"{destination}.jsonl"
    metrics = pl.col("metrics").struct
    scores = [metrics.field(metric).list.first().struct.field("value").alias(name) for metric, name in METRICS.items()]

    def run() -> None:
        curl(url, source)()
        pl.scan_ndjson(source).select("row_index", "item", *scores).unnest("item").sink_parquet(
            destination, compression="zstd"
        )

    return run


def s3fs_from_memory(source: str, destination: str) -> Callable[[], object]:
    """The same bytes through the same filesystem, without HTTP to the service, counting, hashing or checking."""
    from airflow.sdk import ObjectStoragePath

    content = Path(source).read_bytes()
    path = ObjectStoragePath(destination, conn_id=S3_CONNECTION)
    path.fs  # noqa: B018  (makes the filesystem)

    def run() -> None:
        with path.open("wb") as file:
            file.write(content)

    return run


def sdk(base_url: str, workspace: str, job: str, destination: str) -> Callable[[], object]:
    """The vendor's SDK, run by the platform's own Python."""
    from nemo_platform import NeMoPlatform

    client = NeMoPlatform(base_url=base_url, workspace=workspace)

    def run() -> None:
        with open(destination, "w") as file:
            rows = client.evaluation.benchmark_jobs.results.row_scores.download(job)
            file.writelines(json.dumps(row if isinstance(row, dict) else row.to_dict()) + "\n" for row in rows)

    return run


WAYS = {
    "ours": ours,
    "curl": curl,
    "recipe": recipe,
    "arrow": arrow,
    "duckdb": duckdb,
    "polars": polars,
    "s3fs": s3fs_from_memory,
    "sdk": sdk,
}

if __name__ == "__main__":
    work = WAYS[sys.argv[1]](*sys.argv[2:])
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_megabytes": peak_megabytes()}))
