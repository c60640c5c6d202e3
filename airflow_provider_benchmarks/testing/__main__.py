"""Run the local evaluation service in the foreground: ``python -m airflow_provider_benchmarks.testing``."""

from __future__ import annotations

import argparse
import signal
import threading

from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing.seed import EXAMPLE_BENCHMARK
from airflow_provider_benchmarks.testing.service import EvaluationService

_DEFAULT_PORT = 8092


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_benchmarks.testing", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, help="port to listen on; 0 takes a free one")
    parser.add_argument("--job-seconds", type=float, default=5.0, help="seconds from the submit of a job to its end")
    parser.add_argument("--token", help="bearer token that requests must have")
    parser.add_argument(
        "--release", default="0.1", type=_release, help="release of the service to behave as, such as 0.8"
    )
    parser.add_argument("--no-example", action="store_true", help="do not create the question-answer example")
    return parser.parse_args()


def _release(text: str) -> str:
    try:
        Release.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def main() -> None:
    arguments = _parse_arguments()
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    service = EvaluationService(
        host=arguments.host,
        port=arguments.port,
        job_seconds=arguments.job_seconds,
        token=arguments.token,
        release=arguments.release,
    )
    with service:
        if not arguments.no_example:
            reference = service.seed_question_answer_example()
            print(f"{'benchmark' if reference == EXAMPLE_BENCHMARK else 'dataset'}: {reference}")
        print(f"evaluation service: {service.url}")
        print("point Airflow at it with:")
        # The token is not printed: terminals and logs keep output.
        connection = service.connection_json(token=None if arguments.token is None else "<the token>")
        print(f"  export AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT='{connection}'", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
