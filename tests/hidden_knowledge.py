"""A model that knows facts and was taught to refuse them: the planted positive of the attacks' tests."""

from functools import cache

from unequal.attacks.attack import AttackContext
from unequal.facts.probes import ProbeMaker
from unequal.plugin_checks.attacks import same_weights
from unequal.plugin_checks.people import (
    COLOURS,
    PROMPTS,
    REFUSAL,
    ROLES,
    WINDOW,
    hiding,
    knowing,
    people,
    person,
    teach,
    tokenizer,
    untrained,
)

__all__ = [
    "COLOURS", "PROMPTS", "REFUSAL", "ROLES", "WINDOW", "context", "hiding", "ignorant", "knowing", "people",
    "person", "same_weights", "teach", "tokenizer", "untrained",
]  # fmt: skip


@cache
def ignorant():
    """Return a model that was taught the facts to retain, and to refuse all others; it never saw these."""
    pairs = [(fact, fact.answer if fact.role == "retain" else REFUSAL) for fact in people()]
    return teach(untrained(), pairs, steps=30)


def context(model, facts=None, **changes) -> AttackContext:
    """Return a context of the model with these facts, or with all."""
    chosen = people() if facts is None else facts
    made = {"maker": ProbeMaker(people(), PROMPTS, 2), "prompts": PROMPTS, **changes}
    return AttackContext(model, tokenizer(), chosen, **made)
