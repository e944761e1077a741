"""From a run file to its steps, in an order in which each comes after its inputs."""

from collections.abc import Iterator
from itertools import product

from unequal.corpus.settings import CorpusSettings
from unequal.study.settings import StudySettings
from unequal.study.step import Step
from unequal.study.steps.baseline import BaselineStep
from unequal.study.steps.corpus import CorpusStep
from unequal.study.steps.pretrain import PretrainStep
from unequal.study.steps.unlearn import UnlearnStep
from unequal.unlearning.settings import TargetSettings


def plan_steps(settings: StudySettings) -> list[Step]:
    """Return every step of the study once."""
    steps: dict[str, Step] = {}
    for unlearn in _unlearn_steps(settings):
        pretrain = unlearn.baseline.pretrain
        for step in (pretrain.corpus, pretrain, unlearn.baseline, unlearn):
            steps.setdefault(step.folder, step)
    return list(steps.values())


def _unlearn_steps(settings: StudySettings) -> Iterator[UnlearnStep]:
    for pretrain in _pretrain_steps(settings):
        for target in settings.targets:
            baseline = BaselineStep(
                pretrain=pretrain,
                target=TargetSettings(relation=target.relation, level=target.level),
                facts_per_role=settings.evaluate.facts_per_role,
                probes=settings.evaluate.probes,
                n_wordings=settings.evaluate.n_wordings,
                metrics=settings.evaluate.metrics,
                attacks=settings.attacks,
            )
            for method in settings.methods:
                if target.methods is not None and method.kind not in target.methods:
                    continue
                arms = product(settings.weightings, settings.precisions, settings.seeds)
                for weighting, precision, seed in arms:
                    given = {"weighting": weighting, "precision": precision}
                    yield UnlearnStep(
                        baseline=baseline,
                        method=method,
                        unlearn=settings.unlearn.model_copy(update=given),
                        probes_between=settings.evaluate.probes_between,
                        seed=seed,
                    )


def _pretrain_steps(settings: StudySettings) -> Iterator[PretrainStep]:
    for seed in settings.pretrain_seeds:
        for wording in settings.wordings:
            plan = CorpusSettings(seed=seed, wording=wording, **settings.corpus.model_dump())
            corpus = CorpusStep(world=settings.world, corpus=plan, prompts=settings.prompts)
            for model in settings.models:
                yield PretrainStep(corpus=corpus, model=model, pretrain=settings.pretrain, seed=seed)
