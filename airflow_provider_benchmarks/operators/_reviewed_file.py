"""Find and read a file that is reviewed with the DAGs: a policy, or a benchmark."""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.operators._arguments import has_template
from airflow_provider_benchmarks.operators._places import Use, place_problem
from airflow_provider_benchmarks.reviewed_text import MAX_BYTES
from airflow_provider_benchmarks.scores.local_paths import refuse_password, scheme_of


@dataclass(frozen=True, slots=True)
class ReviewedFile:
    """A file in object storage, or on disk from the DAG file's folder up to the DAGs folder.

    :param owner: the task that names it, for messages: ``gate "release"``
    :param what: what it holds, which is the task's argument too: ``policy``
    :param path: as the task names it, rendered; only a text names a file
    :param dag_file: path of the DAG file; None where it is not known
    :raises ConfigurationError: the path has a password
    """

    owner: str
    what: str
    path: Any
    dag_file: str | None

    def __post_init__(self) -> None:
        try:
            refuse_password(self.path)
        except ConfigurationError as error:
            raise self._error(f"{self.what}: {error}") from None

    @property
    def is_remote(self) -> bool:
        return bool(scheme_of(self.path))

    def read(self) -> bytes:
        """Read it from object storage or disk, no more of it than shows that it is too large.

        :raises ConfigurationError: there is no such file
        :raises OSError: the storage fails
        """
        self._check_storage()
        return self._remote() if self.is_remote else self._local()

    def _check_storage(self) -> None:
        if (problem := place_problem(self.path, Use.OPEN)) is not None:
            raise self._error(f"{self.what}: {problem}")

    def read_if_here(self) -> bytes | None:
        """Read it while the DAG is parsed; None where its path is known only when the task runs."""
        if not isinstance(self.path, str) or has_template(self.path):
            return None
        self._check_storage()
        if self.is_remote:
            return None
        if self.dag_file is None and not any(map(_exists, self._places())):
            return None  # the operator is added to its DAG later
        return self._local()

    def _local(self) -> bytes:
        if not isinstance(self.path, str) or not self.path.strip():
            raise self._error(
                f"{self.what} must be the path of a file, found {brief(self.path)}: what does its template give?"
            )
        for path in self._places():
            if not _exists(path):
                continue
            if not path.is_file():
                raise self._error(f"the {self.what} {path} is a folder: name a file in it")
            with path.open("rb") as file:
                return _start(file)
        tried = ", ".join(shortened(str(path)) for path in self._places()) or "no folder, as the task is in no DAG"
        raise self._error(f'there is no {self.what} file "{shortened(self.path)}". Looked at: {tried}')

    def _places(self) -> list[Path]:
        if Path(self.path).is_absolute():
            return [Path(self.path)]
        return [] if self.dag_file is None else [folder / self.path for folder in _folders(Path(self.dag_file).parent)]

    def _remote(self) -> bytes:
        from airflow_provider_benchmarks.store import Place

        try:
            # Without a cache, which would fetch megabytes of a large file that is none of these.
            with Place(self.path).open("rb", cache_type="none") as file:
                return _start(file)
        except FileNotFoundError as error:
            raise self._error(f'there is no {self.what} file "{shortened(self.path)}"') from error
        except IsADirectoryError as error:
            raise self._error(f'the {self.what} "{shortened(self.path)}" is a folder: name a file in it') from error
        except (ValueError, ImportError) as error:
            where = f'the {self.what} "{shortened(self.path)}"'
            raise self._error(f"{where} is in no storage that Airflow can open: {shortened(error)}") from error

    def _error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.owner}: {problem}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # such as the text of a file where its path should be
            return False
        raise


def _start(file: BinaryIO) -> bytes:
    """The first bytes of a file: its maximum size and one more, which shows that it is too large."""
    return file.read(MAX_BYTES + 1)


def _folders(folder: Path) -> list[Path]:
    """A folder and those above it, up to the DAGs folder, or to the root of the DAG bundle."""
    above = [folder, *folder.parents]
    dags_folder = Path(conf.get("core", "dags_folder", fallback=""))
    # Airflow adds the root of a bundle to sys.path, and DAGs may have added folders of it.
    roots = [dags_folder] if dags_folder in above else [Path(place) for place in sys.path if place]
    last = max((above.index(root) for root in roots if root in above), default=0)
    return above[: last + 1]
