"""The watch over a run with stopping rules: cheap looks at the model, who is done, and the way back."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.errors import ConfigError
from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.models.fsdp import parted
from unequal.unlearning.examples import Example, answer_probabilities, answer_row
from unequal.unlearning.stopping import Reason, Stopping
from unequal.unlearning.targets import NO_CONTROLS, Controls

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Watch:
    """Looks at the model between steps.

    ``done`` flags the facts to forget that are done, ``(facts,)``. Raises `ConfigError` when a rule lacks the
    facts that it looks at.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: "PreTrainedTokenizerBase",
        rules: Stopping,
        forget: Sequence[Fact],
        controls: Controls,
        prompts: PromptFormat,
    ) -> None:
        self._rules = rules
        self._padding = int(tokenizer.pad_token_id)
        self._relations = [fact.relation for fact in forget]
        self._check_controls(controls)

        def rows(facts: Sequence[Fact]) -> list[Example]:
            return [answer_row(tokenizer, prompts, fact, fact.answer, end=False) for fact in facts]

        if not rules.is_set:  # nothing will be looked at
            forget, controls = (), NO_CONTROLS
        self._forget, self._utility = rows(forget), rows(controls.utility)
        self._never_seen: dict[str, list[Example]] = defaultdict(list)
        for fact, row in zip(controls.never_seen, rows(controls.never_seen), strict=True):
            self._never_seen[fact.relation].append(row)
        self.why = ""
        self.done = torch.zeros(len(self._relations), dtype=torch.bool)
        self._utility_at_start = self._mean(model, self._utility) if rules.utility_drop is not None else 0.0
        self._last_good: dict[str, Tensor] | None = None
        self._last_good_step = 0
        if rules.utility_drop is not None:
            self._remember(model, 0)

    def check(self, model: PreTrainedModel, step: int) -> Reason | None:
        """Return why the run ends after this step, None when it goes on; ``why`` then says it in words.

        When utility has fallen too far the model is put back to its state at the last check before.
        """
        rules = self._rules
        if not rules.is_set or step == 0 or step % rules.check_every:
            return None
        if rules.utility_drop is not None:
            now = self._mean(model, self._utility)
            if now < (1 - rules.utility_drop) * self._utility_at_start:
                self._go_back(model)
                lost = 1 - now / self._utility_at_start
                allowed = f"{rules.utility_drop:.0%} allowed"
                self.why = f"untouched answers lost {lost:.0%} of their probability, {allowed}"
                return "utility"
            self._remember(model, step)
        needed = rules.forget_probability is not None or rules.matched_ignorance
        forget = self._probabilities(model, self._forget) if needed else torch.ones(0)
        if rules.matched_ignorance:
            ignorance = {name: self._mean(model, rows) for name, rows in self._never_seen.items()}
            self.done |= forget <= torch.tensor([ignorance[name] for name in self._relations])
            if bool(self.done.all()):
                self.why = (
                    "no answer to forget is more probable than those of never-seen facts of its relation"
                )
                return "ignorance"
        if rules.forget_probability is not None and forget.mean().item() <= rules.forget_probability:
            self.why = f"the answers to forget have a probability of {forget.mean().item():.2g} left"
            return "forgotten"
        return None

    @property
    def kept_step(self) -> int:
        """The step of the state that `check` goes back to."""
        return self._last_good_step

    def state(self) -> dict[str, Tensor]:
        """Return what was seen so far, as tensors by name."""
        kept = {f"good.{name}": value for name, value in (self._last_good or {}).items()}
        return {"done": self.done, "good_step": torch.tensor(self._last_good_step), **kept}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up again what an earlier watch had seen."""
        self.done = state["done"]
        self._last_good_step = int(state["good_step"])
        if self._last_good is not None:
            self._last_good = {
                name: parted(state[f"good.{name}"], value) for name, value in self._last_good.items()
            }

    def _check_controls(self, controls: Controls) -> None:
        if self._rules.utility_drop is not None and not controls.utility:
            raise ConfigError("stopping by utility_drop needs facts of the role utility to watch")
        seen = {fact.relation for fact in controls.never_seen}
        missing = sorted(set(self._relations) - seen)
        if self._rules.matched_ignorance and missing:
            raise ConfigError(
                f"stopping by matched_ignorance needs never-seen facts of every relation to forget; there are"
                f" none of {', '.join(missing)}"
            )

    def _probabilities(self, model: PreTrainedModel, rows: Sequence[Example]) -> Tensor:
        return answer_probabilities(model, rows, self._padding)

    def _mean(self, model: PreTrainedModel, rows: Sequence[Example]) -> float:
        return self._probabilities(model, rows).mean().item()

    def _remember(self, model: PreTrainedModel, step: int) -> None:
        self._last_good = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self._last_good_step = step

    def _go_back(self, model: PreTrainedModel) -> None:
        assert self._last_good is not None  # noqa: S101  remembered since the start
        model.load_state_dict(self._last_good)
