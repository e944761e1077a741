"""What a worker keeps at hand: a loaded base model, its facts, and evaluators that are ready to run."""

import copy
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel

from unequal.attacks.attack import AttackContext
from unequal.evaluation.evaluate import Evaluator
from unequal.facts.probes import ProbeKind, ProbeMaker
from unequal.facts.table import read_facts
from unequal.models.compute_settings import Scheme
from unequal.models.load import load_model, load_tokenizer
from unequal.oom import batches_are_reduced
from unequal.study.steps.baseline import AnyBase
from unequal.unlearning.settings import TargetSettings
from unequal.unlearning.targets import Target, select_target

LARGE = 500_000_000  # weights of a model beside which no other is kept


class Workbench:
    """One base with its facts, loaded once for many runs."""

    def __init__(self, study: Path, base: AnyBase, quantised: Scheme | None = None) -> None:
        model_folder = base.model_folder(study)
        self._prompts = base.prompts
        self._seed = base.draw_seed
        self._facts = read_facts(base.facts_file(study))
        self._model = load_model(model_folder, quantised, merge_adapter=base.merge_adapter)
        self.tokenizer = load_tokenizer(model_folder)
        self._evaluators: dict[tuple[object, ...], Evaluator] = {}

    def fresh_model(self) -> PreTrainedModel:
        """Return a copy of the base model that may be changed."""
        return copy.deepcopy(self._model)

    def target(self, settings: TargetSettings, facts_per_role: int) -> Target:
        """Return the facts of a target, the same for every run on this model."""
        return select_target(self._facts, settings, facts_per_role, self._seed)

    def evaluator(
        self,
        settings: TargetSettings,
        facts_per_role: int,
        kinds: Sequence[ProbeKind],
        n_wordings: int,
        metrics: tuple[str, ...],
        before: str = "",
    ) -> Evaluator:
        """Return the evaluator of a target, some probe kinds and metrics, made when first asked for.

        ``before`` is a text that stands before every prompt.
        """
        key = (settings, facts_per_role, tuple(kinds), n_wordings, metrics, before)
        if key not in self._evaluators:
            judged = self.target(settings, facts_per_role).evaluated
            maker = ProbeMaker(self._facts, self._prompts, n_wordings)
            self._evaluators[key] = Evaluator(self.tokenizer, judged, maker, kinds, before, metrics=metrics)
        return self._evaluators[key]

    def context(
        self,
        model: PreTrainedModel,
        settings: TargetSettings,
        facts_per_role: int,
        n_wordings: int,
        before: str = "",
    ) -> AttackContext:
        """Return what attacks on a model are shown: the judged facts, and all that are retained.

        What is drawn depends on the seed of the base alone, so that attacks on all models of a target, the
        starting one among them, train and test on the same facts.
        """
        target = self.target(settings, facts_per_role)
        judged = {fact.fact_id for fact in target.evaluated}
        facts = [*target.evaluated, *(fact for fact in target.retain_set if fact.fact_id not in judged)]
        maker = ProbeMaker(self._facts, self._prompts, n_wordings)
        return AttackContext(model, self.tokenizer, facts, maker, self._prompts, self._seed, before)


_benches: dict[tuple[Path, AnyBase, Scheme | None, bool], Workbench] = {}


def workbench(study: Path, base: AnyBase, quantised: Scheme | None = None) -> Workbench:
    """Return the workbench of a base; the last two stay loaded, of large models only the last.

    With ``quantised`` the model's weights are kept in 8 or 4 bits. Where memory is saved it is another one,
    whose batches are smaller.
    """
    key = (study, base, quantised, batches_are_reduced())
    bench = _benches.pop(key, None)
    room = 1 if any(one.n_weights > LARGE for _, one, *_ in [key, *_benches]) else 2
    while len(_benches) >= room:
        _benches.pop(next(iter(_benches)))  # before the next one is loaded
    _benches[key] = bench or Workbench(study, base, quantised)
    return _benches[key]
