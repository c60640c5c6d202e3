"""Write a log of inspect_ai: two epochs, three scorers, and a sample whose model call fails."""

import json
import sys
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai import eval as run
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, accuracy, match, mean, scorer
from inspect_ai.solver import generate

FOLDER, RIGHT = sys.argv[1], int(sys.argv[2])
ROWS = [json.loads(line) for line in Path("questions.jsonl").read_text().splitlines()]


@scorer(metrics=[accuracy()])
def graded():
    async def score(state, target):
        text = state.output.completion
        grade = "C" if target.text in text else "P" if text.startswith("nearly") else "N" if not text else "I"
        return Score(value=grade, answer=text)

    return score


@scorer(metrics={"*": [mean()]})
def lengths():
    async def score(state, target):
        text = state.output.completion
        ratio = len(text) / 10 if text else float("nan")
        return Score(value={"characters": len(text), "short": len(text) < 8, "ratio": ratio})

    return score


@task
def trivia():
    samples = [
        Sample(
            input=row["question"],
            target=row["answer"],
            id=f"q{number}" if number % 2 else number,
            metadata={"category": row["category"]},
        )
        for number, row in enumerate(ROWS, 1)
    ]
    return Task(dataset=samples, solver=generate(), scorer=[match(location="any"), graded(), lengths()], epochs=2)


def answer(messages, tools, tool_choice, config):
    place = next(number for number, row in enumerate(ROWS) if row["question"] == messages[-1].text)
    if place == 8:
        raise RuntimeError("the model is overloaded")
    right = ROWS[place]["answer"] if place < RIGHT else "I do not know"
    output = ModelOutput.from_content("mockllm/model", {6: "nearly right", 7: ""}.get(place, right))
    output.usage = ModelUsage(input_tokens=5, output_tokens=5, total_tokens=10)  # else it downloads a tokenizer
    return output


model = get_model("mockllm/model", custom_outputs=answer)
run(trivia(), model=model, log_dir=FOLDER, fail_on_error=False, display="none", log_format="eval")
