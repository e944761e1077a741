"""Choice accuracies and perplexities are those of lm-eval, and where they are not, why."""

from types import SimpleNamespace

import numpy as np
import pytest
from lm_eval.api.metrics import perplexity
from lm_eval.api.task import ConfigurableTask

from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import Probe
from unequal.scoring.log_probs import AnswerScore, ProbeScore

SEEDS = range(30)


def answer(*logs):
    return AnswerScore(np.array(logs), np.zeros(len(logs)), np.zeros(len(logs)))


def record_of(right, *wrong):
    probe = Probe("f", "question", 0, "Where?", "a", ("a",), ("b",) * len(wrong))
    return ProbeRecord(probe, scores=ProbeScore(probe, answer(*right), tuple(answer(*w) for w in wrong)))


def random_answers(seed):
    """Return the log-probabilities of four answers of one to four tokens."""
    stream = np.random.default_rng(seed)
    return [-stream.exponential(2.0, stream.integers(1, 5)) for _ in range(4)]


def judged_by_lm_eval(choices, answers):
    """Return acc and acc_norm of a multiple-choice question whose first choice is right."""
    task = SimpleNamespace(
        config=SimpleNamespace(process_results=None),
        OUTPUT_TYPE="multiple_choice",
        _metric_fn_list=dict.fromkeys(("acc", "acc_norm")),
        doc_to_choice=lambda _: choices,
        doc_to_target=lambda _: 0,
        multiple_input=0,
        multiple_target=0,
    )
    results = [(float(np.sum(logs)), False) for logs in answers]
    return ConfigurableTask.process_results(task, {}, results)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_as_a_whole_is_acc_and_accuracy_per_token_is_acc_norm_of_one_letter_tokens(seed):
    answers = random_answers(seed)
    found = judged_by_lm_eval(["x" * len(logs) for logs in answers], answers)
    record = record_of(*answers)
    assert METRICS.get("choice_accuracy_sum").value(record) == found["acc"]
    assert METRICS.get("choice_accuracy").value(record) == found["acc_norm"]


def test_acc_norm_divides_by_characters_and_not_by_tokens():
    answers = [[-2.0], [-3.0]]  # one token each, so the first is ahead per token
    found = judged_by_lm_eval(["Rome", "Constantinople"], answers)  # −2/4 < −3/14
    assert (found["acc"], found["acc_norm"]) == (1.0, 0.0)
    assert METRICS.get("choice_accuracy").value(record_of(*answers)) == 1.0


def test_a_tie_is_shared_where_lm_eval_takes_the_first_choice():
    answers = [[-2.0], [-2.0]]
    assert judged_by_lm_eval(["a", "b"], answers)["acc"] == 1.0
    assert METRICS.get("choice_accuracy_sum").value(record_of(*answers)) == 1 / 2


@pytest.mark.parametrize("seed", range(10))
def test_perplexity_of_a_text(seed):
    text, *_ = random_answers(seed)
    assert METRICS.get("perplexity").value(record_of(text)) == pytest.approx(perplexity(text))
