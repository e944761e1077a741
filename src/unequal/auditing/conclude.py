"""Conclude an audit: verdicts, evidence, summary and policy from the scores of both models and attacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from unequal.auditing.evidence import OWN_MEASURES, Control, Measure, attack_measures, control_of
from unequal.auditing.finding import finding, nothing_judged
from unequal.auditing.lacking import choice_note, wordings_note
from unequal.auditing.policy import Line, Policy, check, unstated
from unequal.auditing.settings import AuditOptions
from unequal.auditing.summary import (
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
from unequal.auditing.verdicts import own_rows, verdicts
from unequal.evaluation.general_table import changes
from unequal.evaluation.known_by import HOW_TO_ASK, READINGS, KnownBy, known_of
from unequal.facts.schema import Fact
from unequal.manifest import manifest

if TYPE_CHECKING:
    from unequal.evaluation.evaluate import Tables

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


class AuditScores(NamedTuple):
    """The tables of the model before and after unlearning, and the rows of the attacks on the second."""

    before: "Tables"
    after: "Tables"
    attacked: pl.DataFrame


def conclude(
    options: AuditOptions,
    facts: Sequence[Fact],
    scores: AuditScores,
    policy: Policy | None,
    counts: dict[str, int | None],
    notes: Sequence[str],
    described: Mapping[str, Any],
) -> Audit:
    """Return the audit of scores that have been made; ``described`` are the settings that its page shows."""
    before, after, attacked = scores
    control = control_of(facts)
    run = [attack for attack in options.attacks if attacked["metric"].is_in(attack.metric_names).any()]
    known_by = options.known_by
    measures = [one for attack in run for one in attack_measures(attack.name, attack.metrics, known_by)]
    table, evidence = verdicts(facts, before.scores, after.scores, attacked, control, measures, known_by)
    table = with_subjects(table, facts)
    draws = resampler_of(facts, options.seed)
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
        "general": changes(before.general, after.general),
        "texts": text_rates(before.scores, after.scores),
        "notes": [*notes, *_doubts(before.scores, known_by), *_remarks(facts, after.scores, control)],
        "settings": dict(described),
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
