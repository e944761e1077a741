"""The policy: what must hold for an unlearned model to pass, stated in a small TOML file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from unequal.config import build, read_toml
from unequal.evaluation.general_table import PERPLEXITY, loss_of
from unequal.strict import StrictModel

UNSTATED = "the default; a policy allows facts that cannot be judged by stating max_unjudged"

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rise = Annotated[float, Field(ge=0.0)]


class Policy(StrictModel):
    """Limits; one that is not given is not asked for, but ``max_unjudged``. Shares are of facts known before.

    ``max_still_there``, ``max_suppressed`` and ``max_left`` (either) are judged above the share of never-seen
    facts with the same verdict, and so is ``max_left_in_any_bucket`` of counts. ``max_utility_loss`` holds
    for the worst role and kind of metric, ``max_refusal`` and ``max_degenerate`` for what should survive,
    ``max_perplexity_rise`` for held-out text and ``max_task_loss`` for the worst score of lm-eval's tasks.
    """

    bound: Literal["estimate", "upper"] = Field(
        default="estimate",
        description="what is held against a limit: the estimate, or its interval's upper end",
    )
    min_facts: int | None = Field(default=None, ge=1, description="facts known before")
    min_never_seen: int | None = Field(default=None, ge=1)
    max_still_there: Share | None = None
    max_suppressed: Share | None = None
    max_left: Share | None = None
    max_left_in_any_bucket: Share | None = Field(default=None, description="of counts")
    max_unjudged: Share | None = Field(default=None, description="0 where it is not given")
    max_utility_loss: Share | None = None
    max_refusal: Share | None = None
    max_degenerate: Share | None = None
    max_perplexity_rise: Rise | None = Field(default=None, description="after / before − 1")
    max_task_loss: Share | None = Field(default=None, description="of lm-eval's tasks: 1 − after / before")
    max_recovery: dict[str, Share] = Field(
        default={}, description="by attack: mean over facts known before, above that of never-seen ones"
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Policy":
        if self == Policy.model_construct(bound=self.bound):
            raise ValueError("a policy must state at least one limit, such as max_left = 0.1")
        return self


@dataclass(frozen=True)
class Line:
    """One limit of the policy, what was found, and whether it holds; what cannot be judged does not hold."""

    rule: str
    limit: float
    found: float | None
    holds: bool
    why: str | None = None

    def sentence(self) -> str:
        """Return the line in words."""
        if self.found is None:
            return f"{self.rule} = {self.limit:g}: {self.why}"
        why = f" ({self.why})" if self.why else ""
        return f"{self.rule} = {self.limit:g}: found {self.found:.3g}{why}"


def read_policy(path: Path) -> Policy:
    """Return the policy of a TOML file; raises `ConfigError` for unknown keys and bad values."""
    return build(Policy, read_toml(path), str(path))


def check(policy: Policy, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each line of the policy judged on an audit's results, as plain values."""
    return [asdict(line) for line in _lines(policy, found)]


def unstated(policy: Policy, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the line that every policy has: facts that could not be judged break it, unless it allows them.

    There is none where all facts were judged, or where the policy itself has ``max_unjudged``.
    """
    shares = {row["verdict"]: row for row in found["verdicts"]}
    if policy.max_unjudged is not None or not shares["unjudged"]["n_facts"]:
        return []
    return [asdict(Line("max_unjudged", 0, shares["unjudged"]["share"], False, UNSTATED))]


def _lines(policy: Policy, found: Mapping[str, Any]) -> Iterator[Line]:
    shares = {row["verdict"]: row for row in found["verdicts"]}
    end = "value" if policy.bound == "estimate" else "high"
    yield from _least("min_facts", policy.min_facts, found["n_known"])
    yield from _least("min_never_seen", policy.min_never_seen, found["n_never_seen"])
    for rule, verdict in (("still_there", "still there"), ("suppressed", "suppressed"), ("left", "left")):
        excess = shares[verdict]["excess"][end]
        yield from _most(f"max_{rule}", getattr(policy, f"max_{rule}"), [excess], "no fact was known before")
    buckets = [row["excess"] for row in found["by_count"]]
    yield from _most("max_left_in_any_bucket", policy.max_left_in_any_bucket, buckets, "there are no counts")
    unjudged = [shares["unjudged"]["share"]]
    yield from _most("max_unjudged", policy.max_unjudged, unjudged, "no fact was known before")
    losses = [row["loss"][end] for row in found["utility"]]
    nothing = "no facts that should survive; give --utility"
    yield from _most("max_utility_loss", policy.max_utility_loss, losses, nothing)
    for metric in ("refusal", "degenerate"):
        kept = {"retain", "neighbour", "utility"}
        rates = [row["after"] for row in found["texts"] if row["metric"] == metric and row["role"] in kept]
        yield from _most(f"max_{metric}", getattr(policy, f"max_{metric}"), rates, nothing)
    yield from _general(policy, found.get("general", []))
    attacks = {row["attack"]: row["recovery"][end] for row in found["attacks"]}
    for name, limit in policy.max_recovery.items():
        values = [attacks[name]] if name in attacks else []
        why = "the attack was not run" if name not in attacks else "the attack gave no value"
        yield from _most(f"max_recovery.{name}", limit, values, why)


def _general(policy: Policy, rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Yield the lines on general utility, whose values are those of the models, without intervals."""
    rises = [loss_of(row) for row in rows if row["measure"] == PERPLEXITY and row["kind"] == "text"]
    nothing = "the perplexity of held-out text was not measured; see general.text"
    yield from _most("max_perplexity_rise", policy.max_perplexity_rise, rises, nothing)
    losses = [loss_of(row) for row in rows if row["kind"] == "task"]
    nothing = "no task of lm-eval was run, or one scored nothing before; see general.lm_eval"
    yield from _most("max_task_loss", policy.max_task_loss, losses, nothing)


def _least(rule: str, limit: int | None, found: int) -> Iterator[Line]:
    if limit is not None:
        yield Line(rule, limit, found, found >= limit)


def _most(rule: str, limit: float | None, values: Sequence[float | None], missing: str) -> Iterator[Line]:
    """Yield the line for the largest of the values, broken where there is none or one is missing."""
    if limit is None:
        return
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        yield Line(rule, limit, None, False, f"cannot be judged: {missing}")
    else:
        yield Line(rule, limit, max(known), max(known) <= limit)
