"""Run an audit: evaluate both models, attack the second, and write verdicts, evidence, summary and page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from unequal.auditing.attempts import attack_all
from unequal.auditing.conclude import Audit, AuditScores, conclude
from unequal.auditing.page import render_audit
from unequal.auditing.policy import read_policy
from unequal.auditing.settings import AuditOptions, AuditSettings
from unequal.auditing.summary import KEPT
from unequal.auditing.verdicts import ASKED, QUESTION
from unequal.errors import ConfigError
from unequal.evaluation.known_by import READINGS, known_of, require_known
from unequal.facts.complete import completed, relation_templates
from unequal.facts.probes import ProbeKind, ProbeMaker
from unequal.facts.schema import Fact
from unequal.files import atomic_folder, write_json, write_table, write_text
from unequal.models.compute_settings import Precision
from unequal.output_paths import check_settings
from unequal.progress import Progress, no_progress, split_progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unequal.evaluation.evaluate import Tables
    from unequal.general_utility.measure import GeneralUtility

METRICS = (
    *READINGS, "refusal", "degenerate",
    "answer_prob", "choice_prob", "choice_accuracy", "first_token_rank",
)  # fmt: skip


def run_audit(settings: AuditSettings, progress: Progress = no_progress) -> Audit:
    """Write ``audit.json``, ``facts.parquet``, ``evidence.parquet`` and ``audit.html`` and return the audit.

    The folder is written as a whole at the end. Raises `DataError` and `ConfigError` for what cannot be
    compared, before any model is run.
    """
    from unequal.models.checkpoint import load_with
    from unequal.models.device import choose_device
    from unequal.models.distributed import broadcast_from_main, on_main_process

    check_settings(settings)
    choose_device(settings.device)
    policy = read_policy(settings.policy) if settings.policy else None
    filled_in = completed(settings.read().all, relation_templates(settings.wordings))
    facts = filled_in.facts
    with on_main_process(atomic_folder(settings.out)) as folder:
        counts, notes = broadcast_from_main(lambda: _counts(settings, facts, folder))
        notes += filled_in.notes
        models = [
            lambda name=name: load_with(name, settings).model for name in (settings.before, settings.after)
        ]
        tokenizer = _shared_tokenizer(settings)
        scores, more = score_models(models, tokenizer, facts, settings, settings.precision, progress)
        described = settings.model_dump(mode="json")
        audit = conclude(settings, facts, scores, policy, counts, [*notes, *more], described)
        if folder:
            write_audit(folder, audit)
    return audit


def write_audit(folder: Path, audit: Audit) -> None:
    """Write ``audit.json``, ``facts.parquet``, ``evidence.parquet`` and ``audit.html`` into a folder."""
    write_json(folder / "audit.json", audit.summary)
    write_table(audit.facts, folder / "facts.parquet")
    write_table(audit.evidence, folder / "evidence.parquet")
    write_text(folder / "audit.html", render_audit(audit.facts, audit.summary))


def _counts(
    settings: AuditSettings, facts: Sequence[Fact], folder: Path | None
) -> tuple[dict[str, int | None], list[str]]:
    """Return each fact's count: of the count table or corpus, else of the fact table, else its exposure."""
    from unequal.counting.protocol import ranked_by
    from unequal.counting.run import count_facts, read_counts

    if settings.counts is None and settings.corpus is None:
        own = {fact.fact_id: fact.exposure if fact.count is None else fact.count for fact in facts}
        missing = ["no fact has a count or exposure, so there is no summary by count"]
        return own, [] if any(count is not None for count in own.values()) else missing
    if settings.counts is not None:
        table = read_counts(settings.counts)[0]
    else:
        from unequal.counting.scan.settings import ScanSettings

        scan = ScanSettings(
            engine="scan",
            facts=settings.table,
            corpus=settings.corpus,
            out=(folder or settings.out) / "counts.parquet",
        )
        table = count_facts(scan, scan.build())[1]
    found = dict(table.select("fact_id", ranked_by(table)).iter_rows())
    lost = sum(fact.fact_id not in found for fact in facts if fact.role == "forget")
    return found, [f"the count table lacks {lost} of the facts to forget"] if lost else []


class Auditor:
    """The questions and attacks of an audit, prepared once for the models that it is run on."""

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        facts: Sequence[Fact],
        options: AuditOptions,
        precision: Precision = "fp32",
    ) -> None:
        from unequal.evaluation.evaluate import Evaluator
        from unequal.scoring.encoding import Encoder

        self._tokenizer, self._facts, self._options, self._precision = tokenizer, facts, options, precision
        self._maker = ProbeMaker(facts, options.prompts, options.n_wordings)
        encoder = Encoder(tokenizer)
        kept = [fact for fact in facts if fact.role in KEPT]
        judged = [fact for fact in facts if fact.role not in KEPT]
        asked: list[tuple[list[Fact], tuple[ProbeKind, ...]]] = [(judged, ASKED), (kept, QUESTION)]
        self._general: GeneralUtility | None = None
        self._evaluators = [
            Evaluator(encoder, some, self._maker, kinds, metrics=METRICS, precision=precision)
            for some, kinds in asked
            if some
        ]

    def score(self, model: "PreTrainedModel", progress: Progress = no_progress) -> "Tables":
        """Return the scores of a model as it is, with its general utility.

        Of what should survive only the question is asked.
        """
        from unequal.evaluation.evaluate import Tables
        from unequal.general_utility.measure import GeneralUtility

        if self._general is None:
            options = self._options
            self._general = GeneralUtility(
                options.general, model, self._tokenizer, self._facts, options.prompts, self._precision
            )
        parts = split_progress(progress, [1.0] * len(self._evaluators))
        found = [run.run(model, part) for run, part in zip(self._evaluators, parts, strict=True)]
        tables = Tables(
            pl.concat([one.scores for one in found]), pl.concat([one.generations for one in found])
        )
        return self._general.added(model, tables)

    def score_attacked(
        self, model: "PreTrainedModel", progress: Progress = no_progress
    ) -> tuple["Tables", pl.DataFrame, list[str]]:
        """Return the scores of an unlearned model, the rows of the attacks on it, and notes."""
        from unequal.attacks.attack import AttackContext
        from unequal.models.precision import computing_in

        options = self._options
        parts = split_progress(progress, [1.0, *(attack.cost for attack in options.attacks)])
        after = self.score(model, parts[0])
        attacked, notes = attack_all(
            options.attacks,
            AttackContext(model, self._tokenizer, self._facts, self._maker, options.prompts, options.seed),
            lambda: computing_in(self._precision, model.device),
            lambda done: parts[done](1, 1),
        )
        return after, attacked, notes


def score_models(
    models: Sequence[Callable[[], "PreTrainedModel"]],
    tokenizer: "PreTrainedTokenizerBase",
    facts: Sequence[Fact],
    options: AuditOptions,
    precision: Precision = "fp32",
    progress: Progress = no_progress,
) -> tuple[AuditScores, list[str]]:
    """Return the scores of a model before and after unlearning and of attacks on the second, with notes.

    The two ``models`` are functions that return one, so that the first need not be in memory with the second.
    """
    auditor = Auditor(tokenizer, facts, options, precision)
    scoring, rest = split_progress(progress, [1.0, 1.0 + sum(attack.cost for attack in options.attacks)])
    first, second = models
    before = auditor.score(first(), scoring)
    _require_known(before.scores, options)
    after, attacked, notes = auditor.score_attacked(second(), rest)
    return AuditScores(before, after, attacked), notes


def _require_known(before: pl.DataFrame, options: AuditOptions) -> None:
    """Raise `DataError` when the first model says none of the facts to forget, however it is asked."""
    said = before.filter(pl.col("metric") == options.known_by, pl.col("role") == "forget")["value"]
    if not options.allow_unknown and not (said > 0).any():
        known = known_of(before, options.known_by, ["forget"])
        require_known(known, "the model before unlearning says none")


def _shared_tokenizer(settings: AuditSettings) -> "PreTrainedTokenizerBase":
    from unequal.models.folders import check_model
    from unequal.models.load import load_tokenizer

    for name in (settings.before, settings.after):  # before any work on either of them
        check_model(name, settings.merge_adapter)
    first, second = load_tokenizer(settings.before), load_tokenizer(settings.after)
    if first.get_vocab() != second.get_vocab():
        raise ConfigError(
            f"{settings.before} and {settings.after} have different tokenizers, so their probabilities cannot"
            " be compared; give a model and what unlearning made of it"
        )
    return second
