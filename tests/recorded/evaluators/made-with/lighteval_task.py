"""The task that lighteval runs; ``lightdata/test.jsonl`` is a copy of the questions."""

from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc


def prompt(line, task_name=None):
    return Doc(
        task_name=task_name,
        query=f"{line['question']}?",
        choices=[line["answer"]],
        gold_index=0,
        specific={"category": line["category"]},
    )


TASKS_TABLE = [
    LightevalTaskConfig(
        name="trivia",
        prompt_function=prompt,
        hf_repo="lightdata",
        hf_subset="default",
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        few_shots_split=None,
        few_shots_select=None,
        generation_size=20,
        metrics=[Metrics.exact_match, Metrics.f1_score, Metrics.rouge1, Metrics.bleu],
        stop_sequence=["\n"],
        version=0,
    )
]
