"""Early stopping: periodic evaluation of the stopping rules, per-fact completion, rollback when they fail."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from unequal.errors import ConfigError
from unequal.models.fsdp import sharded_like
from unequal.unlearning.examples import Example, answer_probabilities
from unequal.unlearning.run import Run
from unequal.unlearning.stopping import Reason
from unequal.unlearning.targets import NO_CONTROLS


class EarlyStopping:
    """Evaluates a run's stopping rules between steps.

    ``done`` flags the facts to forget that are done, ``(facts,)``; ``why`` says in words why a run ended, and
    ``went_back`` whether the model is that of the check before.
    Raises `ConfigError` when a rule lacks the facts that it is about.
    """

    def __init__(self, run: Run) -> None:
        self._model, self._rules, self._padding = run.model, run.settings.stopping, run.encoder.padding
        self._relations = [fact.relation for fact in run.forget]
        _check_controls(run)
        is_set, encode = self._rules.is_set, run.encoder.own_answers
        controls = run.controls if is_set else NO_CONTROLS
        self._forget = encode(run.forget if is_set else ())
        self._utility = encode(controls.utility)
        self._text = controls.text
        self._never_seen: dict[str, list[Example]] = defaultdict(list)
        for fact, example in zip(controls.never_seen, encode(controls.never_seen), strict=True):
            self._never_seen[fact.relation].append(example)
        self.why, self.went_back = "", False
        self.done = torch.zeros(len(self._relations), dtype=torch.bool)
        self._last_good: dict[str, Tensor] | None = None
        self._last_good_step = 0
        self._utility_at_start = 0.0
        self._perplexity_at_start = 0.0
        if self._rules.utility_drop is not None:
            self._utility_at_start = self._mean(self._utility)
        if self._rules.perplexity_rise is not None:
            self._perplexity_at_start = self._perplexity()
        if self._rules.goes_back:
            self._remember(0)

    def check(self, step: int) -> Reason | None:
        """Return why the run ends after this step, None when it goes on.

        When utility has fallen too far, or perplexity has risen too far, the model is put back to its state
        at the check before.
        """
        rules = self._rules
        if not rules.is_set or step == 0 or step % rules.check_every:
            return None
        if self._has_lost_utility():
            self._go_back()
            return "utility"
        if self._has_lost_fluency():
            self._go_back()
            return "perplexity"
        if rules.goes_back:
            self._remember(step)
        if rules.forget_probability is None and not rules.matched_ignorance:
            return None
        forget = self._probabilities(self._forget)
        if self._is_ignorant(forget):
            return "ignorance"
        return "forgotten" if self._is_forgotten(forget) else None

    @property
    def kept_step(self) -> int:
        """The step of the state that `check` goes back to."""
        return self._last_good_step

    def state(self) -> dict[str, Tensor]:
        """Return what was found so far, as tensors by name."""
        kept = {f"good.{name}": value for name, value in (self._last_good or {}).items()}
        return {"done": self.done, "good_step": torch.tensor(self._last_good_step), **kept}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up the state of an interrupted run."""
        self.done = state["done"]
        self._last_good_step = int(state["good_step"])
        if self._last_good is not None:
            self._last_good = {
                name: sharded_like(state[f"good.{name}"], value) for name, value in self._last_good.items()
            }

    def _has_lost_utility(self) -> bool:
        allowed = self._rules.utility_drop
        if allowed is None:
            return False
        now = self._mean(self._utility)
        if now >= (1 - allowed) * self._utility_at_start:
            return False
        lost = 1 - now / self._utility_at_start
        self.why = f"untouched answers lost {lost:.0%} of their probability, {allowed:.0%} allowed"
        return True

    def _has_lost_fluency(self) -> bool:
        allowed = self._rules.perplexity_rise
        if allowed is None:
            return False
        start, now = self._perplexity_at_start, self._perplexity()
        if now <= (1 + allowed) * start:
            return False
        rise = f"{now / start - 1:.0%} ({start:.1f} → {now:.1f})"
        self.why = f"the perplexity of held-out text rose by {rise}, {allowed:.0%} allowed"
        return True

    def _is_ignorant(self, forget: Tensor) -> bool:
        """Flag the facts no more probable than never-seen ones of their relation; return whether all are."""
        if not self._rules.matched_ignorance:
            return False
        ignorance = {relation: self._mean(examples) for relation, examples in self._never_seen.items()}
        self.done |= forget <= torch.tensor([ignorance[relation] for relation in self._relations])
        if not bool(self.done.all()):
            return False
        self.why = "no answer to forget is more probable than those of never-seen facts of its relation"
        return True

    def _is_forgotten(self, forget: Tensor) -> bool:
        limit, now = self._rules.forget_probability, forget.mean().item()
        if limit is None or now > limit:
            return False
        self.why = f"the answers to forget have a probability of {now:.2g} left"
        return True

    def _probabilities(self, examples: Sequence[Example]) -> Tensor:
        return answer_probabilities(self._model, examples, self._padding)

    def _mean(self, examples: Sequence[Example]) -> float:
        return self._probabilities(examples).mean().item()

    def _perplexity(self) -> float:
        assert self._text is not None  # noqa: S101  checked before
        self._model.eval()
        return self._text.run(self._model).perplexity

    def _remember(self, step: int) -> None:
        self._last_good = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        self._last_good_step = step

    def _go_back(self) -> None:
        assert self._last_good is not None  # noqa: S101  remembered since the start
        self._model.load_state_dict(self._last_good)
        self.went_back = True


def _check_controls(run: Run) -> None:
    rules = run.settings.stopping
    if rules.utility_drop is not None and not run.controls.utility:
        raise ConfigError("stopping by utility_drop needs facts of the role utility")
    if rules.perplexity_rise is not None and run.controls.text is None:
        raise ConfigError(
            "stopping by perplexity_rise needs held-out text, which unequal unlearn reads from general.text;"
            " leave the rule out here"
        )
    seen = {fact.relation for fact in run.controls.never_seen}
    missing = sorted({fact.relation for fact in run.forget} - seen)
    if rules.matched_ignorance and missing:
        raise ConfigError(
            f"stopping by matched_ignorance needs never-seen facts of every relation to forget; there are"
            f" none of {', '.join(missing)}"
        )
