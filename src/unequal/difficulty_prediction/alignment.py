"""Gradient alignment: does forgetting a fact push the weights where it hurts what is to be retained?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.analysis.difficulty.rows import ALIGNMENT
from unequal.errors import DataError
from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.progress import Progress, report_part
from unequal.seeds import random_stream
from unequal.unlearning.examples import Example, FactEncoder, score_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_RETAINED = 256  # facts whose mean gradient stands for the retain set
BATCH = 32


def alignments(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    prompts: PromptFormat,
    forget: Sequence[Fact],
    retain: Sequence[Fact],
) -> list[float]:
    """Return for each fact the cosine, −1 to 1, of ∇(S/n) with its mean over the retain set.

    Above 0, raising the fact's loss raises that of the retain set too. At most 256 retained facts are drawn,
    the same for the same facts. Over all weights that are trained. NaN where a gradient vanishes.
    """
    encoder = FactEncoder(tokenizer, prompts)
    padding = encoder.padding
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    drawn = random_stream(0, ALIGNMENT).sample(list(retain), min(MOST_RETAINED, len(retain)))
    kept = encoder.own_answers(drawn, end=True)
    towards = [torch.zeros_like(weight) for weight in weights]
    for start in range(0, len(kept), BATCH):
        for total, part in zip(
            towards, _gradient(model, kept[start : start + BATCH], padding, weights), strict=True
        ):
            total += part
    length = _dot(towards, towards) ** 0.5
    found: list[float] = []
    for example in encoder.own_answers(forget):
        report_part("fact", len(found), len(forget))
        own = _gradient(model, [example], padding, weights)
        lengths = length * _dot(own, own) ** 0.5
        found.append(_dot(own, towards) / lengths if lengths > 0 else float("nan"))
    return found


def _gradient(
    model: PreTrainedModel, examples: list[Example], padding: int, weights: list[Tensor]
) -> list[Tensor]:
    with torch.enable_grad():
        loss = score_examples(model, examples, padding).mean_nll.sum()
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    return [torch.zeros_like(w) if part is None else part for w, part in zip(weights, found, strict=True)]


def _dot(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    return sum(float((one.double() * other.double()).sum()) for one, other in zip(first, second, strict=True))


def study_alignments(study: Path, progress: Progress) -> pl.DataFrame:
    """Return ``run_id, fact_id, alignment`` for the facts to forget of a study's runs, from its own models.

    Raises `DataError` when the folder lacks its run file or a model.
    """
    from unequal.study.expand import plan_steps
    from unequal.study.loaded_base import loaded_base
    from unequal.study.runner import study_of
    from unequal.study.steps.unlearn import UnlearnStep

    if not (study / "study.toml").is_file():
        raise DataError(f"{study} holds no study (no study.toml), so its models' gradients cannot be taken")
    runs = [step for step in plan_steps(study_of(study)) if isinstance(step, UnlearnStep)]
    baselines = {run.baseline.folder: run.baseline for run in runs}
    parts = []
    for done, (folder, baseline) in enumerate(baselines.items(), start=1):
        base = loaded_base(study, baseline.base)
        target = base.target(baseline.target, baseline.facts_per_role)
        prompts = baseline.base.prompts
        model = base.fresh_model()
        values = alignments(model, base.tokenizer, prompts, target.forget, target.retain_set)
        ids = [fact.fact_id for fact in target.forget]
        run_ids = pl.DataFrame({"run_id": [run.run_id for run in runs if run.baseline.folder == folder]})
        parts.append(run_ids.join(pl.DataFrame({"fact_id": ids, ALIGNMENT: values}), how="cross"))
        progress(done, len(baselines))
    return pl.concat(parts)
