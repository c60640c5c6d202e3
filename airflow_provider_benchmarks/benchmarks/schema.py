"""Write the JSON Schema of benchmark files, for editors (``make schema``)."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_provider_benchmarks.benchmarks.benchmark_file import benchmark_schema

SCHEMA_FILE = Path(__file__).with_name("benchmark.schema.json")


def schema_text() -> str:
    """The text of the file."""
    return json.dumps(benchmark_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    print(f"wrote {SCHEMA_FILE}")
