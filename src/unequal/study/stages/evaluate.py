"""The stage ``unequal evaluate``: the scores of a model on a table of facts."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from unequal.errors import ConfigError
from unequal.evaluation.aggregates.table import aggregate_table
from unequal.evaluation.known_by import KNOWN_BY, KnownBySetting
from unequal.evaluation.passes import Passes
from unequal.facts.probes import PROBE_KINDS, ProbeKind, PromptFormat
from unequal.facts.table import read_facts
from unequal.files import output_folder, write_json, write_table
from unequal.general_utility.settings import GeneralSettings
from unequal.manifest import manifest
from unequal.models.compute_settings import ComputeSettings, ModelName
from unequal.oom import retry_with_smaller_batches
from unequal.output_paths import Output, check_settings
from unequal.progress import Progress, no_progress
from unequal.strict import PathOrName, PositiveInt
from unequal.study.stages.tables import FILES, of_model, of_precision, write_tables

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unequal.evaluation.evaluate import Tables


class EvaluateCommand(ComputeSettings):
    """Settings of ``unequal evaluate``."""

    model: ModelName
    facts: Path = Field(description="fact table (.jsonl, .csv, .parquet)")
    out: Path = Field(
        description="folder for scores.parquet, aggregates.parquet, generations.parquet and general.parquet"
    )
    prompts: PromptFormat = PromptFormat()
    probes: tuple[ProbeKind, ...] = Field(default=PROBE_KINDS, description="kinds of probes")
    n_wordings: PositiveInt = Field(default=2, description="wordings of each paraphrase and cloze, at most")
    metrics: tuple[str, ...] | None = Field(
        default=None,
        description="metrics to compute, by default all that the passes allow; see: unequal list metrics",
    )
    known_by: KnownBySetting = KNOWN_BY
    passes: Passes = Passes()
    general: GeneralSettings = GeneralSettings()
    reference: PathOrName | None = Field(
        default=None, description="model that never saw the facts, for the metric reference_loss"
    )

    def outputs(self) -> list[Output]:
        """Return what is written."""
        names = (*FILES, "aggregates.parquet", "manifest.json")
        return [Output(self.out, kind="folder"), *(Output(self.out / name) for name in names)]


@retry_with_smaller_batches
def run_evaluate(settings: EvaluateCommand, progress: Progress = no_progress) -> "Tables":
    """Write scores, aggregates, generations and general utility as Parquet files below ``out``."""
    from unequal.evaluation.evaluate import evaluate
    from unequal.general_utility.measure import GeneralUtility
    from unequal.models.checkpoint import load_with
    from unequal.models.device import choose_device
    from unequal.models.distributed import on_main_process

    check_settings(settings)
    choose_device(settings.device)
    facts = read_facts(settings.facts)
    model, tokenizer = load_with(settings.model, settings)
    general = GeneralUtility(settings.general, model, tokenizer, facts, settings.prompts, settings.precision)
    with on_main_process(output_folder(settings.out)) as out:
        tables = evaluate(
            model,
            tokenizer,
            facts,
            settings.prompts,
            probes=settings.probes,
            n_wordings=settings.n_wordings,
            metrics=settings.metrics,
            passes=settings.passes,
            reference=_reference_model(settings, tokenizer),
            precision=settings.precision,
            progress=progress,
        )
        tables = general.added(model, tables)
        if out:
            columns = {"study": "evaluate", "run_id": str(settings.model), "method": "none"}
            columns |= of_model(model) | of_precision(settings.precision)
            write_tables({0: tables}, out, columns)
            write_table(aggregate_table(tables.scores), out / "aggregates.parquet")
            write_json(out / "manifest.json", {"settings": settings.model_dump(mode="json"), **manifest()})
    return tables


def _reference_model(
    settings: EvaluateCommand, tokenizer: "PreTrainedTokenizerBase"
) -> "PreTrainedModel | None":
    from unequal.models.checkpoint import load_with
    from unequal.models.load import load_tokenizer

    if settings.reference is None:
        return None
    if load_tokenizer(settings.reference).get_vocab() != tokenizer.get_vocab():
        raise ConfigError(
            f"reference: {settings.reference} has another vocabulary than {settings.model};"
            " tokens can be compared only between models that share a tokenizer"
        )
    return load_with(settings.reference, settings).model
