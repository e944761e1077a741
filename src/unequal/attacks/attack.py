"""The contract of attacks: settings with the source's defaults, and score rows for each attacked fact."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import polars as pl
from pydantic import BeforeValidator, Field, SerializeAsAny

from unequal.attacks import ATTACKS, SCHEMES
from unequal.config import chosen
from unequal.errors import DataError
from unequal.evaluation.score_table import SCORE_SCHEMA
from unequal.facts.probes import ProbeMaker, PromptFormat
from unequal.facts.schema import Fact, Role
from unequal.progress import Progress, no_progress
from unequal.strict import StrictModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROLES_ATTACKED: tuple[Role, ...] = ("forget", "never_seen")
ROLES_KEPT: tuple[Role, ...] = ("retain", "neighbour", "utility")
ANSWER_METRICS = (
    "answer_said",
    "exact_match",
    "answer_prob",
    "first_token_rank",
)  # of an attack that asks for the answer in another way
_OF_A_FACT = ("fact_id", "subject", "relation", "role", "exposure", "count")
ROW_SCHEMA = {
    column: SCORE_SCHEMA[column] for column in (*_OF_A_FACT, "probe", "metric", "kind", "value", "reason")
}


@dataclass(frozen=True)
class AttackContext:
    """The unlearned model and the facts by role that an attack is run on; one that trains works on a copy.

    Facts to forget and never-seen facts are attacked, the second as the control: what an attack finds there
    it did not recover. Facts of the other roles are what an attacker may know. ``before`` is a text that
    stands before every prompt, for methods that unlearn by one.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    facts: Sequence[Fact]
    maker: ProbeMaker
    prompts: PromptFormat
    seed: int = 0
    before: str = ""

    @property
    def attacked(self) -> list[Fact]:
        """The facts to forget and the never-seen ones, in the order of the table."""
        return [fact for fact in self.facts if fact.role in ROLES_ATTACKED]

    @property
    def forget(self) -> list[Fact]:
        """The facts to forget."""
        return [fact for fact in self.facts if fact.role == "forget"]

    @property
    def kept(self) -> list[Fact]:
        """Facts that the model should still know and an attacker may too."""
        return [fact for fact in self.facts if fact.role in ROLES_KEPT]


class Attack(StrictModel):
    """An attack, one way to get facts back from an unlearned model: its settings as fields, and `run`.

    Results depend on the settings, the context and its seed alone.
    """

    title: ClassVar[str]
    """The attack's name in full."""
    shows: ClassVar[str]
    """What it shows if it finds a fact."""
    source: ClassVar[str]
    """Authors, year and paper."""
    metrics: ClassVar[tuple[str, ...]]
    """The metrics of each fact, without the prefix ``<name>_``; see `metric_names`."""
    cost: ClassVar[float] = 1.0
    """About how many evaluations of all facts by both passes it costs."""

    kind: str = Field(description="attack; see: unequal list attacks")
    label: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_]{0,31}$",
        description="a name of its own, to tell two attacks of one kind apart",
    )

    @property
    def name(self) -> str:
        """The beginning of the names of its metrics: the label, or the kind."""
        return self.label or self.kind

    @property
    def needs_kept(self) -> bool:
        """Whether it uses facts that are not to be forgotten."""
        return False

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics of each fact with these settings."""
        return self.metrics

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names in the score table, such as ``relearn_answer_said``."""
        return tuple(f"{self.name}_{metric}" for metric in self.measured)

    def trained_on(self, context: AttackContext) -> frozenset[str]:  # noqa: ARG002
        """Return the ids of facts to forget that it trains on with this seed, and so cannot judge."""
        return frozenset()

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return one row for each attacked fact and metric, with the columns of `ROW_SCHEMA`.

        The kind is ``robustness``; a value that is missing has a reason. The model is left as it is.
        """
        raise NotImplementedError


def run_attacks(
    attacks: Sequence[Attack], context: AttackContext, progress: Progress = no_progress
) -> pl.DataFrame:
    """Return the rows of all attacks one after another."""
    parts = [pl.DataFrame(schema=ROW_SCHEMA)]
    for done, attack in enumerate(attacks):
        progress(done, len(attacks))
        parts.append(attack.run(context))
    progress(len(attacks), len(attacks))
    return pl.concat(parts)


def check_kept(attacks: Sequence[Attack], facts: Sequence[Fact]) -> None:
    """Raise `DataError` when an attack needs facts that are not to be forgotten and there are none."""
    needing = [attack.name for attack in attacks if attack.needs_kept]
    if needing and not any(fact.role in ROLES_KEPT for fact in facts):
        raise DataError(
            f"attack {', '.join(needing)} needs facts that are not to be forgotten (of the roles"
            f" {', '.join(ROLES_KEPT)}); add some, or leave the attack out"
        )


def distinct(attacks: tuple[Attack, ...]) -> tuple[Attack, ...]:
    """Return the attacks; raises `ValueError` when two would give their metrics the same names."""
    names = [attack.name for attack in attacks]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"attack {', '.join(sorted(twice))} stands twice; give one of them a label")
    return attacks


def _resolve(value: Any) -> Any:
    """Turn a name or a table with ``kind`` into the settings of that attack."""
    if isinstance(value, Attack):
        return value
    return chosen(ATTACKS, {"kind": "quantise", "scheme": value} if value in SCHEMES else value)


AttackSettings = Annotated[SerializeAsAny[Attack], BeforeValidator(_resolve)]
"""An attack in a run file: a name such as ``"relearn"`` or ``"nf4"``, or ``{kind = "sample", n = 50}``."""
