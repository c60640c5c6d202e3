"""Why a job failed, in words for a person: from its error details, its steps and its log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airflow_provider_benchmarks.jobs.models import BenchmarkJob, JobStatus, LogLine

_REASON_LIMIT = 1500
_LINE_LIMIT = 400
#: "Job exited with code 1" and the like say that something failed, not what.
_EMPTY_REASON = re.compile(r"^Job exited with code -?\d+$")
#: Directories of the service's machine mean nothing to the reader of a task log; the last part of a path may. Of two
#: parts, a path is only what looks like a file; what follows a host, a dot or a word is part of something else.
_SERVER_PATH = re.compile(
    r"(?:(?<=file://)|(?<![\w/.\]]))(?:/[\w.@+-]+){2,}/([\w.@+-]+)"
    r"|(?:(?<=file://)|(?<![\w/.\]]))/[\w.@+-]+/([\w@+-]*\.[\w.@+-]+)"
)
#: What follows these words is a secret if it has a digit, as tokens do and words of a sentence don't.
_NAMED_SECRET = re.compile(
    r"""(?i)((?:bearer|basic)\s+|(?:api[_-]?key|token|secret|secret[_-]?key|password|passwd|authorization)"""
    r"""["']?\s*[:=]\s*["']?(?!bearer\b|basic\b))(?=[^\s"',;&]*\d)[^\s"',;&]{6,}"""
)
#: Tokens of NVIDIA, OpenAI and Anthropic, Hugging Face, GitHub, GitLab, Slack and AWS, and JSON Web Tokens.
_KNOWN_SECRET = re.compile(
    r"\b(?:nvapi-|sk-(?=[\w-]*\d)|hf_|gh[opsru]_|github_pat_|glpat-|xox[abprs]-|AKIA)[\w-]{12,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"
)
_URL_PASSWORD = re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")
_HIDDEN = "***"


def failure_reason(job: BenchmarkJob, log: Sequence[LogLine] = ()) -> str:
    """Give the most telling reason that is known, without directories of the service's machine.

    The top-level reason is often only "Job exited with code 1"; then the reason is a ``root_error`` or ``error`` in
    the log, or the failed step's own message.
    """
    from_steps = [step.error for step in job.steps if step.status == JobStatus.ERROR and step.error]
    errors = [line for line in log if line.level in {"error", "critical"}]
    from_log = [str(line.fields[key]) for key in ("root_error", "error") for line in errors if line.fields.get(key)]
    told = [reason for reason in (job.error, *from_steps) if reason]
    telling = [reason for reason in told if not _EMPTY_REASON.match(reason)]
    candidates = [*from_log, *telling, *(line.message for line in errors), *told]
    reason = candidates[0] if candidates else "the service gives no reason; look at the job's log"
    return clean(reason, _REASON_LIMIT)


def tail(log: Iterable[LogLine], lines: int) -> list[str]:
    """The last lines of a log as text, oldest first; one that repeats stands where it came last, with its number."""
    counts: dict[str, int] = {}
    for line in log:
        if text := _text(line):
            counts[text] = counts.pop(text, 0) + 1
    folded = [text if count == 1 else f"{text} ({count} times)" for text, count in counts.items()]
    return folded[-lines:] if lines > 0 else []


def in_time_order(log: Iterable[LogLine]) -> list[LogLine]:
    """Sort by the time inside each line; one without a time stays behind its predecessor.

    The service returns the lines of a job's tasks in no fixed order.
    """
    latest = ""
    keyed = []
    for line in log:
        latest = line.at or latest
        keyed.append((latest, line))
    return [line for _, line in sorted(keyed, key=lambda pair: pair[0])]


def clean(text: str, limit: int) -> str:
    """Cut a text of the service to a readable length; drop directories of the service's machine, and hide secrets."""
    text = _URL_PASSWORD.sub(_HIDDEN, text)
    text = _NAMED_SECRET.sub(rf"\1{_HIDDEN}", text)
    text = _KNOWN_SECRET.sub(_HIDDEN, text)
    text = _SERVER_PATH.sub(lambda path: f"…/{path[1] or path[2]}", text)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


def _text(line: LogLine) -> str:
    known = ("root_error", "error", "metric_ref", "metric_key", "row_index", "item_index", "scores")
    details = ", ".join(f"{key}={line.fields[key]}" for key in known if line.fields.get(key) not in (None, ""))
    text = line.message + (f" ({details})" if details else "")
    return clean(f"{line.level}: {text}" if line.level else text, _LINE_LIMIT)
