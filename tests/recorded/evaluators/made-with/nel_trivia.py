from nemo_evaluator.environments.custom import benchmark, scorer
from nemo_evaluator.scoring import ScorerInput, exact_match


@benchmark(name="trivia", dataset="questions.jsonl", prompt="{question}?", target_field="answer")
@scorer
def score(sample: ScorerInput) -> dict:
    return exact_match(sample)
