"""Sentences of the report: the finding with its numbers and intervals, from the verdicts."""

import polars as pl

from unequal.analysis.agreement.forgetting_order import ORDERS
from unequal.analysis.agreement.knowledge_tests import CHOICE, GENERATION, PLAIN
from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.pooled import together
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.units import in_points, points_of
from unequal.analysis.verdicts import NOT_DECIDABLE, REFUTED, SUPPORTED, Verdict
from unequal.report.page import plural
from unequal.report.quantities import FORGOTTEN
from unequal.report.sample import pooled_levels


def points(value: float) -> str:
    """Return a difference of shares in points without its sign, such as ``7.8``."""
    return in_points(abs(value)).removeprefix("+")


def finding(analysis: Analysis) -> list[str]:
    """Return the finding: a headline, then sentences with its numbers and whether what is forgotten is
    gone."""
    found = {one.claim: one for one in analysis.verdicts}
    if found["C1"].verdict == NOT_DECIDABLE and found["C2"].verdict != NOT_DECIDABLE:
        headline, numbers = _harder_by_count(found["C2"])
    else:
        headline, numbers = _harder(found["C1"], analysis)
    return [sentence for sentence in (headline, numbers, _hidden(found["C4"], analysis)) if sentence]


def _harder(verdict: Verdict, analysis: Analysis) -> tuple[str, str]:
    """Return the headline on C1 and the sentence with its numbers."""
    if (
        verdict.verdict == NOT_DECIDABLE
        or verdict.effect is None
        or verdict.low is None
        or verdict.high is None
    ):
        why = verdict.why.removeprefix("needs ")
        return (
            "This study cannot say yet whether facts seen more often are harder to unlearn.",
            f"It needs {why}.",
        )
    low, high = sorted((points(verdict.low), points(verdict.high)), key=float)
    numbers = (
        f"Each doubling of exposure {{change}} the {FORGOTTEN} by {points(verdict.effect)} points "
        f"(95% interval {low} to {high}){_ends(analysis)}."
    )
    if verdict.verdict == SUPPORTED:
        return "The more often a fact was seen, the harder it was to unlearn.", numbers.format(
            change="lowered"
        )
    if verdict.verdict == REFUTED and verdict.low > 0:
        return "Facts seen more often were easier, not harder, to unlearn.", numbers.format(change="raised")
    low, high = in_points(verdict.low), in_points(verdict.high)
    signed = f"{in_points(verdict.effect)} points (95% interval {low} to {high})"
    sentence = f"Each doubling of exposure changed the {FORGOTTEN} by {signed}{_ends(analysis)}."
    if verdict.verdict == REFUTED:
        return "How often a fact was seen made no difference that matters to unlearning it.", sentence
    return "Whether facts seen more often are harder to unlearn stays open.", sentence


def _harder_by_count(verdict: Verdict) -> tuple[str, str]:
    """Return the headline on C2 and the sentence with its numbers."""
    headlines = {
        SUPPORTED: "The more often a fact stands in the corpus, the harder it was to unlearn.",
        REFUTED: "Facts that stand more often in the corpus were not harder to unlearn.",
    }
    opened = "Whether facts that stand more often in the corpus are harder to unlearn stays open."
    effect, low, high = (
        "?" if value is None else in_points(value) for value in (verdict.effect, verdict.low, verdict.high)
    )
    sentence = (
        f"Each tenfold count changed the {FORGOTTEN} by {effect} points"
        f" (95% interval {low} to {high}), within relations and adjusted for the answer."
    )
    return headlines.get(verdict.verdict, opened), sentence


def _ends(analysis: Analysis) -> str:
    """Return what of the lowest and of the highest level was forgotten, over all methods and models."""
    means = pooled_levels(analysis, EQUAL_STEPS).drop_nulls("value").sort("exposure").to_dicts()
    if len(means) < 2:
        return ""
    start, end = (
        f"{one['value']:.0%} of facts shown {one['exposure']} times" for one in (means[0], means[-1])
    )
    return f", from {start} to {end}"


def _hidden(verdict: Verdict, analysis: Analysis) -> str:
    if verdict.verdict == NOT_DECIDABLE:
        return ""
    values = {row["measure"]: row for row in together(analysis.hidden).to_dicts()}
    hidden, chance = values["hidden share"], values["never-seen share"]["value"]
    interval = "" if hidden["low"] is None else f" (95% interval {hidden['low']:.0%} to {hidden['high']:.0%})"
    base = (
        f"of the facts a model no longer says, {hidden['value']:.0%}{interval} still had the right answer "
        f"as the most probable one, against {chance:.0%} of never-seen facts"
    )
    if verdict.verdict == SUPPORTED:
        return f"Part of what was forgotten was only unsaid: {base}."
    if verdict.verdict == REFUTED:
        return f"What was no longer said was mostly gone: {base}."
    return f"Whether what is no longer said is gone stays open: {base}."


def order_sentence(analysis: Analysis, model: str) -> str:
    """Return which view says first that a fact is forgotten; empty without rows."""
    rows = together(
        analysis.signature.filter(
            (pl.col("model") == model)
            & (pl.col("test") == CHOICE)
            & pl.col("exposure").is_null()
            & pl.col("run_id").is_null()
        )
    )
    if rows.is_empty() or rows["method"].n_unique() > 1:
        return ""
    found = {row["measure"]: row for row in rows.to_dicts()}
    first, same, later, neither = (found[order] for order in ORDERS)
    interval = "" if first["low"] is None else f" (95% interval {first['low']:.0%} to {first['high']:.0%})"
    return (
        f"Of the facts known both ways before, generation called {first['value']:.0%}{interval} forgotten at "
        f"an earlier evaluated step than the choice among answers of its type, {same['value']:.0%} at the "
        f"same step and {later['value']:.0%} later; {neither['value']:.0%} neither called forgotten by the "
        "last step."
    )


def attack_sentence(analysis: Analysis, model: str) -> str:
    """Return what the strongest attack brings back, in one sentence; empty when nothing was attacked."""
    rows = analysis.robustness.filter((pl.col("model") == model) & (pl.col("attack") != PLAIN))
    rows = together(rows).drop_nulls(["value", "recovered", "never_seen"])
    rows = rows.filter(pl.col("test").is_in([GENERATION, "leak_at_k"])).sort("recovered", descending=True)
    if rows.is_empty():
        return ""
    best = rows.row(0, named=True)
    name = str(best["attack"]).replace("_", " ")
    if best["recovered"] <= 0:
        return (
            "No attack evaluated by what the model says brings facts back that its plain greedy answer lost."
        )
    interval = "" if best["low"] is None else f" (95% interval {best['low']:.0%} to {best['high']:.0%})"
    return (
        f"Of the attacks evaluated by what the model says, {name} brings back most: "
        f"{best['by_generation']:.0%} of the facts known before look forgotten by the plain greedy answer "
        f"and {best['value']:.0%}{interval} after it, against {best['never_seen']:.0%} of never-seen facts."
    )


def sample_sentence(analysis: Analysis) -> str:
    """Return how much the study rests on, in one sentence."""
    runs = analysis.runs
    by_claim = {one.claim: one for one in analysis.verdicts}
    harder = by_claim["C1"] if by_claim["C1"].n_facts else by_claim["C2"]
    methods, bases = runs["method"].n_unique(), runs["base"].n_unique()
    people, facts = harder.n_people, harder.n_facts
    seeds = runs["seed_cluster"].n_unique()
    parts = [
        plural(runs.height, "run"),
        plural(methods, "method"),
        plural(bases, "base model"),
        plural(seeds, "seed"),
    ]
    who = "people" if harder.claim == "C1" else "subjects"
    known = f"; {plural(facts, 'fact')} about {people} {who} were known before and compared" if facts else ""
    return f"{', '.join(parts)}{known}."


def effect(verdict: Verdict) -> str:
    """Return a verdict's effect with interval for the table, such as ``−7.8 points [−8.5, −7.0]``."""
    return "—" if verdict.effect is None else points_of(verdict.effect, verdict.low, verdict.high)
