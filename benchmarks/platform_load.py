"""What 200 waiting tasks cost the real platform, polled singly and together: ``python benchmarks/platform_load.py``.

The jobs stay in their first status, since the platform runs without the controllers that would start them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from measuring import markdown

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import Seeder
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.support.airflow_runs import connection
from tests.support.real_platform import RealPlatform

JOBS, INTERVAL, SECONDS = 200, 5.0, 60.0
WORKSPACE = "my-workspace"
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(group: int) -> float:
    """CPU time of a process group so far."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[2]) == group:
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


async def one_by_one(names: list[str], url: str) -> None:
    """Ask for every job at every interval, as triggers do that know nothing of one another."""
    async with AsyncBenchmarkClient(ClientConfig(base_url=url, workspace=WORKSPACE, timeout=120)) as client:

        async def wait(name: str) -> None:
            while True:
                started = time.monotonic()
                await client.get_status(name)
                await asyncio.sleep(max(INTERVAL - (time.monotonic() - started), 0))

        await asyncio.gather(*map(wait, names))


async def together(names: list[str], url: str) -> None:
    async def wait(name: str) -> None:
        trigger = BenchmarkJobTrigger(conn_id="platform", workspace=None, job_name=name, poll_interval=INTERVAL)
        async for event in trigger.run():
            raise AssertionError(event)

    await asyncio.gather(*map(wait, names))


async def measure(way: Callable[[], Awaitable[None]], group: int) -> tuple[float, int]:
    """CPU seconds of the platform, and requests to it, while a way runs."""
    requests = 0
    send = httpx.AsyncClient.send

    async def counting(self: httpx.AsyncClient, request: httpx.Request, **options: object) -> httpx.Response:
        nonlocal requests
        requests += 1
        return await send(self, request, **options)  # type: ignore[arg-type]

    httpx.AsyncClient.send = counting  # type: ignore[method-assign]
    before = cpu_seconds(group)
    waiting = asyncio.ensure_future(way())
    try:
        await asyncio.wait([waiting], timeout=SECONDS)
        if waiting.done():
            await waiting
        return cpu_seconds(group) - before, requests
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        httpx.AsyncClient.send = send  # type: ignore[method-assign]


def main() -> None:
    with RealPlatform(controllers=False) as platform:
        assert platform.process_group is not None
        os.environ["AIRFLOW_CONN_PLATFORM"] = connection(platform.url)
        with Seeder(platform.url) as seeder:
            benchmark = seeder.question_answer_example()
        names = [f"waiting-{number}" for number in range(JOBS)]
        with BenchmarkClient(ClientConfig(base_url=platform.url, workspace=WORKSPACE)) as client:
            for name in names:
                client.submit_job({"benchmark": benchmark, "params": {"parallelism": 1}}, name=name)
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "nobody": lambda: asyncio.sleep(SECONDS),
            f"{JOBS}, each asks for its job": lambda: one_by_one(names, platform.url),
            f"{JOBS}, together": lambda: together(names, platform.url),
        }
        rows = []
        for name, way in ways.items():
            cpu, requests = asyncio.run(measure(way, platform.process_group))
            per_interval = requests / (SECONDS / INTERVAL)
            rows.append(
                [
                    name,
                    f"{per_interval:.1f} of {JOBS} wanted" if "each" in name else f"{per_interval:.1f}",
                    f"{cpu / SECONDS:.0%}",
                ]
            )
            print(*rows[-1], flush=True)
    print(markdown(["who waits", f"requests per {INTERVAL:.0f} s", "the platform's CPU, of one core"], rows))


if __name__ == "__main__":
    main()
