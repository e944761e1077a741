"""The factor ledger: the level assigned to each fact's person, and the values training realised."""

from collections.abc import Sequence

import polars as pl

from unequal.corpus.assignment import Assignment
from unequal.corpus.factors import FactorSettings
from unequal.corpus.ledger import Ledger
from unequal.facts.schema import Fact

MEASURED: dict[str, type[pl.DataType]] = {
    "answer_words": pl.Int64,
    "answer_bits": pl.Float64,
    "distinct_texts": pl.Int64,
    "epochs_shown": pl.Int64,
    "mean_place": pl.Float64,
    "last_place": pl.Float64,
}
"""Columns of what was measured: words of the answer; its surprisal among the shown answers of its relation,
−log2 of its share, whose mean is the entropy; different texts that state the fact; epochs that show it; and
the mean and last place in training, from 0, the first window, to 1, the last. Null for what was not shown."""


def with_factors(
    table: pl.DataFrame,
    facts: Sequence[Fact],
    plan: Sequence[Assignment],
    factors: FactorSettings,
    ledger: Ledger,
) -> pl.DataFrame:
    """Return the ledger's table with a column for each crossed factor and those of `MEASURED`, a row a fact.

    A factor that does not apply to a person is null.
    """
    levels = {assigned.person.person_id: assigned.factors for assigned in plan}
    rows = [
        {name: levels[fact.fact_id.split(":")[0]].get(name) for name in factors.cross}
        | {"answer_words": len(fact.object.split()), "relation": fact.relation, "object": fact.object}
        | _places(ledger, fact.fact_id)
        for fact in facts
    ]
    schema: dict[str, type[pl.DataType]] = {
        **dict.fromkeys((*factors.cross, "relation", "object"), pl.String),
        **MEASURED,
    }
    found = pl.DataFrame(rows, schema=schema, orient="row")
    whole = pl.concat([table, found], how="horizontal").with_columns(_answer_bits().alias("answer_bits"))
    return whole.select(*table.columns, *factors.cross, *MEASURED)


def _answer_bits() -> pl.Expr:
    shown = pl.col("exposure").sum()
    share = shown.over("relation", "object") / shown.over("relation")
    return pl.when(share > 0).then(-share.log(2))


def _places(ledger: Ledger, fact_id: str) -> dict[str, float | int | None]:
    if fact_id not in ledger.places:
        return {}
    places, last = ledger.places[fact_id], max(1, ledger.n_windows - 1)
    return {
        "distinct_texts": len(places.texts),
        "epochs_shown": len(places.epochs),
        "mean_place": sum(places.windows) / len(places.windows) / last,
        "last_place": places.windows[-1] / last,
    }
