"""What a job is to do, in no service's own words: a benchmark, and what it is run with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_benchmarks.benchmarks.benchmark import REFERENCE, Benchmark
from airflow_provider_benchmarks.benchmarks.plain import plain
from airflow_provider_benchmarks.benchmarks.recorded import RecordedBenchmark
from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.json_values import fits_utf8

#: Of benchmark files. The service takes no name with a dot for a benchmark.
_FILE_ENDINGS = (".yaml", ".yml", ".json")
#: What a benchmark is run with, after it was read as JSON.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((str, dict, type(None)), 'a reference "workspace/name", or a mapping with "url" and "name"'),
    "prompt_template": ((str, dict, type(None)), "a text or a mapping"),
    "params": ((dict, type(None)), "a mapping of the job's parameters"),
}


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job that runs a benchmark.

    :param benchmark: the benchmark, or the reference ``workspace/name`` of one that the service has stored
    :param model: the model whose outputs are scored, for an online job: a reference ``workspace/name``, or a mapping
        with ``url``, ``name`` and others of the service's fields; None where the dataset has the outputs
    :param prompt_template: of the requests to the model, with the service's own templates, ``{{item.question}}``
    :param params: the service's job parameters, such as ``parallelism`` and ``limit_samples``
    :raises ConfigurationError: a part is no JSON, there is a prompt template without a model, or a benchmark as code
        has a model without a prompt template
    """

    benchmark: Benchmark | str
    model: str | Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    prompt_template: str | Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    params: Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        for name, (kinds, words) in _KINDS.items():
            value = plain(getattr(self, name), (name,))
            if not isinstance(value, kinds):
                raise ConfigurationError(f"{name} must be {words}, found {brief(value)}")
            object.__setattr__(self, name, value)
        if not isinstance(self.benchmark, Benchmark) and not is_reference(self.benchmark):
            raise ConfigurationError(
                f'expected a Benchmark, or the reference "workspace/name" of a stored one, found '
                f"{brief(self.benchmark)}"
            )
        if self.prompt_template is not None and not self.model:
            raise ConfigurationError(f"{self.name}: a prompt_template needs a model, whose requests it makes")
        if self.model and self.prompt_template is None and isinstance(self.benchmark, Benchmark):
            raise ConfigurationError(f"{self.name}: a model needs a prompt_template, which makes its requests of rows")

    @property
    def name(self) -> str:
        """Reference of the benchmark."""
        return self.benchmark if isinstance(self.benchmark, str) else self.benchmark.name

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two requests the same job, as JSON: the benchmark's content, and what it is run with."""
        content = None if isinstance(self.benchmark, str) else self.benchmark.content_hash
        return {
            "benchmark": self.name,
            "content_hash": content,
            "model": self.model,
            "prompt_template": self.prompt_template,
            "params": dict(self.params or {}),
        }

    @property
    def custom_fields(self) -> dict[str, Any]:
        """What is kept with the job, so that whoever reads its scores knows what it has measured."""
        return {} if isinstance(self.benchmark, str) else RecordedBenchmark.of(self.benchmark).to_custom_fields()


def is_reference(value: Any) -> bool:
    """True for a text that can be the reference of a stored benchmark, and not the path of a benchmark file."""
    return (
        isinstance(value, str)
        and re.fullmatch(REFERENCE, value) is not None
        and fits_utf8(value)
        and not value.endswith(_FILE_ENDINGS)
    )
