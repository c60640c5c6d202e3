"""Memory of triggers that wait for thousands of jobs: ``python benchmarks/trigger_memory.py`` (about 20 minutes).

One process waits for jobs in batches, as a triggerer does over weeks, at a local evaluation service in another process,
whose answers a proxy spoils as in the soak. Prints the resident memory and the number of open files every 500 jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

_WORKSPACE = "my-workspace"
_BATCH = 25
_SHARE = 0.05


def serve() -> None:
    """Print the service's address and the proxy's, and serve until standard input ends."""
    from airflow_provider_benchmarks.testing import EvaluationService, Seeder
    from tests.soak.faulty_proxy import FaultyProxy

    with EvaluationService(job_seconds=1.0) as service, FaultyProxy(service.url, share=_SHARE, seed=1) as proxy:
        with Seeder(service.url) as seeder:
            seeder.question_answer_example()
        print(service.url, proxy.url, flush=True)
        sys.stdin.read()


async def wait(url: str, jobs: int) -> None:
    from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
    from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

    async def status_of(name: str) -> str:
        trigger = BenchmarkJobTrigger(
            conn_id="nemo_evaluator_default", workspace=None, job_name=name, poll_interval=1.0
        )
        async for event in trigger.run():
            return str(event.payload["status"])
        return "no event"

    statuses: Counter[str] = Counter()
    with BenchmarkClient(ClientConfig(base_url=url, workspace=_WORKSPACE, trust_env=False)) as client:
        spec = {"benchmark": f"{_WORKSPACE}/qa-bench"}
        for first in range(0, jobs, _BATCH):
            names = [f"job-{number}" for number in range(first, first + _BATCH)]
            for name in names:
                await asyncio.to_thread(client.submit_job, spec, name=name)
            statuses.update(await asyncio.gather(*map(status_of, names)))
            if statuses.total() % 500 == 0:
                print(
                    f"{statuses.total():6,} jobs: {_memory():.0f} MB, {_open_files()} files, {dict(statuses)}",
                    flush=True,
                )


def _memory() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        direct, url = served.stdout.readline().split()
        extra = {"workspace": _WORKSPACE, "timeout": 2}
        os.environ["AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT"] = json.dumps(
            {"conn_type": "nemo_evaluator", "host": url, "extra": extra}
        )
        try:
            asyncio.run(wait(direct, arguments.jobs))
        finally:
            served.kill()


if __name__ == "__main__":
    main()
