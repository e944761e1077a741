"""The stage ``unequal attack``: attacks on an unlearned model, beside facts that it never saw."""

from pathlib import Path

import polars as pl
from pydantic import Field, field_validator

from unequal.attacks.attack import AttackSettings, check_kept, distinct
from unequal.evaluation.known_by import KNOWN_BY, KnownBySetting
from unequal.facts.probes import PromptFormat
from unequal.facts.role_tables import FactTables
from unequal.files import output_folder, write_json
from unequal.manifest import manifest
from unequal.models.compute_settings import ComputeSettings, ModelName
from unequal.oom import retry_with_smaller_batches
from unequal.output_paths import Output, check_settings
from unequal.progress import Progress
from unequal.strict import PositiveInt, Seed
from unequal.study.stages.tables import of_model, of_precision, write_tables


class AttackCommand(FactTables, ComputeSettings):
    """Settings of ``unequal attack``."""

    model: ModelName
    out: Path = Field(description="folder for scores.parquet and generations.parquet")
    attacks: tuple[AttackSettings, ...] = Field(
        min_length=1, description="attacks; see: unequal list attacks"
    )
    prompts: PromptFormat = PromptFormat()
    known_by: KnownBySetting = KNOWN_BY
    n_wordings: PositiveInt = Field(default=2, description="wordings of each paraphrase and cloze, at most")
    seed: Seed = Field(default=0, description="seed of all that is drawn")

    _distinct = field_validator("attacks")(distinct)

    def outputs(self) -> list[Output]:
        """Return what is written."""
        names = ("scores.parquet", "generations.parquet", "manifest.json")
        return [Output(self.out, kind="folder"), *(Output(self.out / name) for name in names)]


@retry_with_smaller_batches
def run_attack(settings: AttackCommand, progress: Progress) -> pl.DataFrame:
    """Write ``scores.parquet`` below ``out`` and return its rows: of the model as it is, and of each attack.

    Raises `DataError` when there is nothing to forget, or no facts of other roles where an attack needs some.
    """
    from unequal.attacks.run import attack
    from unequal.models.checkpoint import load_with
    from unequal.models.device import choose_device
    from unequal.models.distributed import on_main_process

    check_settings(settings)
    choose_device(settings.device)
    facts = settings.read()
    check_kept(settings.attacks, facts.all)  # before the model is loaded
    model, tokenizer = load_with(settings.model, settings)
    with on_main_process(output_folder(settings.out)) as out:
        tables = attack(
            model,
            tokenizer,
            facts,
            settings.attacks,
            settings.prompts,
            n_wordings=settings.n_wordings,
            seed=settings.seed,
            precision=settings.precision,
            progress=progress,
        )
        if out:
            columns = {"study": "attack", "run_id": str(settings.model), "method": "none"}
            columns |= {"seed": settings.seed} | of_model(model) | of_precision(settings.precision)
            write_tables({0: tables}, out, columns)
            write_json(out / "manifest.json", {"settings": settings.model_dump(mode="json"), **manifest()})
    return tables.scores
