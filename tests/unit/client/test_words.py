"""Only the adapters know the words of a generation: its paths, and what they begin with."""

from __future__ import annotations

import re
from pathlib import Path

import airflow_provider_benchmarks

PACKAGE = Path(airflow_provider_benchmarks.__file__).parent
#: The adapters themselves, and the local service, which speaks as they do.
MAY_KNOW = (PACKAGE / "client" / "generations", PACKAGE / "testing")
WORDS = re.compile(
    r"/apis/(?!files/)\w|evaluate/jobs|/benchmark-jobs|benchmark-job-results|eval-results"
    r"|\"(?:evals|evaluator:|evaluation:|evaluation-v2)|\b(?:BenchmarkJobs|EvaluateJobs)\b"
)


def test_nothing_else_knows_them():
    found = {
        f"{path.relative_to(PACKAGE)}:{number}: {match[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not any(path.is_relative_to(folder) for folder in MAY_KNOW)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (match := WORDS.search(line))
    }
    assert found == set()


def test_the_words_are_those_of_the_adapters():
    texts = "\n".join(path.read_text() for path in MAY_KNOW[0].glob("*.py"))
    assert len(set(WORDS.findall(texts))) >= 6
