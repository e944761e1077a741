"""A few facts to forget and to retain, and the exact score of an answer, for tests of adapters."""

import pytest

from tiny_world import PROMPTS


@pytest.fixture(scope="session")
def forget(facts):
    return [fact for fact in facts if fact.role == "forget"][:6]


@pytest.fixture(scope="session")
def retain(facts):
    return [fact for fact in facts if fact.role == "retain"][:6]


@pytest.fixture(scope="session")
def score(tokenizer, forget):
    """Return S of every answer to forget, exactly."""
    from unequal.unlearning.examples import FactEncoder, score_in_batches

    def nll(model):
        rows = FactEncoder(tokenizer, PROMPTS).own_answers(forget, end=False)
        return [one.nll.item() for one in score_in_batches(model, rows, int(tokenizer.pad_token_id))]

    return nll
