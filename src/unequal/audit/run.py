"""Run an audit: judge both models, attack the second, and write verdicts, evidence, summary and page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from unequal.audit.attempts import attack_all
from unequal.audit.evidence import OWN_MEASURES, Control, Measure, attack_measures, control_of
from unequal.audit.finding import finding, nothing_judged
from unequal.audit.lacking import choice_note, wordings_note
from unequal.audit.page import render_audit
from unequal.audit.policy import Line, Policy, check, read_policy, unstated
from unequal.audit.settings import AuditSettings
from unequal.audit.summary import (
    KEPT,
    by_count,
    evidence_table,
    judged_facts,
    recovery,
    resampler_of,
    text_rates,
    unjudged_reasons,
    utility,
    verdict_shares,
    with_subjects,
)
from unequal.audit.verdicts import ASKED, own_rows, verdicts
from unequal.errors import ConfigError
from unequal.evaluation.known_by import HOW_TO_ASK, READINGS, KnownBy, known_of
from unequal.facts.complete import completed, relation_templates
from unequal.facts.packaged import resolve_facts
from unequal.facts.probes import ProbeMaker
from unequal.facts.roles import FactsByRole
from unequal.facts.schema import Fact
from unequal.files import atomic_folder, write_json, write_table, write_text
from unequal.manifest import manifest
from unequal.output_paths import check_settings
from unequal.progress import Progress, no_progress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from unequal.evaluation.evaluate import Tables

METRICS = (
    *READINGS, "refusal", "degenerate",
    "answer_prob", "choice_prob", "choice_accuracy", "first_token_rank",
)  # fmt: skip
WORDS = ("fact_id", "subject", "relation", "object", "question", "answer")


@dataclass(frozen=True)
class Audit:
    """What an audit found: one row a fact, one a fact and measure, and the summary that is audit.json."""

    facts: pl.DataFrame
    evidence: pl.DataFrame
    summary: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Return whether something was judged and every line of the policy holds, if there is a policy."""
        return not self.broken() and self.summary["nothing_judged"] is None

    def broken(self) -> list[str]:
        """Return the lines of the policy that do not hold, in words."""
        lines = (Line(**line) for line in self.summary["policy"])
        return [line.sentence() for line in lines if not line.holds]


def run_audit(settings: AuditSettings, progress: Progress = no_progress) -> Audit:
    """Write ``audit.json``, ``facts.parquet``, ``evidence.parquet`` and ``audit.html`` and return the audit.

    The folder is written as a whole at the end. Raises `DataError` and `ConfigError` for what cannot be
    compared, before any model is run.
    """
    from unequal.models.device import choose_device
    from unequal.models.distributed import broadcast_from_main, on_main_process

    check_settings(settings)
    choose_device(settings.device)
    policy = read_policy(settings.policy) if settings.policy else None
    given = FactsByRole.read(
        resolve_facts(settings.facts),
        utility=settings.utility,
        never_seen=settings.never_seen,
        keep_roles=True,
    )
    filled_in = completed(given.all, relation_templates(settings.wordings))
    facts = filled_in.facts
    with on_main_process(atomic_folder(settings.out)) as folder:
        counts, notes = broadcast_from_main(lambda: _counts(settings, facts, folder))
        notes += filled_in.notes
        before, after, attacked = _scores(settings, facts, progress, notes)
        audit = conclude(settings, facts, before, after, attacked, policy, counts, notes)
        if folder:
            write_json(folder / "audit.json", audit.summary)
            write_table(audit.facts, folder / "facts.parquet")
            write_table(audit.evidence, folder / "evidence.parquet")
            write_text(folder / "audit.html", render_audit(audit.facts, audit.summary))
    return audit


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
            facts=resolve_facts(settings.facts),
            corpus=settings.corpus,
            out=(folder or settings.out) / "counts.parquet",
        )
        table = count_facts(scan, scan.build())[1]
    found = dict(table.select("fact_id", ranked_by(table)).iter_rows())
    lost = sum(fact.fact_id not in found for fact in facts if fact.role == "forget")
    return found, [f"the count table lacks {lost} of the facts to forget"] if lost else []


def _scores(
    settings: AuditSettings, facts: Sequence[Fact], progress: Progress, notes: list[str]
) -> tuple["Tables", "Tables", pl.DataFrame]:
    """Return the tables of both models and the rows of the attacks on the second, one model at a time."""
    from unequal.attacks.attack import AttackContext
    from unequal.evaluation.evaluate import Evaluator
    from unequal.models.checkpoint import load_with
    from unequal.models.precision import computing_in

    tokenizer = _shared_tokenizer(settings)
    maker = ProbeMaker(facts, settings.prompts, settings.n_wordings)
    evaluator = Evaluator(tokenizer, facts, maker, ASKED, metrics=METRICS, precision=settings.precision)
    total = 2 + len(settings.attacks)
    before = evaluator.run(load_with(settings.before, settings).model)
    progress(1, total)
    model = load_with(settings.after, settings).model
    after = evaluator.run(model)
    progress(2, total)
    attacked, left_out = attack_all(
        settings.attacks,
        AttackContext(model, tokenizer, facts, maker, settings.prompts, settings.seed),
        lambda: computing_in(settings.precision, model.device),
        lambda done: progress(2 + done, total),
    )
    notes += left_out
    return before, after, attacked


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


def conclude(
    settings: AuditSettings,
    facts: Sequence[Fact],
    before: "Tables",
    after: "Tables",
    attacked: pl.DataFrame,
    policy: Policy | None,
    counts: dict[str, int | None],
    notes: Sequence[str],
) -> Audit:
    """Return the audit of scores that have been made."""
    control = control_of(facts)
    run = [attack for attack in settings.attacks if attacked["metric"].is_in(attack.metric_names).any()]
    known_by = settings.known_by
    measures = [one for attack in run for one in attack_measures(attack.name, attack.metrics, known_by)]
    table, evidence = verdicts(facts, before.scores, after.scores, attacked, control, measures, known_by)
    table = with_subjects(table, facts)
    draws = resampler_of(facts, settings.seed)
    all_measures: list[Measure] = [*OWN_MEASURES, *measures]
    summary: dict[str, Any] = {
        "n_facts": sum(fact.role == "forget" for fact in facts),
        "n_known": judged_facts(table).height,
        "n_never_seen": len(control.never_seen),
        "n_kept": sum(fact.role in KEPT for fact in facts),
        "known_by": known_by,
        "control": "never-seen facts" if control.measured else "worked out",
        "verdicts": verdict_shares(table, draws),
        "unjudged": unjudged_reasons(table, evidence),
        "by_count": by_count(table, counts),
        "evidence": evidence_table(table, evidence, all_measures, draws),
        "attacks": [recovery(attacked, table, one.name, one.metrics, draws, known_by) for one in run],
        "utility": utility(before.scores, after.scores, draws, known_by),
        "texts": text_rates(before.scores, after.scores),
        "notes": [*notes, *_doubts(before.scores, known_by), *_remarks(facts, after.scores, control)],
        "settings": settings.model_dump(mode="json"),
        "made_by": manifest(),
    }
    summary["policy"] = [*check(policy, summary), *unstated(policy, summary)] if policy else []
    summary["nothing_judged"] = nothing_judged(summary)
    summary["passed"] = _passed(summary, policy)
    summary["finding"] = finding(summary)
    return Audit(_facts_table(table, facts, before, after, counts), evidence, summary)


def _passed(summary: dict[str, Any], policy: Policy | None) -> bool | None:
    """Return whether the policy holds; false whenever nothing was judged, None where there is no policy."""
    if summary["nothing_judged"]:
        return False
    return all(line["holds"] for line in summary["policy"]) if policy else None


def _doubts(before: pl.DataFrame, known_by: KnownBy) -> list[str]:
    """Return why the first model may have been asked in the wrong way, if there is a sign of it."""
    known = known_of(before, known_by, ["forget"])
    if known.said is None or not known.doubts():
        return []
    chosen = "" if known.chosen is None else f", is right among choices for {known.chosen:.0%}"
    return [
        f"asked the question the first model says {known.said:.0%} of the facts to forget{chosen} and finds"
        f" their answers probable to {known.probability or 0.0:.2f}: is it asked as it was trained?"
        f" {HOW_TO_ASK}"
    ]


def _remarks(facts: Sequence[Fact], after: pl.DataFrame, control: Control) -> list[str]:
    forget = frozenset(fact.fact_id for fact in facts if fact.role == "forget")
    notes = [*choice_note(own_rows(after), forget), *wordings_note(after, forget)]
    if control.measured:
        return notes
    luck = (
        f"there are {len(control.never_seen)} never-seen facts, too few to say what luck looks like: chance"
        " is taken from the distractors or the answers of a relation, probabilities without a chance level"
        " are no evidence, and shares are not corrected for luck"
    )
    return [*notes, luck]


def _facts_table(
    table: pl.DataFrame,
    facts: Sequence[Fact],
    before: "Tables",
    after: "Tables",
    counts: dict[str, int | None],
) -> pl.DataFrame:
    """Return one row a fact with its words, verdict, numbers before and after, and what the models said."""
    words = pl.DataFrame([[getattr(fact, name) for fact in facts] for name in WORDS], schema=[*WORDS])
    count = pl.col("fact_id").replace_strict(counts, default=None, return_dtype=pl.Int64)
    words = words.with_columns(count=count)
    found = table.drop("person", "seed_cluster").join(words, on="fact_id", how="left", maintain_order="left")
    for name, tables in (("before", before), ("after", after)):
        question = tables.scores.filter(pl.col("probe") == "question")
        for metric in (*READINGS, "answer_prob", "choice_prob", "first_token_rank"):
            values = question.filter(pl.col("metric") == metric).select(
                "fact_id", pl.col("value").alias(f"{metric}_{name}")
            )
            found = found.join(values, on="fact_id", how="left", maintain_order="left")
        said = tables.generations.filter(pl.col("probe") == "question").select(
            "fact_id", pl.col("generation").alias(f"said_{name}")
        )
        found = found.join(said, on="fact_id", how="left", maintain_order="left")
    first = ["fact_id", "subject", "relation", "object", "role", "count", "verdict", "evidence", "why"]
    return found.select(*first, *(name for name in found.columns if name not in first))
