"""A few facts to forget and to retain, and the exact score of an answer, for tests of adapters."""

import pytest

from tiny_world import PROMPTS


@pytest.fixture
def forget(facts):
    return [fact for fact in facts if fact.role == "forget"][:6]


@pytest.fixture
def retain(facts):
    return [fact for fact in facts if fact.role == "retain"][:6]


@pytest.fixture
def score(tokenizer, forget):
    """Return S of every answer to forget, exactly."""
    from unequal.unlearning.examples import answer_row, score_in_batches

    def nll(model):
        rows = [answer_row(tokenizer, PROMPTS, fact, fact.answer, end=False) for fact in forget]
        return [one.nll.item() for one in score_in_batches(model, rows, int(tokenizer.pad_token_id))]

    return nll
