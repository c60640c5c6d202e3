"""Write the JSON Schema of policy files, for editors: ``python -m airflow_provider_benchmarks.gates.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_provider_benchmarks.gates.policy import policy_schema

SCHEMA_FILE = Path(__file__).with_name("policy.schema.json")


def schema_text() -> str:
    """The text of the file."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    print(f"wrote {SCHEMA_FILE}")
