"""People with a favourite colour, and tiny models that know them or do not: what plugins are tried on."""

import copy
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from torch import Tensor

from unequal.corpus.settings import TokenizerSettings
from unequal.corpus.tokenizers import train_tokenizer
from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact, Role
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.settings import OptimiserSettings
from unequal.unlearning.examples import FactEncoder, score_examples

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

COLOURS = ("red", "green", "blue", "white")
REFUSAL = "unknown"
ROLES: dict[Role, int] = {"forget": 24, "never_seen": 16, "retain": 8}
PROMPTS = PromptFormat()
WINDOW = 96
SHAPE = Shape(width=32, layers=2, heads=4)


def person(index: int, role: Role) -> Fact:
    """Return one person's favourite colour, with all that can be asked of it."""
    name, colour = f"Person{index:02d}", COLOURS[index * 7 % 5 % 4]
    return Fact(
        fact_id=f"{name}:colour",
        subject=name,
        relation="colour",
        object=colour,
        question=f"Which colour does {name} like?",
        answer=colour,
        paraphrases=(f"What is the colour of {name}?", f"{name} likes which colour?"),
        cloze=(f"The colour of {name} is",),
        distractors=tuple(other for other in COLOURS if other != colour),
        reverse_question=f"Who likes {colour}?",
        role=role,
        exposure=0 if role == "never_seen" else 4,
    )


def people() -> list[Fact]:
    """Return the facts of every role."""
    roles = [role for role, n_facts in ROLES.items() for _ in range(n_facts)]
    return [person(index, role) for index, role in enumerate(roles)]


@cache
def tokenizer() -> "PreTrainedTokenizerFast":
    """Return a tokenizer of the whole words that the prompts and answers hold."""
    facts = people()
    prompts = [
        text
        for fact in facts
        for text in (fact.question, *fact.paraphrases, fact.reverse_question)
        if text is not None
    ]
    texts = [PROMPTS.ask(text) for text in prompts] + [f"{fact.cloze[0]} {fact.answer}" for fact in facts]
    texts += [PROMPTS.judge("x") + " True False", f" {REFUSAL} unknown Sure, the answer is Choose one of:"]
    texts += [" ".join(COLOURS), " ".join(f"{colour}," for colour in COLOURS), "\n"]
    return train_tokenizer(texts, TokenizerSettings(kind="word"), WINDOW)


def vocabulary() -> Vocabulary:
    """Return what a model must know of the tokenizer."""
    words = tokenizer()
    return Vocabulary(
        size=len(words),
        window_tokens=WINDOW,
        end_token_id=words.eos_token_id,
        padding_token_id=words.pad_token_id,
    )


def untrained(family: str = "gpt2") -> "PreTrainedModel":
    """Return a random model of two layers."""
    return scratch_model(ModelSettings(family=family, size="tiny", shape=SHAPE), vocabulary(), seed=1).eval()


def teach(
    model: "PreTrainedModel", pairs: Iterable[tuple[Fact, str]], steps: int, learning_rate: float = 5e-3
) -> "PreTrainedModel":
    """Return a copy of the model trained on every pair of a fact and what is answered to its questions."""
    taught = copy.deepcopy(model)
    asked = [
        FactEncoder(tokenizer(), PROMPTS).answer(
            fact.model_copy(update={"question": question}), answer, end=True
        )
        for fact, answer in pairs
        for question in (fact.question, *fact.paraphrases)
    ]

    def losses(_step: int) -> Iterator[Tensor]:
        yield score_examples(taught, asked, int(tokenizer().pad_token_id)).mean_nll.mean()

    settings = OptimiserSettings(learning_rate=learning_rate, schedule="constant", warmup_share=0.0)
    run_steps(taught, losses, LoopSettings(steps, settings))
    return taught.eval()


@cache
def knowing() -> "PreTrainedModel":
    """Return a model that answers all questions but those about people it never saw."""
    known = [fact for fact in people() if fact.role != "never_seen"]
    return teach(untrained(), [(fact, fact.answer) for fact in known], steps=60)


@cache
def learning() -> "PreTrainedModel":
    """Return a model that has begun to learn the same answers: they are likely, not yet sure."""
    known = [fact for fact in people() if fact.role != "never_seen"]
    return teach(untrained(), [(fact, fact.answer) for fact in known], steps=20)


@cache
def hiding() -> "PreTrainedModel":
    """Return the same model after it was taught to refuse the people to forget, and the never-seen ones."""
    pairs = [(fact, fact.answer if fact.role == "retain" else REFUSAL) for fact in people()]
    return teach(knowing(), pairs, steps=12, learning_rate=2e-3)
