"""A real PostgreSQL server in a temporary folder, for Airflow's metadata database."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.airflow_services import free_port, wait_for

#: Where Debian's package has the programs, which are not on the path there.
_DEBIAN = "/usr/lib/postgresql"


def postgres_folder() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed."""
    found = [Path(each).parent for each in [shutil.which("initdb")] if each]
    found += sorted((path.parent for path in Path(_DEBIAN).glob("*/bin/initdb")), reverse=True)
    return next(iter(found), None)


class PostgresServer:
    """A context manager."""

    def __init__(self, programs: Path) -> None:
        self._programs, self._port = programs, free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        # PostgreSQL does not run as root.
        self._user: Any = {"user": "postgres"} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(self._folder, self._user["user"])
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        data = str(self._folder / "data")
        initdb = [self._programs / "initdb", "-D", data, "-U", "airflow", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=self._folder, **self._user)
        options = [
            "-c",
            "fsync=off",
            "-c",
            f"unix_socket_directories={self._folder}",
            "-c",
            "listen_addresses=127.0.0.1",
        ]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", data, "-p", str(self._port), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            **self._user,
        )
        try:
            wait_for(self._answers, 120, lambda: f"PostgreSQL on port {self._port} does not answer")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.dispose()
        self.stop()

    def url(self, driver: str) -> str:
        """The database's URL for a driver of SQLAlchemy or Celery, such as ``postgresql+psycopg``."""
        return f"{driver}://airflow@127.0.0.1:{self._port}/postgres"

    @cached_property
    def engine(self) -> Any:
        """An SQLAlchemy engine, whose sessions don't check foreign keys: a row needs no DAG around it."""
        from sqlalchemy import create_engine, event

        engine = create_engine(self.url("postgresql+psycopg"))

        @event.listens_for(engine, "connect")
        def without_foreign_keys(connection: Any, record: Any) -> None:
            connection.execute("SET session_replication_role = replica")
            connection.commit()

        return engine

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()  # it waits for sessions to end
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        from sqlalchemy.exc import OperationalError

        try:
            with self.engine.connect():
                return True
        except OperationalError:
            return False

    def create_tables(self) -> None:
        """Create Airflow's tables, without what its migrations add to them."""
        from airflow.models import import_all_models
        from airflow.models.base import Base

        import_all_models()
        Base.metadata.create_all(self.engine)
