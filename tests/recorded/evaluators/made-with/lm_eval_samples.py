"""Write results and samples of lm-evaluation-harness, with a model that answers the first questions of a list."""

import json
import sys
from pathlib import Path

import lm_eval
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

FOLDER, RIGHT, TASKS = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
ROWS = [json.loads(line) for line in Path("questions.jsonl").read_text().splitlines()]


class Listed(LM):
    def generate_until(self, requests, disable_tqdm=False):
        return [self.answer(request.args[0]) for request in requests]

    def loglikelihood(self, requests, disable_tqdm=False):
        return [
            (-1.0 if request.args[1].strip() == self.answer(request.args[0]) else -float(len(request.args[1])), True)
            for request in requests
        ]

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        return [(-3.5,) for _ in requests]

    def answer(self, prompt):
        place = next(number for number, row in enumerate(ROWS) if row["question"] in prompt)
        if place < RIGHT:
            return ROWS[place]["answer"]
        return f"it is {ROWS[place]['answer']}" if place == 7 else "no idea"


tracker = EvaluationTracker(output_path=FOLDER)
results = lm_eval.simple_evaluate(
    Listed(),
    tasks=TASKS,
    task_manager=TaskManager(include_path="lmtasks", include_defaults=False),
    log_samples=True,
    evaluation_tracker=tracker,
    bootstrap_iters=10,
)
samples = results.pop("samples")
tracker.save_results_aggregated(results=results, samples=samples)
for name in results["configs"]:
    tracker.save_results_samples(task_name=name, samples=samples[name])
