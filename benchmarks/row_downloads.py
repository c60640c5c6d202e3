"""Measure how fast row scores are fetched and stored, beside other ways: ``make bench-rows``.

Every comparison is of one run: the ways take turns, five rounds, medians. Sections: ``local`` (a local evaluation
service over loopback HTTP, a local disk), ``s3`` (moto's S3 server) and ``platform`` (a real NeMo Platform, its SDK).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from generate_rows import write_rows
from measuring import Way, in_turn, markdown

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE, EvaluationService, Seeder
from tests.support.airflow_runs import connection
from tests.support.fast_job import FastJob
from tests.support.real_platform import RealPlatform
from tests.support.s3_server import BUCKET, S3Server

JOB = "big"
PARQUET_FILES = (
    "recipe.parquet",
    "snappy.parquet",
    "ours.parquet",
    "arrow.parquet",
    "duckdb.parquet",
    "polars.parquet",
)
#: What those need that convert a file; it is fetched into their time.
_FETCHED_FILES = ("duckdb.parquet.jsonl", "polars.parquet.jsonl")
#: What a user would pick instead, by the name of the way.
_TOOLS = {
    "arrow": "pyarrow's streaming JSON reader",
    "duckdb": "curl and DuckDB",
    "polars": "curl and Polars",
}
_WAYS = str(Path(__file__).with_name("row_download_ways.py"))


def way(name: str, kind: str, *arguments: object, python: str = sys.executable) -> Way:
    return Way(name, [python, _WAYS, kind, *map(str, arguments)])


def ratio(ours: Way, other: Way) -> str:
    return f"{other.median / ours.median:.2f}×"


@contextmanager
def served(folder: Path, rows: int) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """Give the URL of the row scores, their file, and the environment for a job with so many rows."""
    source = folder / f"{rows}.jsonl"
    aggregate = write_rows(source, rows)
    with EvaluationService() as service:
        benchmark = service.seed_question_answer_example()
        service.give_results(benchmark, aggregate=aggregate, rows=source)
        with BenchmarkClient(ClientConfig(base_url=service.url, workspace=EXAMPLE_WORKSPACE)) as client:
            client.submit_job({"benchmark": benchmark}, name=JOB)
            while not client.get_status(JOB).is_finished:
                time.sleep(0.1)
            results = {result.name: result for result in client.list_results(JOB)}
        fileset, path = str(results["row-scores"].artifact_url).split("/", 1)[1].split("#")
        url = f"{service.url}/apis/files/v2/workspaces/{EXAMPLE_WORKSPACE}/filesets/{fileset}/-/{path}"
        variables = {"AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT": connection(service.url), "AIRFLOW_HOME": str(folder)}
        yield url, source, variables


def measure_local(folder: Path, rows: int, rounds: int) -> list[list[str]]:
    print(f"{rows:,} rows over loopback HTTP to a local disk", flush=True)
    with served(folder, rows) as (url, source, variables):
        curl = way("curl", "curl", url, folder / "curl.jsonl")
        jsonl = way("JSONL", "ours", JOB, folder / "ours.jsonl", "jsonl")
        recipe = way("pandas recipe", "recipe", url, folder / "recipe.parquet")
        parquet = way("Parquet", "ours", JOB, folder / "ours.parquet", "parquet")
        snappy = way("Parquet, snappy", "ours", JOB, folder / "snappy.parquet", "parquet", "snappy")
        others = [way(name, name, url, folder / f"{name}.parquet") for name in ("arrow", "duckdb", "polars")]
        in_turn([curl, jsonl, recipe, snappy, parquet, *others], rounds=rounds, environment=variables)
        sizes = [f"{(folder / name).stat().st_size / 1e9:.2f} GB" for name in PARQUET_FILES]
        print(f"  sizes of {', '.join(PARQUET_FILES)}: {', '.join(sizes)}")
        size = f"{rows:,} rows, {source.stat().st_size / 1e9:.2f} GB"
        source.unlink()
    for name in ("curl.jsonl", "ours.jsonl", *PARQUET_FILES, *_FETCHED_FILES):
        (folder / name).unlink()
    return [
        [f"{size} to a JSONL file", "curl to a file", ratio(jsonl, curl), f"{jsonl.peak:.0f} MB"],
        [f"{size} to Parquet, snappy", "documented pandas recipe", ratio(snappy, recipe), f"{snappy.peak:.0f} MB"],
        [f"{size} to Parquet, zstd", "documented pandas recipe", ratio(parquet, recipe), f"{parquet.peak:.0f} MB"],
        ["", "(the recipe's own memory)", "", f"{recipe.peak:.0f} MB"],
        *(
            [f"{size} to Parquet, zstd", f"{_TOOLS[other.name]} ({other.peak:.0f} MB)", ratio(parquet, other), ""]
            for other in others
        ),
    ]


def measure_memory(folder: Path, rows: int) -> list[list[str]]:
    print(f"memory for {rows:,} rows", flush=True)
    with served(folder, rows) as (_, source, variables):
        jsonl = way("JSONL", "ours", JOB, folder / "ours.jsonl", "jsonl")
        parquet = way("Parquet", "ours", JOB, folder / "ours.parquet", "parquet")
        in_turn([jsonl, parquet], rounds=1, environment=variables)
        source.unlink()
    for name in ("ours.jsonl", "ours.parquet"):
        (folder / name).unlink()
    return [
        [f"{rows:,} rows to a JSONL file", "", "", f"{jsonl.peak:.0f} MB"],
        [f"{rows:,} rows to Parquet", "", "", f"{parquet.peak:.0f} MB"],
    ]


def measure_s3(folder: Path, rows: int, rounds: int) -> list[list[str]]:
    print(f"{rows:,} rows over loopback HTTP to moto's S3 server", flush=True)
    with served(folder, rows) as (_, source, variables), S3Server() as s3:
        s3fs = way("s3fs from memory", "s3fs", source, f"s3://{BUCKET}/s3fs.jsonl")
        ours = way("JSONL", "ours", JOB, f"s3://{BUCKET}/ours.jsonl", "jsonl")
        in_turn([s3fs, ours], rounds=rounds, environment={**variables, "AIRFLOW_CONN_AWS_SCORES": s3.connection})
        source.unlink()
    return [[f"{rows:,} rows to moto S3, JSONL", "s3fs from memory", ratio(ours, s3fs), f"{ours.peak:.0f} MB"]]


def measure_platform(folder: Path, rows: int, rounds: int, *, short: bool) -> list[list[str]]:
    source = folder / "platform.jsonl"
    aggregate = write_rows(source, rows, short=short)
    size = f"{rows:,} rows, {source.stat().st_size / 1e6:.0f} MB, from the real platform"
    print(size, flush=True)
    with RealPlatform(controllers=False) as platform:
        with Seeder(platform.url) as seeder:
            benchmark = seeder.question_answer_example()
        with BenchmarkClient(ClientConfig(base_url=platform.url, workspace=EXAMPLE_WORKSPACE)) as client:
            client.submit_job({"benchmark": benchmark}, name=JOB)
        with httpx.Client(base_url=platform.url, trust_env=False, timeout=300) as http:
            job = FastJob(http, EXAMPLE_WORKSPACE, JOB)
            job.run_to_active()
            job.result("aggregate-scores", json.dumps(aggregate).encode())
            job.result("row-scores", source.read_bytes())
            job.step("evaluation", "completed")
        python = str(platform.venv / "bin" / "python")
        sdk = way("vendor SDK", "sdk", platform.url, EXAMPLE_WORKSPACE, JOB, folder / "sdk.jsonl", python=python)
        ours = way("JSONL", "ours", JOB, folder / "ours.jsonl", "jsonl")
        variables = {"AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT": connection(platform.url), "AIRFLOW_HOME": str(folder)}
        in_turn([sdk, ours], rounds=rounds, environment=variables)
    return [[size, "vendor SDK to JSONL", ratio(ours, sdk), f"{ours.peak:.0f} MB"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", default=["local", "s3", "platform"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--platform-rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    table: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="row-downloads-") as name:
        folder = Path(name)
        if "local" in options.sections:
            table += measure_local(folder, options.rows, options.rounds)
            table += measure_memory(folder, 3 * options.rows)
        if "s3" in options.sections:
            table += measure_s3(folder, options.rows, options.rounds)
        if "platform" in options.sections:
            for short in (True, False):
                table += measure_platform(folder, options.platform_rows, options.rounds, short=short)
    print(markdown(["work", "against", "speed", "peak memory"], table))


if __name__ == "__main__":
    main()
