"""What differs between releases of the service, as recorded on 0.1.0, 0.3.0, 0.6.0, 0.7.3 and 0.8.1.

A release between two recorded ones behaves as the service's documentation says, else as the recorded one before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"0\.(\d{1,3})(?:\.(\d{1,3}))?")
#: Patch level of the release that was recorded.
_RECORDED_PATCHES = {7: 3, 8: 1}


@dataclass(frozen=True, slots=True)
class Release:
    """A release of the service.

    :param minor: 8 of 0.8.1
    :param patch: 1 of 0.8.1
    """

    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> Release:
        """Read ``0.8`` or ``0.8.1``; without a patch level it is the recorded one's.

        :raises ValueError: it is not a release of the service
        """
        match = _NUMBER.fullmatch(text)
        if match is None or int(match[1]) < 1:
            raise ValueError(f'"{text}" is not a release of the service: use for instance "0.1", "0.3" or "0.8.1"')
        minor = int(match[1])
        return cls(minor, int(match[2] if match[2] is not None else _RECORDED_PATCHES.get(minor, 0)))

    @property
    def version(self) -> str:
        """The version as ``/cluster-info`` returns it. 0.1.0 from the package registry does not know its own."""
        return f"0.{self.minor}.{self.patch}" if self.evaluates_bundles else "dev"

    @property
    def evaluates_bundles(self) -> bool:
        """Whether a job brings its metrics along. 0.1 stores benchmarks instead."""
        return self.minor >= 2

    @property
    def prefix(self) -> str:
        """Name of the evaluation service in paths below ``/apis``."""
        if not self.evaluates_bundles:
            return "evaluation"
        return "evaluator" if self.minor < 8 else "evals"

    @property
    def refuses_any_token(self) -> bool:
        """Whether an unknown bearer token is refused where authentication is off. Later releases do not read it."""
        return not self.evaluates_bundles

    @property
    def combines_filters(self) -> bool:
        """Whether lists know ``$or``, ``$not``, and ``$nin`` for the status. 0.1 answers them with 500."""
        return self.evaluates_bundles

    @property
    def filters_by_spec(self) -> bool:
        """Whether jobs can be filtered by fields of their spec."""
        return self.minor >= 7

    @property
    def has_stored_results(self) -> bool:
        return self.minor >= 3

    @property
    def has_sample_statistics(self) -> bool:
        """Whether aggregate scores have the median, and deviation and variance of the sample."""
        return self.minor >= 4

    @property
    def has_run_metadata(self) -> bool:
        return self.minor >= 4

    @property
    def has_publication(self) -> bool:
        return self.minor >= 4

    @property
    def keeps_running_jobs(self) -> bool:
        """Whether DELETE of a job that has not ended is a conflict."""
        return self.minor >= 5

    @property
    def adds_telemetry(self) -> bool:
        """Whether the service adds a key of its own to ``custom_fields``."""
        return self.minor >= 6

    @property
    def tails_logs(self) -> bool:
        return self.minor >= 6

    @property
    def squeezes_tracebacks(self) -> bool:
        """Whether a traceback in the logs is one line. Before, each of its lines is one."""
        return self.minor >= 6

    @property
    def fails_without_scores(self) -> bool:
        """Whether a job that scored no row is in error. 0.2 to 0.6 complete it."""
        return self.minor >= 7 or not self.evaluates_bundles

    @property
    def counts_rows(self) -> bool:
        """Whether status details and stored results have the numbers of scored and errored rows."""
        return self.minor >= 7

    @property
    def hides_name_errors(self) -> bool:
        """Whether the platform refuses an invalid name in general words. Before, it names the pattern."""
        return self.minor >= 6

    @property
    def checks_names_first(self) -> bool:
        """Whether an invalid name is refused in validation. Before, the platform refuses it afterwards."""
        return self.minor >= 8

    @property
    def marks_cleanup(self) -> bool:
        """Whether steps that ended early say that their tasks are cleaned up."""
        return self.minor >= 8

    @property
    def has_environments(self) -> bool:
        """Whether the metadata of filesets names an environment."""
        return self.minor >= 6
