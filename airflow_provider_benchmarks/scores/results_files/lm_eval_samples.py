"""The samples of lm-evaluation-harness: a line for each document and filter.

A call of the model that failed ends the run. But where a server answers without content, as for models that have used
up their tokens for reasoning, the harness takes an empty answer (``LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER``) and scores
it. Nothing tells it from one that the model has left empty: its scores stay as they are, and both are counted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_benchmarks.brief import brief, brief_names, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.results_files.files import MAX_ROWS, ResultFile, text_at, whole_number_at
from airflow_provider_benchmarks.scores.results_files.json_size import KeptValues
from airflow_provider_benchmarks.scores.results_files.run import has_value, score_number


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the dataset, as far as its lines have been read.

    :param scores: ``{metric: {score name: value}}``
    """

    item: dict[str, Any]
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    filters: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Samples:
    """What the lines of a task have.

    :param documents: by their numbers
    :param valued: metrics and filters of which some document has a value, such as the texts for BLEU
    :param empty: numbers of the documents whose answers are all empty
    """

    documents: dict[int, Document] = field(default_factory=dict)
    valued: set[tuple[str, str]] = field(default_factory=set)
    empty: set[int] = field(default_factory=set)


def read_samples(samples: ResultFile) -> Samples:
    """All documents.

    :raises IncompleteResults: one is there twice, or lacks a filter that others have
    """
    read, kept = Samples(), KeptValues()
    for line in samples.lines():
        number = whole_number_at(line, "doc_id")
        if (found := read.documents.get(number)) is None:
            found = read.documents[number] = Document(_item(line))
            kept.add(found.item)
        if found.item["doc_hash"] != line.get("doc_hash"):
            raise IncompleteResults(f"{samples.url}: there are two documents {number}")
        kept.add(_add_scores(read, found, line, f"{samples.url}: document {number}"))
        if _is_empty(line.get("resps")):
            read.empty.add(number)
        if len(read.documents) > MAX_ROWS:
            raise IncompleteResults(f"{samples.url}: there are more than {MAX_ROWS:,} documents")
    filters = {name for found in read.documents.values() for name in found.filters}
    for number, found in read.documents.items():
        if missing := filters - found.filters:
            raise IncompleteResults(
                f"{samples.url}: document {number} lacks filter {brief_names(sorted(missing))}: it is cut short"
            )
    return read


def _is_empty(answers: Any) -> bool:
    """True for answers of which each is an empty text; those of multiple choice are no texts."""
    return isinstance(answers, list) and bool(answers) and all(each in ("", [""]) for each in answers)


def _item(line: dict[str, Any]) -> dict[str, Any]:
    """What identifies a document. The prompt is not in it, which a comparison of two prompts would pair nothing with.

    ``doc_id`` is the position in the dataset, and ``doc_hash`` the hash of the document's content.
    """
    document = line.get("doc")
    item = dict(document) if isinstance(document, dict) else {"doc": document}
    return item | {"doc_id": line["doc_id"], "doc_hash": text_at(line, "doc_hash"), "target": line.get("target")}


def _add_scores(read: Samples, document: Document, line: dict[str, Any], where: str) -> dict[str, Any]:
    """Add the scores of a line to those of its document, and return them."""
    metrics, filter_name = line.get("metrics"), text_at(line, "filter")
    if not isinstance(metrics, list) or not all(isinstance(metric, str) for metric in metrics):
        raise IncompleteResults(f'{where}: expected names of metrics as "metrics", found {brief(metrics)}')
    if filter_name in document.filters:
        raise IncompleteResults(f'{where}: filter "{shortened(filter_name)}" stands there twice')
    document.filters.add(filter_name)
    added: dict[str, Any] = {}
    for metric in metrics:
        value = _value(line.get(metric))
        if has_value(value):
            read.valued.add((metric, filter_name))
        # Of some metrics a document has what the score of all is computed from, such as the texts for BLEU.
        if value is not None and not isinstance(value, float | str):
            continue
        name, named = score_name(metric, filter_name), document.scores.setdefault(metric, {})
        if name in named:
            raise IncompleteResults(f'{where}: score "{shortened(name)}" of {shortened(metric)} stands there twice')
        named[name] = added[metric] = value
    return added


def _value(value: Any) -> Any:
    """A score; the harness writes numbers of types that JSON does not know, such as float32, as texts."""
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return score_number(value)


def score_name(metric: str, filter_name: str) -> str:
    return metric if filter_name == "none" else filter_name
