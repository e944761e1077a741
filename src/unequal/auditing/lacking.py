"""What a table of facts lacks is no doubt about a model: such evidence is left out by name, and said."""

import polars as pl

LACKING = (
    "the fact has no ",
    "the fact lacks ",
    "there are no kept facts of the relation",
    "there are no facts of the role",
    "no subject that the probe was trained on",
    "the facts to train a probe on have fewer",
)
"""How the reasons begin that say what a table lacks, and not what a model or an attack did."""


def is_lacking(reason: pl.Expr) -> pl.Expr:
    """Return whether a reason for a missing value is that the table lacks what the measure needs."""
    return pl.any_horizontal(reason.str.starts_with(start) for start in LACKING).fill_null(False)


def gaps(rows: pl.DataFrame, counted: pl.Expr) -> str:
    """Return, in words, the reasons of the counted rows without a value, with their numbers of facts."""
    found = (
        rows.filter(pl.col("value").is_null(), counted)
        .group_by("reason", maintain_order=True)
        .agg(n_facts=pl.col("fact_id").n_unique())
        .sort("n_facts", descending=True, maintain_order=True)
    )
    return listed([(reason or "no value", n_facts) for reason, n_facts in found.iter_rows()])


def listed(reasons: list[tuple[str, int]], most: int = 3) -> str:
    """Return reasons with their numbers of facts, the commonest first, and how many more there are."""
    words = [f"{reason}, {n_facts} fact{'' if n_facts == 1 else 's'}" for reason, n_facts in reasons[:most]]
    more = len(reasons) - most
    return "; ".join([*words, *([f"{more} more reason{'s' if more > 1 else ''}"] if more > 0 else [])])


def choice_note(own: pl.DataFrame, forget: frozenset[str]) -> list[str]:
    """Return a sentence about the facts that have no wrong answers to choose among, if there are any."""
    rows = own.filter(pl.col("metric") == "choice_prob", pl.col("fact_id").is_in(forget))
    without = rows.filter(pl.col("value").is_null(), is_lacking(pl.col("reason"))).height
    if not without:
        return []
    return [
        f"choices were left out for {without} of {len(forget)} facts to forget, which have no wrong answers"
        " and no other answer of their relation; they are judged by the other evidence"
    ]


def wordings_note(scores: pl.DataFrame, forget: frozenset[str]) -> list[str]:
    """Return a sentence about the facts that are asked by their question alone, if there are any."""
    asked = scores.filter(pl.col("fact_id").is_in(forget)).group_by("fact_id").agg(pl.col("probe").n_unique())
    alone = asked.filter(pl.col("probe") == 1).height
    if not alone:
        return []
    return [
        f"{alone} of {len(forget)} facts to forget have neither paraphrases nor statements to complete, and"
        " their relation has no templates: they are asked by their question alone"
    ]
