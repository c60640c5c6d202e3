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

from measuring import peak_megabytes

S3_CONNECTION = "aws_scores"


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


WAYS = {"ours": ours, "curl": curl, "recipe": recipe, "s3fs": s3fs_from_memory, "sdk": sdk}

if __name__ == "__main__":
    work = WAYS[sys.argv[1]](*sys.argv[2:])
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_megabytes": peak_megabytes()}))
