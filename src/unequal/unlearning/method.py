"""The contract of unlearning methods: settings with the paper's defaults, and a loss for each fact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    model_validator,
)

from unequal.config import chosen
from unequal.facts.schema import Fact
from unequal.strict import GREATEST, StrictModel
from unequal.unlearning.methods import METHODS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Need = Literal[
    "reference",  # the answers, under the frozen starting model
    "refusal",  # a refusal and end of text in place of each answer, as the model is now
    "refusal_reference",  # the same, under the starting model
    "alternative",  # a plausible wrong answer in place of each answer, as the model is now
    "alternative_reference",  # the same, under the starting model
    "reinforced",  # the answers, under a copy of the starting model that was trained on them
    "novice",  # the answers, under the starting model prompted as a novice of the subject
    "expert",  # the answers, under the starting model prompted as an expert of the subject
    "popularity",  # how often the fact, or its subject, occurs
]
RetainLoss = Literal["nll", "kl", "jsd", "preference"]
Scheduled = Literal["beta", "margin"]


@dataclass(frozen=True)
class TokenScores:
    """Log-probabilities of the tokens of a batch of answers under teacher forcing, one row a fact.

    Fields of every token of the vocabulary are None unless a method lists these answers in ``whole``.
    """

    log_probs: "Tensor"
    """``(batch, tokens)``, float32, natural logarithm; 0 at padding."""
    mask: "Tensor"
    """``(batch, tokens)``, true at answer tokens, false at padding."""
    targets: "Tensor | None" = None
    """``(batch, tokens)``, token ids; 0 at padding."""
    distributions: "Tensor | None" = None
    """``(batch, tokens, vocab)``, log-probabilities; 0 at padding."""
    log_normalisers: "Tensor | None" = None
    """``(batch, tokens)``, log Σ exp of the logits; 0 at padding."""

    @property
    def nll(self) -> "Tensor":
        """S, the negative log-probability of each whole answer, ``(batch,)``."""
        return -self.log_probs.sum(1)

    @property
    def n_tokens(self) -> "Tensor":
        """n, the number of tokens of each answer, ``(batch,)``."""
        return self.mask.sum(1)

    @property
    def mean_nll(self) -> "Tensor":
        """S/n, the negative log-probability per token of each answer, ``(batch,)``."""
        return self.nll / self.n_tokens

    @property
    def logits(self) -> "Tensor":
        """What the head returned, ``(batch, tokens, vocab)``: log-probabilities and their constant."""
        if self.log_normalisers is None:
            raise KeyError("the method looks at logits of answers that it does not list in whole")
        return self.every_token()[1] + self.log_normalisers[..., None]

    def to(self, device: "torch.device | str") -> "TokenScores":
        """Return the same scores on a device."""
        parts = (self.log_probs, self.mask, self.targets, self.distributions, self.log_normalisers)
        moved = [part if part is None else part.to(device) for part in parts]
        return TokenScores(*moved)  # type: ignore[arg-type]  # the first two are never None

    def part(self, start: int, stop: int) -> "TokenScores":
        """Return the scores of answers ``start`` to ``stop`` (exclusive), cut to the longest of them."""
        longest = int(self.n_tokens[start:stop].max())
        cut = (slice(start, stop), slice(0, longest))
        targets = None if self.targets is None else self.targets[cut]
        distributions = None if self.distributions is None else self.distributions[cut]
        normalisers = None if self.log_normalisers is None else self.log_normalisers[cut]
        return TokenScores(self.log_probs[cut], self.mask[cut], targets, distributions, normalisers)

    def every_token(self) -> "tuple[Tensor, Tensor]":
        """Return ``targets`` and ``distributions``, which the method asked for in ``whole``."""
        if self.targets is None or self.distributions is None:
            raise KeyError("the method looks at every token of answers that it does not list in whole")
        return self.targets, self.distributions

    def mean(self, per_token: "Tensor") -> "Tensor":
        """Return the mean over each answer's tokens of values ``(batch, tokens)``, ``(batch,)``.

        What stands at padding has no weight and no gradient.
        """
        return per_token.masked_fill(~self.mask, 0.0).sum(1) / self.n_tokens


@dataclass(frozen=True)
class ForgetScores:
    """The token scores that a method's loss is computed from; those it did not list in ``needs`` are None."""

    policy: TokenScores
    """The answers to forget, under the model as it is now; empty without ``scores_answers``."""
    reference: TokenScores | None = None
    """The answers, under the frozen starting model."""
    refusal: TokenScores | None = None
    """A refusal in place of each answer, as the model is now."""
    refusal_reference: TokenScores | None = None
    """The same, under the starting model."""
    alternative: TokenScores | None = None
    """A plausible wrong answer in place of each answer, as the model is now."""
    alternative_reference: TokenScores | None = None
    """The same, under the starting model."""
    reinforced: TokenScores | None = None
    """The answers, under a copy of the starting model that was trained on them."""
    novice: TokenScores | None = None
    """The answers, under the starting model prompted as a novice of the subject."""
    expert: TokenScores | None = None
    """The answers, under the starting model prompted as an expert of the subject."""
    popularity: "Tensor | None" = None
    """How often each fact, or its subject, occurs, ``(batch,)``, 0 or more."""
    factors: "Mapping[Scheduled, Tensor]" = field(default_factory=dict)
    """Factors of the settings that weights scale, ``(batch,)`` each; see `each`."""

    def get(self, name: str) -> TokenScores:
        """Return the scores of that name, which the method listed in ``needs``."""
        scores = getattr(self, name)
        if scores is None:
            raise KeyError(f"the method uses {name} without listing it in needs")
        return cast(TokenScores, scores)

    def each(self, setting: Scheduled, value: float, axes: int = 1) -> "float | Tensor":
        """Return the setting for each fact, its value times the fact's factor, ``(batch, 1, …)`` of ``axes``.

        Where no weights act on the setting it is the value itself.
        """
        if setting not in self.factors:
            return value
        factors = self.factors[setting].to(self.policy.log_probs)
        return value * factors.view(-1, *[1] * (axes - 1))


class Dual(StrictModel):
    """A retain weight that learns: λ ← clip(λ + rate · (L_retain − budget), minimum, maximum) after a step.

    With ``relative`` the budget is on the rise of L_retain above its value at the start.
    """

    rate: float = Field(gt=0, description="step size of the retain weight")
    budget: float = Field(description="retain loss above which the weight grows (nats per token)")
    start: float = Field(default=1.0, ge=0, description="retain weight at the start")
    minimum: float = Field(default=0.0, ge=0, description="lowest retain weight")
    maximum: float | None = Field(
        default=None, gt=0, description="highest retain weight; by default no limit"
    )
    warm_up_share: float = Field(
        default=0.0, ge=0, lt=1, description="share of the run in which the weight stays as it is"
    )
    relative: bool = Field(
        default=False, description="the budget is a rise above the retain loss at the start"
    )

    def after(self, multiplier: float, retain_loss: float, at_start: float, share_done: float) -> float:
        """Return the multiplier after a step with that mean retain loss, at that share of the run."""
        if share_done < self.warm_up_share:
            return multiplier
        excess = retain_loss - (at_start if self.relative else 0.0) - self.budget
        return min(max(multiplier + self.rate * excess, self.minimum), self.maximum or float("inf"))


class Method(StrictModel):
    """An unlearning method: its settings as fields, and the loss of a fact to forget, `forget_loss`.

    Training minimises γ·L_forget + α·L_retain + λ·L_question, each a mean over facts. A method of your own
    is a subclass with `forget_loss`.
    """

    title: ClassVar[str] = ""
    """The method's name in full."""
    formula: ClassVar[str] = ""
    """The loss of a fact, as text."""
    source: ClassVar[str] = ""
    """Authors, year and paper."""
    cost: ClassVar[str] = "1 pass a step"
    """Passes through the model, in words."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """The scores beside ``policy`` that the loss looks at: names of fields of `ForgetScores`."""
    whole: ClassVar[frozenset[str]] = frozenset()
    """The answers (``policy``, ``reference``, …) of which the loss looks at every token of the vocabulary."""
    scores_answers: ClassVar[bool] = True
    """Whether the loss looks at ``policy``; where it does not, no pass over the answers is made."""
    scheduled: ClassVar[Mapping[Scheduled, str]] = {}
    """Settings that weights may scale for each fact, with their names; `ForgetScores.each` gives them."""

    kind: str = Field(description="unlearning method; see: unequal list methods")
    learning_rate: float = Field(default=1e-5, gt=0, le=GREATEST, description="peak learning rate")
    forget_weight: float = Field(default=1.0, ge=0.0, description="γ, weight of the forget loss")
    retain_weight: float = Field(default=1.0, ge=0.0, description="α, weight of the retain loss")
    question_weight: float = Field(
        default=0.0, ge=0.0, description="λ, weight of the loss on the tokens of the forget question"
    )
    retain_loss: RetainLoss = Field(
        default="nll",
        description="loss on retain answers: cross-entropy; KL or Jensen-Shannon divergence from the starting"
        " model; or preference over a refusal",
    )
    dual: Dual | None = Field(
        default=None,
        description="a retain weight that learns, in place of α",
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        """Name a method that comes from outside by its place, ``module:class``."""
        if isinstance(values, Mapping) and "kind" not in values and cls.model_fields["kind"].is_required():
            return {**values, "kind": f"{cls.__module__}:{cls.__qualname__}"}
        return values

    @model_validator(mode="after")
    def _trains_something(self) -> Self:
        if not (self.forget_weight or self.retain_weight or self.question_weight):
            raise ValueError("one of forget_weight, retain_weight and question_weight must be above 0")
        return self

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the loss of each fact to forget, ``(batch,)``, float32; lower means more forgotten."""
        raise NotImplementedError

    def reduce(self, losses: "Tensor", weights: "Tensor") -> "Tensor":
        """Return the loss of a batch, a scalar, from losses and weights of its facts, each ``(batch,)``.

        By default their weighted mean. The weights have mean 1 over all facts to forget.
        """
        return (weights * losses).mean()

    def prompt_prefix(self, forget: Sequence[Fact]) -> str:  # noqa: ARG002
        """Return the text before every prompt after unlearning: empty but for methods of prompts."""
        return ""


def _resolve(value: Any) -> Any:
    """Turn a name or a table with ``kind`` into the settings of that method."""
    return value if isinstance(value, Method) else chosen(METHODS, value)


MethodSettings = Annotated[SerializeAsAny[Method], BeforeValidator(_resolve)]
"""A method in a run file: a name such as ``"npo"``, or a table such as ``{kind = "npo", beta = 0.2}``."""


def distinct_kinds(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    """Return methods of different kinds; raises `ValueError` when one kind stands twice."""
    kinds = [method.kind for method in methods]
    twice = {kind for kind in kinds if kinds.count(kind) > 1}
    if twice:
        raise ValueError(
            f"method {', '.join(sorted(twice))} stands twice; use one study for each setting, or one search"
        )
    return methods
