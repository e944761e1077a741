"""The stage ``unequal attack``: attacks on an unlearned model, beside facts that it never saw."""

from pathlib import Path

import polars as pl
from pydantic import Field, field_validator

from unequal.attacks.attack import (
    ANSWER_METRICS,
    AttackContext,
    AttackSettings,
    check_kept,
    distinct,
    run_attacks,
)
from unequal.evaluation.known_by import KNOWN_BY, KnownBy
from unequal.facts.probes import PromptFormat
from unequal.facts.roles import FactsByRole
from unequal.files import output_folder, write_json
from unequal.manifest import manifest
from unequal.models.compute_settings import ComputeSettings
from unequal.oom import retry_with_smaller_batches
from unequal.output_paths import Output, check_settings
from unequal.progress import Progress
from unequal.strict import PathOrName, PositiveInt, Seed
from unequal.study.stages.tables import of_model, of_precision, write_tables


class AttackCommand(ComputeSettings):
    """Settings of ``unequal attack``."""

    model: PathOrName
    facts: Path = Field(description="facts without a role are to be forgotten")
    out: Path
    attacks: tuple[AttackSettings, ...] = Field(min_length=1)
    retain: Path | None = Field(default=None, description="more facts, which an attacker may know")
    never_seen: Path | None = Field(default=None, description="more facts, which the model never saw")
    prompts: PromptFormat = PromptFormat()
    known_by: KnownBy = Field(
        default=KNOWN_BY, description="the reading of generated texts that says what is known"
    )
    n_wordings: PositiveInt = Field(default=2, description="cloze prompts of a fact, at most")
    seed: Seed = 0

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
    from unequal.evaluation.evaluate import Evaluator, Tables
    from unequal.facts.probes import ProbeMaker
    from unequal.models.device import choose_device
    from unequal.models.distributed import on_main_process
    from unequal.models.load import load_ready, load_tokenizer
    from unequal.models.precision import computing_in

    check_settings(settings)
    choose_device(settings.device)
    facts = FactsByRole.read(
        settings.facts, retain=settings.retain, never_seen=settings.never_seen, keep_roles=True
    ).all
    check_kept(settings.attacks, facts)
    model, tokenizer = load_ready(settings.model, settings), load_tokenizer(settings.model)
    maker = ProbeMaker(facts, settings.prompts, settings.n_wordings)
    context = AttackContext(model, tokenizer, facts, maker, settings.prompts, settings.seed)
    with on_main_process(output_folder(settings.out)) as out:
        with computing_in(settings.precision, model.device):
            evaluator = Evaluator(tokenizer, context.attacked, maker, ["question"], metrics=ANSWER_METRICS)
            plain = evaluator.run(model)
            scores = pl.concat([plain.scores, run_attacks(settings.attacks, context, progress)])
        if out:
            columns = {"study": "attack", "run_id": str(settings.model), "method": "none"}
            columns |= {"seed": settings.seed} | of_model(model) | of_precision(settings.precision)
            write_tables({0: Tables(scores, plain.generations)}, out, columns)
            write_json(out / "manifest.json", {"settings": settings.model_dump(mode="json"), **manifest()})
    return scores
