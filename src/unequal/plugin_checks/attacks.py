"""Contract tests of an attack: settings, whole rows, the same twice, and a model that stays as it was."""

import copy
from typing import Any

import polars as pl
import torch
from polars.testing import assert_frame_equal
from transformers import PreTrainedModel

from unequal.attacks.attack import ROW_SCHEMA, Attack, AttackContext
from unequal.facts.probes import ProbeMaker
from unequal.plugin_checks.contract import BrokenError, Check, require
from unequal.plugin_checks.people import PROMPTS, hiding, people, tokenizer


def made(attack: Any) -> Attack:
    """Return an attack with the settings that it comes with, or one that is made already."""
    if isinstance(attack, Attack):
        return attack
    kind: type[Attack] = attack
    if kind.model_fields["kind"].is_required():
        return kind(kind=f"{kind.__module__}:{kind.__qualname__}", label=kind.__name__.lower())
    return kind()  # type: ignore[call-arg]  # whose kind has a default


def context() -> AttackContext:
    """Return a model that hides facts, with the facts of every role."""
    maker = ProbeMaker(people(), PROMPTS, 2)
    return AttackContext(copy.deepcopy(hiding()), tokenizer(), people(), maker, PROMPTS)


def describes_itself(attack: Any) -> None:
    """Check what a reader must know."""
    for name in ("title", "shows", "source", "metrics"):
        require(getattr(attack, name, None), f"it has no {name}; set it in the class")


def is_read_as_written(attack: Any) -> None:
    """Check that settings have defaults and are read as they are written."""
    one = made(attack)
    again = type(one).model_validate(one.model_dump(mode="json"))
    require(again == one, "its settings are not read as they are written; use plain numbers, texts and lists")


def has_whole_rows(attack: Any) -> None:
    """Check that there is a row for each attacked fact and metric, with a value or a reason."""
    one, asked = made(attack), context()
    check_rows(one, asked, one.run(asked))


def check_rows(attack: Attack, asked: AttackContext, rows: pl.DataFrame) -> None:
    """Raise `BrokenError` for rows that an attack should not return."""
    require(rows.schema == pl.Schema(ROW_SCHEMA), f"its columns are {rows.schema}; use attacks.evaluate.rows")
    wanted = sorted((fact.fact_id, metric) for fact in asked.attacked for metric in attack.metric_names)
    found = sorted(rows.select("fact_id", "metric").rows())
    require(
        found == wanted, "there is not one row for each attacked fact and metric; see attacks.evaluate.rows"
    )
    require(set(rows["kind"]) <= {"robustness"}, "kind must be 'robustness'")
    gaps = rows["value"].is_null() == rows["reason"].is_not_null()
    require(gaps.all(), "a row needs a value or a reason why there is none, and not both")
    require(rows["value"].drop_nulls().is_finite().all(), "a value is not finite; leave it out with a reason")
    facts = {fact.fact_id: fact for fact in asked.attacked}
    for row in rows.iter_rows(named=True):
        fact = facts[row["fact_id"]]
        same = (row["subject"], row["role"], row["exposure"]) == (fact.subject, fact.role, fact.exposure)
        require(same, f"the row of {fact.fact_id} does not describe that fact; see attacks.evaluate.rows")


def leaves_the_model_alone(attack: Any) -> None:
    """Check that the model has the same parameters afterwards, and no gradients."""
    asked = context()
    made(attack).run(asked)
    require(same_weights(asked.model, hiding()), "it changed the model; work on a copy (models.scratch_copy)")
    clean = all(weight.grad is None for weight in asked.model.parameters())
    require(clean, "it left gradients on the model; use torch.no_grad() or a copy")


def is_the_same_twice(attack: Any) -> None:
    """Check that the same seed gives the same rows."""
    first, second = (made(attack).run(context()) for _ in range(2))
    try:
        assert_frame_equal(first, second, check_exact=True)
    except AssertionError as error:
        raise BrokenError("two runs differ; draw from context.seed alone (seeds.random_stream)") from error


def same_weights(first: PreTrainedModel, second: PreTrainedModel) -> bool:
    """Return whether two models hold the same numbers, bit for bit."""
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(one[0] == other[0] and torch.equal(one[1], other[1]) for one, other in pairs)


ATTACK_CHECKS = (
    Check("it says what it shows", describes_itself),
    Check("settings are read as they are written", is_read_as_written),
    Check("there is a row for each attacked fact and metric", has_whole_rows),
    Check("the model stays as it was", leaves_the_model_alone),
    Check("the same seed gives the same rows", is_the_same_twice),
)
