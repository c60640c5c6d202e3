"""What a job keeps of the benchmark that it runs, in its ``custom_fields`` and in the score store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_benchmarks.benchmarks.benchmark import Benchmark, hash_of
from airflow_provider_benchmarks.jobs import BENCHMARK

#: Fields of a job's custom fields, and of its manifest in a score store: the benchmark's content, and its hash.
CONTENT, CONTENT_HASH = "benchmark_content", "benchmark_hash"


@dataclass(frozen=True, slots=True)
class RecordedBenchmark:
    """The benchmark of a job that was submitted with one as code.

    :param name: reference ``workspace/name``
    :param content: as of :attr:`Benchmark.content`
    """

    name: str
    content: Mapping[str, Any] = field(hash=False)

    @classmethod
    def of(cls, benchmark: Benchmark) -> Self:
        """What is kept of a benchmark."""
        return cls(benchmark.name, benchmark.content)

    @classmethod
    def from_custom_fields(cls, custom_fields: Mapping[str, Any]) -> Self | None:
        """Read it from a job's ``custom_fields``; None where there is none, as of jobs that others have submitted."""
        name, content = custom_fields.get(BENCHMARK), content_of(custom_fields)
        return cls(name, content) if isinstance(name, str) and content is not None else None

    def to_custom_fields(self) -> dict[str, Any]:
        """The fields to submit with a job."""
        return {BENCHMARK: self.name, CONTENT: dict(self.content), CONTENT_HASH: self.content_hash}

    @property
    def content_hash(self) -> str:
        """As of :attr:`Benchmark.content_hash`."""
        return hash_of(self.content)

    @property
    def dataset(self) -> str:
        """The dataset's reference; of rows their number and hash, the same on every service. Empty if not known."""
        rows = self.content.get("rows")
        if isinstance(rows, Mapping):
            return f"{rows.get('number')} rows, sha256 {rows.get('sha256')}"
        return str(self.content.get("dataset") or "")


def content_of(kept: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The content of a benchmark in a job's custom fields, or in its manifest; None where there is none."""
    content = kept.get(CONTENT)
    return content if isinstance(content, Mapping) and isinstance(content.get("metrics"), Mapping) else None
