"""The places that tasks name: whether their storage can be opened here, and whether all workers find it there."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.scores.local_paths import is_local, local_path, refuse_password, scheme_of
from airflow_provider_benchmarks.storages import storage_problem


class Use(Enum):
    """What a task does with a place."""

    #: Read it, where it is a path at all: a baseline may be the name of a job.
    READ = auto()
    #: Read it as Airflow does, which takes a provider that knows the storage.
    OPEN = auto()
    #: The same, and write there.
    WRITE = auto()


def place_problem(value: Any, use: Use) -> str | None:
    """Why a task can't read or write there, and what to write instead; None where nothing is known against it.

    :param value: a path, a URL, or something else that names no place
    """
    text = "" if value is None else str(value)
    if use is Use.READ and "/" not in text:
        return None
    try:
        refuse_password(text)
        local_path(text)
    except ConfigurationError as error:
        return str(error)
    problem = storage_problem(text, through_airflow=use is not Use.READ)
    return None if problem is None else f'"{shortened(text)}": {problem}'


def doubt_about(value: Any, use: Use | None) -> str | None:
    """What to say of a relative path that is written to, which can be right on a single machine only."""
    text = "" if value is None else str(value)
    if not text or use is not Use.WRITE or not is_local(text) or _is_absolute(text):
        return None
    return (
        f'"{shortened(text)}" is relative to the folder that a worker runs in, here {shortened(local_path(text))}. '
        f"Other tasks may not find it there: name an absolute path that all workers share, or a URL such as s3://b/x"
    )


def template_problem(template: Any, use: Use) -> str | None:
    """The same of a text whose template is not rendered yet, as far as what stands before it tells."""
    if not isinstance(template, str) or (use is Use.READ and "/" not in template):
        return None
    begin = template.partition("{")[0]
    try:
        refuse_password(template)
        local_path(begin)
    except ConfigurationError as error:
        return str(error)
    return storage_problem(begin, through_airflow=use is not Use.READ)


def configured_store() -> str:
    """The score store of tasks that name none; empty for none."""
    root: str = conf.get("benchmarks", "score_store", fallback="")
    return root


def _is_absolute(text: str) -> bool:
    scheme = scheme_of(text)
    path = text[len(scheme) + 1 :].removeprefix("//") if scheme else text
    return path.startswith(("/", "~"))
