"""A fact longer than the model's window is named before anything is trained, whatever its role is."""

import pytest
from pydantic import TypeAdapter

from tiny_world import PROMPTS
from unequal.attacks.attack import AttackContext
from unequal.attacks.finetune import tuned_copy
from unequal.errors import DataError
from unequal.facts.probes import ProbeMaker
from unequal.training.settings import OptimiserSettings
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.targets import Controls
from unequal.unlearning.unlearn import unlearn

pytestmark = pytest.mark.fault(
    "a fact is longer than the model's window",
    "it is named before anything is trained",
)

LONG = "word " * 3000
METHOD = TypeAdapter(MethodSettings)


def lengthened(fact, column):
    return fact.model_copy(update={"fact_id": "long", column: LONG})


def refused(model, tokenizer, kind, forget, retain, **more):
    judged = []
    settings = UnlearnSettings(steps=2, **more.pop("settings", {}))
    with pytest.raises(DataError, match=r"fact 'long'.* tokens .*window has \d+; shorten") as caught:
        run = Run(
            model, tokenizer, METHOD.validate_python(kind), forget, retain, settings, PROMPTS,
            evaluate=lambda *_: judged.append(1), **more,
        )  # fmt: skip
        unlearn(run)
    assert not judged
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["question", "answer"])
@pytest.mark.parametrize("role", ["forget", "retain"])
def test_in_npo_with_a_retain_set(model, tokenizer, facts, column, role):
    forget, retain = facts[:3], facts[3:6]
    (forget if role == "forget" else retain)[1] = lengthened(facts[1], column)
    refused(model, tokenizer, "npo", forget, retain)


def test_in_wrong_answers_and_controls(model, tokenizer, facts):
    forget = [*facts[:2], facts[2].model_copy(update={"fact_id": "long", "distractors": (LONG,)})]
    refused(model, tokenizer, "altpo", forget, facts[3:6])
    controls = Controls(utility=[lengthened(facts[9], "question")])
    rules = {"stopping": Stopping(utility_drop=0.1)}
    refused(model, tokenizer, "npo", facts[:3], facts[3:6], controls=controls, settings=rules)


def test_in_an_attack_that_trains(model, tokenizer, facts):
    context = AttackContext(model, tokenizer, facts[:6], ProbeMaker(facts[:6], PROMPTS), PROMPTS)
    taught = [facts[0], lengthened(facts[1], "answer")]
    with (
        pytest.raises(DataError, match="fact 'long'"),
        tuned_copy(context, taught, 1, 2, OptimiserSettings()),
    ):
        pass
