"""Tables of agreement: hidden share, order of forgetting, leaks, attacks."""

import polars as pl

from unequal.analysis.agreement.forgetting_order import GAPS, ORDERS
from unequal.analysis.agreement.knowledge_tests import CHOICE, PLAIN
from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.report.quantities import (
    ABOVE_NEVER_SEEN,
    BY_GENERATION,
    MOST_PROBABLE,
    NEVER_SEEN_SHARE,
    heading,
    with_points,
)
from unequal.report.quantities import HIDDEN as HIDDEN_SHARE
from unequal.report.sample import sample_name, scope_of
from unequal.report.tables.table import (
    COUNT,
    EFFECT,
    METHOD,
    NUMBER,
    PERCENT,
    STEPS,
    WORDS,
    Column,
    Row,
    Table,
    by_method,
    estimate,
)

HIDDEN = {
    "kappa": "Cohen’s κ",
    "hidden share": heading(HIDDEN_SHARE),
    "never-seen share": heading(NEVER_SEEN_SHARE),
    "excess": with_points(heading(ABOVE_NEVER_SEEN)),
}
KINDS = {"kappa": NUMBER, "excess": EFFECT}
GAP = GAPS["gap_steps"]

TEST_NAMES = {
    "said": "greedy answer wrong",
    "choice_accuracy": "not the most probable of its type",
    "answer_prob": "no more probable than never-seen",
    "first_token_rank": "first token not in the top 10",
    "leak_at_k": "not found by sampling",
    "accuracy": "not read off the hidden states",
}


def order_rows(analysis: Analysis, model: str) -> list[Row]:
    """Return per method who said first that a fact is forgotten, Spearman's correlation and the leaks.

    The last are read at the last step at which they have an interval; all methods together stand last.
    """
    found = analysis.signature.filter(
        (pl.col("model") == model)
        & (pl.col("test") == CHOICE)
        & pl.col("exposure").is_null()
        & pl.col("run_id").is_null()
    )
    methods: dict[str, Row] = {}
    for row in found.to_dicts():
        methods.setdefault(row["method"], {"method": row["method"]})[row["measure"]] = row
    for method, row in methods.items():
        row["spearman"] = _last(analysis.spearman, model, method, "value")
        row["leak"] = _last(analysis.hidden_leak, model, method, "hidden_leak")
        row["sampling"] = _last(analysis.sampling_gap, model, method, "value")
    nothing = {"value": None, "low": None, "high": None}
    for row in methods.values():
        for measure in (*ORDERS, *GAPS.values()):
            row.setdefault(measure, nothing)
    return by_method(methods.values())


def _last(table: pl.DataFrame, model: str, method: str, column: str) -> Row | None:
    rows = table.filter(
        (pl.col("model") == model) & (pl.col("method") == method) & pl.col("exposure").is_null()
    )
    rows = rows.filter(pl.col(column).is_not_null()).sort(pl.col("low").is_not_null(), "step")
    return rows.row(-1, named=True) if rows.height else None


def attack_rows(analysis: Analysis, model: str) -> tuple[list[str], list[Row]]:
    """Return the methods, and per attack and knowledge test the share that looks forgotten by each method.

    Plain looks stand first. ``total`` is the row of all methods, or of the only one.
    """
    rows = analysis.robustness.filter(pl.col("model") == model)
    methods = sorted(set(rows["method"].to_list()) - {ALL_METHODS})
    if not methods:
        return [], []
    last = ALL_METHODS if ALL_METHODS in rows["method"].to_list() else methods[0]
    shown: list[Row] = []
    for (attack, test), part in rows.group_by("attack", "test", maintain_order=True):
        by_method = {row["method"]: row for row in part.to_dicts()}
        if last in by_method:
            name = TEST_NAMES.get(str(test), str(test))
            attacked = "no attack" if attack == PLAIN else str(attack).replace("_", " ")
            shown.append({"attack": attacked, "test": name, "by_method": by_method, "total": by_method[last]})
    order = list(TEST_NAMES.values())
    shown.sort(key=lambda row: (row["attack"] != "no attack", row["attack"], order.index(row["test"])))
    return methods, shown


def hidden_table(analysis: Analysis) -> Table:
    """Return per method kappa, hidden share, never-seen share and their difference, all methods last."""
    rows: dict[str, Row] = {}
    for row in analysis.hidden.to_dicts():
        rows.setdefault(row["method"], {"method": row["method"]}).update(estimate(row["measure"], row))
    return Table(
        "agreement",
        "Agreement of generation and probability by method",
        [METHOD, *(Column(measure, title, KINDS.get(measure, PERCENT)) for measure, title in HIDDEN.items())],
        by_method(rows.values()),
        f"Each run is read at its step nearest to half forgotten. {heading(HIDDEN_SHARE)}: of the facts "
        f"known both ways before that are no longer {BY_GENERATION}, those with the {MOST_PROBABLE}; the "
        f"{NEVER_SEEN_SHARE} is the same of facts the model never saw. Sample: {sample_name(analysis)}.",
    )


def nulls_table(analysis: Analysis) -> Table:
    """Return what the metrics behind C4 say of facts that no model ever saw, as R7 has it."""
    columns = [
        METHOD,
        Column("measure", "Of never-seen facts", WORDS),
        Column("value", with_points("Score"), EFFECT),
    ]
    rows = [
        {"method": row["method"], "measure": row["measure"], **estimate("value", row)}
        for row in sorted(analysis.nulls.to_dicts(), key=lambda row: row["method"] == ALL_METHODS)
    ]
    note = f"A sound metric gives 0. Sample: {sample_name(analysis)}."
    return Table("nulls", "Scores of facts that no model ever saw", columns, rows, note)


def order_table(analysis: Analysis) -> Table:
    """Return per method who says first that a fact is forgotten, all methods last."""
    columns = [Column(order, order.capitalize(), PERCENT) for order in ORDERS]
    rows = []
    for found in order_rows(analysis, scope_of(analysis)):
        row = {"method": found["method"]}
        for measure in (*ORDERS, GAP):
            row |= estimate(measure, found[measure])
        rows.append(row)
    note = (
        "Who says first that a fact is forgotten: generation (a wrong greedy answer) or probability (another "
        "answer of its type is more probable). The gap is from the one to the other, above 0 when generation "
        "is first; beyond the end: for half of the facts one of them does not say it by the last step. "
        f"Sample: {sample_name(analysis)}."
    )
    gap = Column(GAP, GAP.capitalize(), STEPS, "beyond the end")
    return Table("order", "Who says forgotten first, by method", [METHOD, *columns, gap], rows, note)


def leak_table(analysis: Analysis) -> Table:
    """Return per method Spearman's correlation, the hidden leak and the sampling gap."""
    rows = []
    for found in order_rows(analysis, scope_of(analysis)):
        if found["method"] != ALL_METHODS:
            row: Row = {"method": found["method"], "never_seen": (found["leak"] or {}).get("never_seen")}
            for key, value in (("spearman", "value"), ("leak", "hidden_leak"), ("sampling", "value")):
                one = found[key]
                row |= {**estimate(key, one, value), f"{key}_step": one["step"]} if one else {}
            rows.append(row)
    columns = [
        METHOD,
        Column("spearman", "Spearman’s ρ"),
        Column("leak", "Hidden leak", PERCENT),
        Column("never_seen", "Never seen", PERCENT),
        Column("sampling", with_points("Sampling gap"), EFFECT),
    ]
    note = (
        "ρ: do both order the facts alike by how far they went (1 alike, 0 unrelated)? Hidden leak: of the "
        "facts with a wrong greedy answer, those whose right first token is among the ten most probable. "
        "Sampling gap: found by sampling less right by the greedy answer. Each at the last step with an "
        f"interval; a dash was not scored. Sample: {sample_name(analysis)}."
    )
    return Table("leaks", "Order of facts and hidden leak, by method", columns, rows, note)


def attack_table(analysis: Analysis) -> Table:
    """Return per attack and knowledge test the share that looks forgotten, by method and over all."""
    methods, found = attack_rows(analysis, scope_of(analysis))
    together = [Column("all methods", "All methods", PERCENT)] if len(methods) > 1 else []
    columns = [
        Column("attack", "Attack", WORDS),
        Column("test", "Looks forgotten when", WORDS),
        *(Column(f"by {method}", method, PERCENT) for method in methods),
        *together,
        Column("never_seen", "Never seen", PERCENT),
        Column("before", "Before", PERCENT),
        Column("n_facts", "Facts", COUNT),
    ]
    rows = []
    for one in found:
        total = one["total"]
        row = {key: one[key] for key in ("attack", "test")}
        row |= {f"by {method}": part["value"] for method, part in one["by_method"].items()}
        row |= {key: total[key] for key in ("never_seen", "before", "n_facts")}
        rows.append({**row, **(estimate("all methods", total) if together else {})})
        if not together:
            rows[-1] |= estimate(f"by {methods[0]}", total)
    note = (
        "Share of the facts known before that look forgotten at each run's last step, by each way of looking "
        " and after each attack. Never seen: the same share of facts the model never saw, which is "
        "what complete forgetting looks like. Before: the same share before unlearning. 95% intervals over "
        f"people and seeds. Sample: {sample_name(analysis)}."
    )
    return Table("attacks", "Share that looks forgotten, by attack", columns, rows, note)
