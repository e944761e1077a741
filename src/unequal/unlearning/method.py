"""What a method is: settings with its paper's defaults, and a loss for each fact from the scores it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    model_validator,
)

from unequal.config import sentences
from unequal.errors import did_you_mean
from unequal.unlearning.methods import METHODS

if TYPE_CHECKING:
    from torch import Tensor

Need = Literal["reference", "refusal"]


@dataclass(frozen=True)
class TokenScores:
    """Answers under teacher forcing, one a row; padding has log-probability 0 and mask false."""

    log_probs: "Tensor"  # (batch, tokens), float32, natural logarithm
    mask: "Tensor"  # (batch, tokens), true at answer tokens

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


@dataclass(frozen=True)
class ForgetScores:
    """What a method may look at; scores that it did not list in ``needs`` are None."""

    policy: TokenScores  # answers to forget, under the model as it is now
    reference: TokenScores | None = None  # the same answers under the frozen starting model
    refusal: TokenScores | None = None  # a refusal and end of text in place of each answer, as it is now


class Method(BaseModel):
    """An unlearning objective: total loss γ·L_forget + α·L_retain + λ·L_question, each a mean over facts."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset()

    kind: str
    learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    forget_weight: float = Field(default=1.0, ge=0.0, description="γ")
    retain_weight: float = Field(default=1.0, ge=0.0, description="α")
    question_weight: float = Field(default=0.0, ge=0.0, description="λ, on the tokens of the forget question")
    retain_loss: Literal["nll", "kl"] = Field(
        default="nll", description="on retain answers: cross-entropy, or KL from the starting model"
    )

    @model_validator(mode="after")
    def _trains_something(self) -> Self:
        if not (self.forget_weight or self.retain_weight or self.question_weight):
            raise ValueError("one of forget_weight, retain_weight and question_weight must be above 0")
        return self

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the loss of each fact to forget, ``(batch,)``, lower meaning more forgotten."""
        raise NotImplementedError


def _resolve(value: Any) -> Any:
    """Turn a name or a table with ``kind`` into the settings of that method."""
    if isinstance(value, Method):
        return value
    table = {"kind": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        raise ValueError(f"a method is a name or a table with 'kind' (known: {', '.join(METHODS)})")
    if table["kind"] not in METHODS:
        hint = did_you_mean(table["kind"], METHODS)
        raise ValueError(f"unknown method '{table['kind']}'{hint} (known: {', '.join(METHODS)})")
    method = METHODS.get(table["kind"])
    try:
        return method.model_validate(dict(table))
    except ValidationError as error:
        raise ValueError(f"method {table['kind']}: {'; '.join(sentences(error, method))}") from error


MethodSettings = Annotated[SerializeAsAny[Method], BeforeValidator(_resolve)]
"""A method in a run file: a name such as ``"npo"``, or a table such as ``{kind = "npo", beta = 0.2}``."""
