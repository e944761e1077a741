"""From a run file to its steps, in an order in which each comes after its inputs."""

from collections.abc import Iterator
from itertools import product

from unequal.study.settings import StudySettings
from unequal.study.step import Step
from unequal.study.steps.baseline import BaselineStep
from unequal.study.steps.unlearn import UnlearnStep


def plan_steps(settings: StudySettings) -> list[Step]:
    """Return every step of the study once; raises `ConfigError` or `DataError` for a file that is missing."""
    steps: dict[str, Step] = {}
    for unlearn in _unlearn_steps(settings):
        for step in (*unlearn.baseline.base.steps, unlearn.baseline, unlearn):
            steps.setdefault(step.folder, step)
    return list(steps.values())


def _unlearn_steps(settings: StudySettings) -> Iterator[UnlearnStep]:
    for base in settings.bases():
        for target, chosen in zip(settings.target_settings(), settings.targets, strict=True):
            baseline = BaselineStep(
                base=base,
                target=target,
                facts_per_role=settings.evaluate.facts_per_role,
                probes=settings.evaluate.probes,
                n_wordings=settings.evaluate.n_wordings,
                metrics=settings.evaluate.metrics,
                attacks=settings.attacks,
                quantise=settings.unlearn.quantise,
            )
            for method in settings.methods:
                if chosen.methods is not None and method.kind not in chosen.methods:
                    continue
                runs = product(settings.precisions, settings.weightings, settings.seeds)
                for precision, weighting, seed in runs:
                    given = {"precision": precision, "weighting": weighting}
                    yield UnlearnStep(
                        baseline=baseline,
                        method=method,
                        unlearn=settings.unlearn.model_copy(update=given),
                        probes_between=settings.evaluate.probes_between,
                        seed=seed,
                    )
