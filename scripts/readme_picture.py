"""Draw the README's picture from an audit: how many facts are still said, and how many are still found.

Run: python scripts/readme_picture.py AUDIT_FOLDER docs/looks-forgotten.svg
"""

import sys
from pathlib import Path

import altair as alt
import polars as pl
import vl_convert

SAID, WORDED, ANY = "said when asked the question", "said in some wording", "found by any of these"
COLOURS = {"text": "#8a8f98", "other": "#c2452d"}


def shares(audit: Path) -> tuple[pl.DataFrame, int]:
    """Return the share of the facts known before that each look still finds, and their number."""
    known = pl.read_parquet(audit / "facts.parquet").filter(pl.col("role") == "forget", "known_before")
    evidence = pl.read_parquet(audit / "evidence.parquet").join(known, on="fact_id", how="semi")
    found = evidence.group_by("evidence", "fact_id", maintain_order=True).agg(
        pl.col("found").fill_null(False).any()
    )
    by_look = found.group_by("evidence", maintain_order=True).agg(pl.col("found").sum() / known.height)
    said = known["answer_said_after"].mean()
    worded = known.select((pl.col("generated_after") > 0).mean()).item()
    left = known.select(pl.col("verdict").is_in(["still there", "suppressed"]).mean()).item()
    looks = [SAID, WORDED, *by_look["evidence"], ANY]
    kinds = ["text", *["other"] * (len(looks) - 1)]
    return pl.DataFrame(
        {"look": looks, "share": [said, worded, *by_look["found"], left], "kind": kinds}
    ), known.height


def draw(table: pl.DataFrame, n_facts: int) -> str:
    """Return the picture as SVG."""
    look = alt.Y("look:N", sort=None, title=None, axis=alt.Axis(labelLimit=300, ticks=False, domain=False))
    bars = alt.Chart(alt.InlineData(table.to_dicts())).encode(y=look)
    share = alt.X("share:Q", title="share of the facts known before", axis=alt.Axis(format="%"))
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None
    )
    text = bars.mark_text(align="left", dx=4).encode(x="share:Q", text=alt.Text("share:Q", format=".0%"))
    title = f"Looks forgotten, is still there: {n_facts} capitals that SmolLM2-135M knew, after NPO"
    chart = (bars.mark_bar().encode(x=share, color=colour) + text).properties(
        title=title, width=460, height=alt.Step(22), background="white"
    )
    return str(vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[]))


if __name__ == "__main__":
    folder, target = map(Path, sys.argv[1:])
    target.write_text(draw(*shares(folder)), encoding="utf-8")
