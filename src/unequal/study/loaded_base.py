"""A loaded base model with its facts and prepared evaluators, kept by a worker for its next runs."""

import copy
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel

from unequal.attacks.attack import AttackContext
from unequal.evaluation.evaluate import Evaluator
from unequal.facts.probes import ProbeKind, ProbeMaker
from unequal.facts.table import read_facts
from unequal.models.checkpoint import load
from unequal.models.compute_settings import Scheme
from unequal.oom import batches_are_reduced
from unequal.scoring.encoding import Encoder
from unequal.study.steps.baseline import AnyBase
from unequal.unlearning.settings import TargetSettings
from unequal.unlearning.targets import Target, select_target

LARGE = 500_000_000  # parameters of a model beside which no other is kept


class LoadedBase:
    """One base model with its facts, loaded once for many runs."""

    def __init__(self, study: Path, base: AnyBase, quantised: Scheme | None = None) -> None:
        self._prompts = base.prompts
        self._seed = base.draw_seed
        self._facts = read_facts(base.facts_file(study))
        self._model, self.tokenizer = load(
            base.model_folder(study), quantise=quantised, merge_adapter=base.merge_adapter
        )
        self.encoder = Encoder(self.tokenizer)
        self._targets: dict[tuple[TargetSettings, int], Target] = {}
        self._evaluators: dict[tuple[object, ...], Evaluator] = {}

    def fresh_model(self) -> PreTrainedModel:
        """Return a copy of the base model that may be changed."""
        return copy.deepcopy(self._model)

    def target(self, settings: TargetSettings, facts_per_role: int) -> Target:
        """Return the facts of a target, the same for every run on this model."""
        key = (settings, facts_per_role)
        if key not in self._targets:
            self._targets[key] = select_target(self._facts, settings, facts_per_role, self._seed)
        return self._targets[key]

    def evaluator(
        self,
        target: Target,
        kinds: Sequence[ProbeKind],
        n_wordings: int,
        metrics: tuple[str, ...],
        prefix: str = "",
    ) -> Evaluator:
        """Return the evaluator of a target, some probe kinds and metrics, prepared when first asked for.

        ``prefix`` is a text that stands before every prompt.
        """
        key = (id(target), tuple(kinds), n_wordings, metrics, prefix)
        if key not in self._evaluators:
            maker = ProbeMaker(self._facts, self._prompts, n_wordings)
            self._evaluators[key] = Evaluator(
                self.encoder, target.facts.all, maker, kinds, prefix, metrics=metrics
            )
        return self._evaluators[key]

    def context(
        self, model: PreTrainedModel, target: Target, n_wordings: int, prefix: str = ""
    ) -> AttackContext:
        """Return what attacks on a model are shown: the evaluated facts, and all that are retained.

        What is drawn depends on the seed of the base alone, so that attacks on all models of a target, the
        starting one among them, train and test on the same facts.
        """
        evaluated = {fact.fact_id for fact in target.facts.all}
        facts = [*target.facts.all, *(fact for fact in target.retain_set if fact.fact_id not in evaluated)]
        maker = ProbeMaker(self._facts, self._prompts, n_wordings)
        return AttackContext(model, self.tokenizer, facts, maker, self._prompts, self._seed, prefix)


_loaded: dict[tuple[Path, AnyBase, Scheme | None, bool], LoadedBase] = {}


def loaded_base(study: Path, base: AnyBase, quantised: Scheme | None = None) -> LoadedBase:
    """Return a base model, loaded; the last two stay loaded, of large models only the last.

    With ``quantised`` the model's parameters are kept in 8 or 4 bits. Where memory is saved it is another
    one, whose batches are smaller.
    """
    key = (study, base, quantised, batches_are_reduced())
    found = _loaded.pop(key, None)
    room = 1 if any(one.n_weights > LARGE for _, one, *_ in [key, *_loaded]) else 2
    while len(_loaded) >= room:
        _loaded.pop(next(iter(_loaded)))  # before the next one is loaded
    _loaded[key] = found or LoadedBase(study, base, quantised)
    return _loaded[key]
