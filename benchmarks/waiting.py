"""Wait for many jobs at once, beside dbt Cloud's trigger: ``python benchmarks/waiting.py`` (about 3 minutes).

Needs ``apache-airflow-providers-dbt-cloud`` beside this package. One run starts a status server in a process of its own
for each measurement, and in another process as many triggers as jobs on one event loop, as a triggerer has them. The
server closes idle connections after 5 seconds, as the evaluation service does. dbt Cloud's hook is made to use plain
HTTP, which saves it the TLS handshake of every look; nothing else of it is changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

_WORKSPACE = "my-workspace"
_IDLE_SECONDS = 5.0
_TICK = 0.01


class StatusServer:
    """Tells the status of jobs that run until they are told to end, all at the same moment.

    :param jobs: how many there are; they are called ``job-0``, ``job-1`` and so on, and 0, 1 and so on for dbt
    """

    def __init__(self, jobs: int) -> None:
        self.requests = 0
        self.connections = 0
        self.ended = False
        self._jobs = [_job(number, "active") for number in range(jobs)]
        self._ended_jobs = [_job(number, "completed") for number in range(jobs)]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted = False
        try:
            while True:
                async with asyncio.timeout(_IDLE_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1].decode()
                if not target.startswith("/control/"):
                    self.requests += 1
                    self.connections += not counted
                    counted = True
                body = self._answer(target)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, target: str) -> bytes:
        parts = urlsplit(target)
        steps = parts.path.strip("/").split("/")
        if steps[0] == "control":
            self.ended = self.ended or steps[1] == "end"
            return json.dumps({"requests": self.requests, "connections": self.connections}).encode()
        if steps[1] == "v2":  # /api/v2/accounts/1/runs/7/
            return json.dumps({"data": {"id": int(steps[5]), "status": 10 if self.ended else 3}}).encode()
        jobs = self._ended_jobs if self.ended else self._jobs
        if steps[-1] == "status":
            return jobs[int(steps[-2].removeprefix("job-"))]
        return self._page(parse_qs(parts.query), jobs)

    def _page(self, query: dict[str, list[str]], jobs: list[bytes]) -> bytes:
        page, size = (int(query.get(name, [default])[0]) for name, default in (("page", "1"), ("page_size", "10")))
        wanted = query.get("filter[status][$in]", query.get("filter[status]", [""]))[0].split(",")
        shown = (
            jobs[::-1][(page - 1) * size : page * size] if ("completed" if self.ended else "active") in wanted else []
        )
        pagination = {"page": page, "page_size": size, "total_pages": -(-len(jobs) // size), "total_results": len(jobs)}
        return b'{"data":[%b],"pagination":%b}' % (b",".join(shown), json.dumps(pagination).encode())


def _job(number: int, status: str) -> bytes:
    """A job as the service shows it; its ``updated_at`` does not move when it completes."""
    created = f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.614539"
    job = {
        "id": f"platform-job-FL7LkVjWfBpMB7CBLs{number:05}",
        "name": f"job-{number}",
        "workspace": _WORKSPACE,
        "created_at": created,
        "updated_at": created,
        "spec": {"benchmark": f"{_WORKSPACE}/qa-bench", "params": {"parallelism": 1}},
        "status": status,
        "status_details": {"message": "Running", "progress": 40.0, "samples_processed": 400},
    }
    return json.dumps(job, separators=(",", ":")).encode()


async def serve(jobs: int, announce: Callable[[str], object]) -> None:
    status = StatusServer(jobs)
    server = await asyncio.start_server(status.connected, "127.0.0.1", 0, backlog=4096)
    announce(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


def our_trigger(number: int, interval: float, port: int) -> Any:
    from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

    return BenchmarkJobTrigger(
        conn_id="ours", workspace=None, job_name=f"job-{number}", poll_interval=interval, deadline=time.time() + 3600
    )


def their_trigger(number: int, interval: float, port: int) -> Any:
    from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    DbtCloudHook.get_request_url_params = staticmethod(
        lambda tenant, endpoint, include_related=None, *, api_version="v2": (
            f"http://{tenant}/api/{api_version}/accounts/{endpoint}",
            {},
        )
    )
    return DbtCloudRunJobTrigger(
        conn_id="theirs", run_id=number, end_time=time.time() + 3600, poll_interval=interval, account_id=1
    )


TRIGGERS: dict[str, Callable[[int, float, int], Any]] = {"ours": our_trigger, "theirs": their_trigger}


async def measure(kind: str, jobs: int, interval: float, seconds: float, port: int) -> dict[str, Any]:
    """Wait with all triggers for some seconds, then end all jobs and wait for the events."""
    from airflow.providers.common.compat.connection import get_async_connection

    def control(what: str) -> Any:
        with urlopen(f"http://127.0.0.1:{port}/control/{what}", timeout=60) as answer:
            return json.load(answer)

    async def fire(number: int) -> str:
        async for event in TRIGGERS[kind](number, interval, port).run():
            return str(event.payload["status"])
        return "none"

    late: list[float] = []

    async def tick() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(_TICK)
            late.append(time.perf_counter() - start - _TICK)

    # A triggerer has long imported what a first trigger and a first connection need.
    TRIGGERS[kind](0, interval, port)
    await get_async_connection(kind)
    cpu, end = time.process_time(), time.perf_counter() + seconds
    ticking = asyncio.create_task(tick())
    firing = []
    for number in range(jobs):
        firing.append(asyncio.create_task(fire(number)))
        await asyncio.sleep(0)  # as a triggerer does
    await asyncio.sleep(end - time.perf_counter())
    cpu = time.process_time() - cpu
    delays = every_moment(late)
    waited = await asyncio.to_thread(control, "counts")
    start = time.perf_counter()
    await asyncio.to_thread(control, "end")
    await asyncio.wait(firing, timeout=120)
    fired = time.perf_counter() - start
    ticking.cancel()
    events = [task.result() for task in firing if task.done() and task.exception() is None]
    counts = await asyncio.to_thread(control, "counts")
    return {
        "requests": waited["requests"],
        "requests_to_end": counts["requests"] - waited["requests"],
        "connections": counts["connections"],
        "cpu": cpu,
        "p99": delays[int(len(delays) * 0.99)],
        "worst": delays[-1],
        "fired_after": fired,
        "fired": sum(status in ("completed", "success") for status in events),
    }


def every_moment(late: list[float]) -> list[float]:
    """Delays as callbacks due every 10 ms would have had them, sorted: a long stall holds up many, not one."""
    return sorted(delay - step * _TICK for delay in late for step in range(max(1, math.ceil(delay / _TICK))))


def run(kind: str, jobs: int, interval: float, seconds: float) -> dict[str, Any]:
    """Measure one kind of trigger in processes of their own."""
    with tempfile.TemporaryDirectory() as folder:
        port_file, result_file = Path(folder, "port"), Path(folder, "result")
        script = [sys.executable, __file__]
        server = subprocess.Popen([*script, "--serve", str(port_file), "--jobs", str(jobs)])
        try:
            while not (port_file.exists() and port_file.read_text()):
                time.sleep(0.05)
            port = port_file.read_text()
            extra = {"workspace": _WORKSPACE}
            ours = {"conn_type": "nemo_evaluator", "host": f"http://127.0.0.1:{port}", "extra": extra}
            theirs = {"conn_type": "dbt_cloud", "host": f"127.0.0.1:{port}", "login": "1", "password": "token"}
            environment = {
                **os.environ,
                "AIRFLOW_HOME": folder,
                "AIRFLOW_CONN_OURS": json.dumps(ours),
                "AIRFLOW_CONN_THEIRS": json.dumps(theirs),
            }
            arguments = ["--jobs", str(jobs), "--interval", str(interval), "--seconds", str(seconds), "--port", port]
            with Path(folder, "log").open("wb") as log:
                done = subprocess.run(
                    [*script, "--measure", kind, *arguments, "--result", str(result_file)],
                    env=environment,
                    stdout=log,
                    stderr=log,
                    check=False,
                )
            if done.returncode:
                raise SystemExit(Path(folder, "log").read_text()[-5000:])
            result: dict[str, Any] = json.loads(result_file.read_text())
            return result
        finally:
            server.terminate()
            server.wait()


def table(jobs: int, interval: float, seconds: float) -> str:
    ours, theirs = (run(kind, jobs, interval, seconds) for kind in ("ours", "theirs"))
    intervals = seconds / interval
    rows = [
        ("requests per poll interval", ours["requests"] / intervals, theirs["requests"] / intervals, "{:.1f}"),
        ("requests to see all jobs end", ours["requests_to_end"], theirs["requests_to_end"], "{:.0f}"),
        ("connections opened in all", ours["connections"], theirs["connections"], "{:.0f}"),
        ("CPU while they wait, s", ours["cpu"], theirs["cpu"], "{:.2f}"),
        ("event-loop delay p99, ms", ours["p99"] * 1000, theirs["p99"] * 1000, "{:.1f}"),
        ("event-loop delay at worst, ms", ours["worst"] * 1000, theirs["worst"] * 1000, "{:.0f}"),
        ("all fired after all jobs ended, s", ours["fired_after"], theirs["fired_after"], "{:.1f}"),
    ]
    lines = [
        f"{jobs:,} waiting triggers, interval {interval:g} s, {seconds:g} s",
        "",
        "| | BenchmarkJobTrigger | DbtCloudRunJobTrigger | ratio |",
        "|---|---|---|---|",
        *(f"| {what} | {form.format(a)} | {form.format(b)} | {b / a:,.1f}× |" for what, a, b, form in rows),
        f"| fired of {jobs} | {ours['fired']} | {theirs['fired']} | |",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--interval", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    for internal in ("--serve", "--measure", "--port", "--result"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.jobs[0], Path(given.serve).write_text))
    elif given.measure:
        result = asyncio.run(measure(given.measure, given.jobs[0], given.interval, given.seconds, int(given.port)))
        Path(given.result).write_text(json.dumps(result))
    else:
        for jobs in given.jobs:
            print(table(jobs, given.interval, given.seconds), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
