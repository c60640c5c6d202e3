"""Names and fingerprints that let a retry find the job of its own task run.

A job is named after the task run that submits it, so that a retry after a crash or a lost answer asks for the same
name and finds its own job. The fingerprint, kept in the job's ``custom_fields``, proves that it is the same run and
the same spec.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: The service takes 2 to 51 characters: it puts "job-fileset-" before the name, and that must fit 63.
NAME_PATTERN = re.compile(r"^[a-z](?!.*--)[a-z0-9._-]{1,50}(?<!-)$")
NOT_A_NAME = (
    'can\'t be the name of a benchmark job. The service takes 2 to 51 characters of a-z, 0-9, ".", "_" and "-", '
    'starting with a letter, without "--" and not ending in "-".'
)
_MAX_LENGTH = 51
_HASH_LENGTH = 12
#: Of the hash in a given name that is cut for the number of an attempt: a few such names are in use at a time.
_CUT_HASH_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """What makes a task run the same run over its retries, and another one after a user's clear.

    A clear sets ``max_tries`` to the tries that the task has had and its retries on top, and nothing else changes it
    between two tries, neither a retry nor a deploy with other ``retries``. The dag run's ``clear_number`` shows a clear
    even where ``max_tries`` happens to stay as it was (the DAG is gone, or the task has lost as many retries as it had
    tries). Up to Airflow 3.1 it counts the clears of a run that has ended. From 3.2 on it also counts the clears of
    other tasks while this one runs, so that a retry after a crash might take its neighbour's clear for its own. Where
    Airflow keeps task state (3.3) the job that is remembered there comes first, and ``max_tries`` alone decides.

    On Airflow 2.11 and 3.0 nothing reveals the clear of a task that is running: ``max_tries`` stays as it was. The next
    try continues with the job, unless the kill that comes with the clear has cancelled it. Later versions (3.1.8, 3.2,
    3.3) raise ``max_tries`` when the executor reports that the process has ended.

    :param clear_number: the dag run's
    :param max_tries: the task instance's
    :param deployment: distinguishes two Airflow installations that use the same workspace
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    clear_number: int = 0
    max_tries: int = 0
    deployment: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def continues(self, earlier: Mapping[str, Any]) -> bool:
        """True if the identity stored on a job is this task run before a clear, or another try of it."""
        mine = self.to_dict()
        lasting = ("dag_id", "run_id", "task_id", "map_index")
        deployment = str(earlier.get("deployment")).partition("#")[0]  # a try with a job of its own adds a number
        return (
            earlier != mine
            and all(earlier.get(key) == mine[key] for key in lasting)
            and deployment == self.deployment.partition("#")[0]
        )

    def job_name(self, attempt: int = 1) -> str:
        """Derive a job name that the service takes, stable for this run.

        :param attempt: 1 for the first job of the run; a further job (after one that failed) gets its number appended
        """
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:_HASH_LENGTH]
        suffix = f"-{digest}"
        readable = re.sub(r"[^a-z0-9]+", "-", f"{self.dag_id}-{self.task_id}".lower()).strip("-")
        if not readable[:1].isalpha():
            readable = f"job-{readable}"
        # Room for "-NN" is always left, so that the number of the attempt never changes the readable part.
        readable = readable[: _MAX_LENGTH - len(suffix) - 3].rstrip("-")
        return numbered(f"{readable}{suffix}", attempt)


def numbered(name: str, attempt: int) -> str:
    """Append the number of the attempt from the second on.

    A name that would get too long is cut, and gets a hash of all of it, so that two names that differ in what is cut
    off remain two.
    """
    if attempt == 1:
        return name
    suffix = f"-{attempt}"
    if len(name) + len(suffix) > _MAX_LENGTH:
        suffix = f"-{hashlib.sha256(name.encode()).hexdigest()[:_CUT_HASH_LENGTH]}{suffix}"
        name = name[: _MAX_LENGTH - len(suffix)].rstrip("-")
    return f"{name}{suffix}"


def check_name(name: str) -> str:
    """Return the name if the service accepts it.

    :raises ConfigurationError: it does not; says which names it takes
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"{brief(name)} can't be the name of a benchmark job: it must be a text")
    if not NAME_PATTERN.fullmatch(name):
        raise ConfigurationError(f'"{shortened(name)}" {NOT_A_NAME}')
    return name


def fingerprint(spec: Mapping[str, Any], identity: RunIdentity | None = None) -> str:
    """Hash what a job is: its spec and, for a task, the run that it belongs to."""
    content = {"spec": spec, "run": asdict(identity) if identity else None}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
