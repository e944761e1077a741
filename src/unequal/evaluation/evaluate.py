"""Evaluation of a model on facts: the score and generation tables, from two passes over the probes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import polars as pl
from transformers import PreTrainedModel

from unequal.errors import ConfigError
from unequal.evaluation.general_table import no_general
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import Metric, Need, ProbeRecord
from unequal.evaluation.passes import Passes
from unequal.evaluation.rows import ScoreRows, generation_rows
from unequal.facts.probes import PROBE_KINDS, ProbeKind, ProbeMaker, PromptFormat
from unequal.facts.schema import Fact
from unequal.models.compute_settings import Precision
from unequal.models.precision import computing_in
from unequal.progress import Progress, no_progress
from unequal.scoring.encoding import Encoder, Tokenizer
from unequal.scoring.generate import GenerationPass
from unequal.scoring.gradient import GradientPass
from unequal.scoring.log_probs import AnswerPass, ProbeScore
from unequal.scoring.sample import SamplePass

TWO_PASSES = Passes(moments=False)
PROMPTS = PromptFormat()


@dataclass(frozen=True)
class Tables:
    """Rows of the score table and of the generation table, without the columns that describe the run.

    ``general`` is the table of general utility, without rows where it was not measured.
    """

    scores: pl.DataFrame
    generations: pl.DataFrame
    general: pl.DataFrame = field(default_factory=no_general)


def evaluate(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    facts: Sequence[Fact],
    prompts: PromptFormat = PROMPTS,
    *,
    probes: Sequence[ProbeKind] = PROBE_KINDS,
    n_wordings: int = 2,
    metrics: Sequence[str | Metric] | None = None,
    passes: Passes = TWO_PASSES,
    reference: PreTrainedModel | None = None,
    precision: Precision = "fp32",
    table: Sequence[Fact] | None = None,
    progress: Progress = no_progress,
) -> Tables:
    """Return the score and generation tables of a model on some facts.

    ``n_wordings`` is the number of wordings of a probe kind, at most, whose values are averaged. ``table``
    are all facts from which right and wrong answers of reverse questions are taken, by default the facts
    themselves. The other arguments, and what is raised, are those of `Evaluator`.
    """
    maker = ProbeMaker(facts if table is None else table, prompts, n_wordings)
    evaluator = Evaluator(
        tokenizer, facts, maker, probes, metrics=metrics, passes=passes, reference=reference,
        precision=precision,
    )  # fmt: skip
    return evaluator.run(model, progress)


class Evaluator:
    """The evaluation of some facts, prepared once for the models or steps that it is run on.

    ``before`` is a text that stands before every prompt, ``precision`` that of the passes. ``metrics`` names
    those to compute, None being all that ``passes`` allow; a ``reference`` model never saw the facts. Raises
    `ConfigError` for a name that is no metric and for a metric that needs a pass which is not run.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        facts: Sequence[Fact],
        maker: ProbeMaker,
        kinds: Sequence[ProbeKind],
        before: str = "",
        *,
        metrics: Sequence[str | Metric] | None = None,
        passes: Passes = TWO_PASSES,
        reference: PreTrainedModel | None = None,
        precision: Precision = "fp32",
    ) -> None:
        encoder = Encoder.of(tokenizer)
        self._precision: Precision = precision
        probes = [probe for fact in facts for probe in maker.probes(fact, kinds)]
        self._probes = [replace(probe, prompt=before + probe.prompt) for probe in probes]
        self._rows = ScoreRows(facts, self._probes)
        self._metrics = _chosen(metrics, passes.give(reference is not None))
        self._open = [index for index, probe in enumerate(self._probes) if probe.kind != "true_false"]
        asked = [self._probes[index] for index in self._open]
        needs = {need for metric in self._metrics for need in metric.needs}
        self._scores_answers = bool(needs - {"generation", "samples", "gradient_norm"})
        self._answers = AnswerPass(encoder, self._probes, moments=passes.moments)
        self._generation = GenerationPass(encoder, asked)
        self._gradients = GradientPass(encoder, self._probes) if passes.gradient_norms else None
        sampling = passes.samples
        self._samples = (
            SamplePass(encoder, asked, **sampling.model_dump(), seed=passes.seed) if sampling else None
        )
        nothing = [None] * len(self._probes)
        self._reference: Sequence[ProbeScore | None] = nothing
        if reference is not None:
            with computing_in(precision, reference.device):
                self._reference = self._answers.run(reference.eval())

    def records(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[ProbeRecord]:
        """Return every probe's record for a model as it is now; it is put into evaluation mode."""
        model.eval()
        n_passes = 2 + (self._samples is not None) + (self._gradients is not None)
        texts = dict(zip(self._open, self._generation.run(model), strict=True))
        progress(1, n_passes)
        nothing: list[ProbeScore | None] = [None] * len(self._probes)
        answers = self._answers.run(model) if self._scores_answers else nothing
        progress(2, n_passes)
        samples = dict(zip(self._open, self._samples.run(model), strict=True)) if self._samples else {}
        progress(2 + (self._samples is not None), n_passes)
        norms = self._gradients.run(model) if self._gradients else [None] * len(self._probes)
        progress(n_passes, n_passes)
        columns = zip(self._probes, answers, self._reference, norms, strict=True)
        return [
            ProbeRecord(
                probe,
                generation=texts.get(index),
                scores=scores,
                samples=tuple(samples[index]) if index in samples else None,
                reference=reference,
                gradient_norm=norm,
            )
            for index, (probe, scores, reference, norm) in enumerate(columns)
        ]

    def run(self, model: PreTrainedModel, progress: Progress = no_progress) -> Tables:
        """Return the tables for a model as it is now; the model is put into evaluation mode."""
        with computing_in(self._precision, model.device):
            records = self.records(model, progress)
        return Tables(self._rows.scores(self._metrics, records), generation_rows(records))


def _chosen(names: Sequence[str | Metric] | None, gives: set[Need]) -> list[Metric]:
    """Return the metrics of these names, or all that can be computed from what the passes give."""
    if names is None:
        return [metric for _, metric in METRICS.items() if gives.issuperset(metric.needs)]
    metrics = [METRICS.get(one) if isinstance(one, str) else one for one in names]
    for metric in metrics:
        missing = [need for need in metric.needs if need not in gives]
        if missing:
            raise ConfigError(
                f"metric '{metric.name}' needs {' and '.join(missing)}, which no pass gives;"
                " ask for it under passes (samples, moments, gradient_norms) or name a reference model"
            )
    return metrics
