"""Why a job failed, in words for a person: from its error details, its steps and its log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from heapq import nlargest
from operator import itemgetter

from airflow_provider_benchmarks.inert import indented
from airflow_provider_benchmarks.jobs.models import BenchmarkJob, JobStatus, LogLine
from airflow_provider_benchmarks.masking import safe_text

#: The place of a line in a log: the time that it has or follows, and its number.
_Place = tuple[str, int]
_ERROR_LEVELS = ("error", "critical")
_REASON_LIMIT = 1500
_LINE_LIMIT = 400
#: Characters of a line that are stored until it is shown: more, since what is hidden makes it shorter.
_STORED_CHARACTERS = 2000
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


class LogSummary:
    """What explains the failure of a job in its log: the first errors and the last lines, in bounded memory.

    The service returns the lines of a job's tasks in no fixed order: each has its place by the time inside it, and one
    without a time is behind its predecessor.

    :param log: lines as the service sends them
    :param keep: number of different lines that :meth:`tail` can return
    """

    def __init__(self, log: Iterable[LogLine] = (), *, keep: int = 1000) -> None:
        self.lines = 0
        self._keep = max(keep, 1)
        self._latest = ""
        self._errors: dict[str, tuple[_Place, str]] = {}
        #: By the beginning of a line and its length: where it came last, and how often. Cleaned only when it is shown.
        self._last: dict[tuple[str, int], tuple[_Place, int]] = {}
        self.add(log)

    def add(self, log: Iterable[LogLine]) -> None:
        for line in log:
            self.lines += 1
            self._latest = line.at or self._latest
            place = (self._latest, self.lines)
            if line.level in _ERROR_LEVELS:
                self._add_error(line, place)
            if text := _text(line):
                known = text[:_STORED_CHARACTERS], len(text)
                latest, count = self._last.get(known, (place, 0))
                self._last[known] = max(latest, place), count + 1
                if len(self._last) >= 2 * self._keep:
                    self._last = dict(nlargest(self._keep, self._last.items(), key=itemgetter(1)))

    def first_error(self, kind: str) -> str:
        """The first ``root_error``, ``error`` or ``message`` of a line that reports an error; empty if none has it."""
        return self._errors.get(kind, (None, ""))[1]

    def tail(self, lines: int) -> list[str]:
        """The last lines as text, oldest first; one that repeats stands where it came last, with its number.

        Repeats that lie more lines apart than are kept are not counted together.
        """
        counts: dict[str, int] = {}
        for (text, length), (_, count) in sorted(self._last.items(), key=itemgetter(1)):
            shown = clean(text, _LINE_LIMIT, more=length - len(text))
            counts[shown] = counts.pop(shown, 0) + count
        folded = [text if count == 1 else f"{text} ({count} times)" for text, count in counts.items()]
        return folded[-lines:] if lines > 0 else []

    def _add_error(self, line: LogLine, place: _Place) -> None:
        reasons = {"root_error": line.root_error, "error": line.error, "message": line.message}
        for kind, text in reasons.items():
            if text and (kind not in self._errors or place < self._errors[kind][0]):
                self._errors[kind] = place, text


def failure_reason(job: BenchmarkJob, log: LogSummary | None = None) -> str:
    """Return the most specific reason that is known, without directories of the service's machine.

    The top-level reason is often only "Job exited with code 1"; then the reason is a ``root_error`` or ``error`` in
    the log, or the failed step's own message.
    """
    log = log or LogSummary()
    from_steps = [step.error for step in job.steps if step.status == JobStatus.ERROR and step.error]
    counted = job.row_counts.message if job.row_counts is not None and job.row_counts.is_failure else ""
    reported = [reason for reason in (job.error, counted, *from_steps) if reason]
    specific = [reason for reason in reported if not _EMPTY_REASON.match(reason)]
    from_log = [log.first_error("root_error"), log.first_error("error")]
    candidates = [*from_log, *specific, log.first_error("message"), *reported]
    reason = next(filter(None, candidates), "the service gives no reason; look at the job's log")
    return clean(reason, _REASON_LIMIT)


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


def clean(text: str, limit: int, *, more: int = 0) -> str:
    """Cut a text of the service to a readable length, inert; drop directories of its machine, and hide secrets.

    :param more: characters that have been cut off already
    """
    text = _URL_PASSWORD.sub(_HIDDEN, safe_text(text))
    text = _NAMED_SECRET.sub(rf"\1{_HIDDEN}", text)
    text = _KNOWN_SECRET.sub(_HIDDEN, text)
    text = _SERVER_PATH.sub(lambda path: f"…/{path[1] or path[2]}", text)
    left_out = max(len(text) - limit, 0) + more
    return indented(f"{text[:limit]}… ({left_out} more characters)" if left_out else text)


def _text(line: LogLine) -> str:
    reasons = {name: text for name, text in (("root_error", line.root_error), ("error", line.error)) if text}
    details = ", ".join(f"{name}={value}" for name, value in (reasons | dict(line.details)).items())
    text = line.message + (f" ({details})" if details else "")
    return f"{line.level}: {text}" if line.level else text
