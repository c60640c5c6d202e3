"""A real Redis server in its own process, as Celery's broker."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from types import TracebackType
from typing import Self

from tests.support.airflow_services import free_port, wait_for


class RedisServer:
    """A context manager; ``url`` is the broker's."""

    def __init__(self) -> None:
        self._port = free_port()
        self._folder = tempfile.mkdtemp(prefix="redis-")
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Self:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", self._folder, "--save", ""]
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        wait_for(self._answers, 120, lambda: f"Redis at {self.url} does not answer")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(timeout=30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        import redis

        try:
            return bool(redis.Redis(port=self._port).ping())
        except redis.ConnectionError:
            return False
