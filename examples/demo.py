"""The demonstration: facts are counted in real text, and a real model forgets rare and frequent ones.

SmolLM2-135M, a small language model, is asked for the capitals of the world. Of those it knows, the rarest
and the most frequent in the CIA World Factbook are unlearned, each group alone, while others are retained;
then both results are attacked:

    python examples/demo.py --out runs/demo
"""

import argparse
from pathlib import Path

import altair
import polars as pl

import unequal as uq
from unequal.errors import UserError

N_FORGET, N_KEPT = 16, 16
STEPS, LOOKS = 12, (3, 6, 9)
GROUPS = ("rare", "frequent")


def main(out: Path) -> None:
    """Run the demonstration and write its tables, audits and picture into a folder."""
    facts = uq.read_facts("country-capital")
    counts = uq.count(facts, "factbook", window=100)
    try:
        model = uq.load("smollm2-135m")
    except UserError as error:
        print(f"the real model is left out: {error}")
        return
    print(f"asking {model.name} for {len(facts)} capitals")
    asked = uq.evaluate(model, facts, probes=["question"], metrics=["answer_said"], general=False)
    print(asked.known.sentence())
    by_count = dict(counts.select("fact_id", "docs_window").iter_rows())
    said = set(asked.scores.filter(pl.col("value") == 1)["fact_id"])
    known = sorted((fact for fact in facts if fact.fact_id in said), key=lambda fact: by_count[fact.fact_id])
    groups = {"rare": known[:N_FORGET], "frequent": known[-N_FORGET:]}
    between = known[N_FORGET:-N_FORGET]
    retain, utility = between[::2][:N_KEPT], between[1::2][:N_KEPT]
    curves, lines = [], []
    for name in GROUPS:
        group = groups[name]
        print(f"forgetting {len(group)} {name} capitals, such as {group[0].answer} and {group[-1].answer}")
        found = uq.unlearn(
            model, group, {"kind": "simnpo", "learning_rate": 1e-5}, retain=retain, utility=utility,
            budget=None, steps=STEPS, evaluate_at=LOOKS, general=False,
        )  # fmt: skip
        shares = (
            found.scores.filter(metric="answer_said").group_by("step", "role").agg(pl.col("value").mean())
        )
        curves.append(shares.with_columns(group=pl.lit(name)))
        judged = [*in_role(group, "forget"), *in_role(utility, "utility")]
        report = uq.audit(model, found.model, judged, attacks=["int8"], n_wordings=1, general=False)
        report.save(out / f"audit-{name}")
        counted = [by_count[fact.fact_id] for fact in group]
        last = dict(shares.filter(step=STEPS).select("role", "value").iter_rows())
        lines.append(
            f"{name} capitals (in {min(counted)} to {max(counted)} documents): {last['forget']:.0%} still"
            f" said after {STEPS} steps, untouched ones {last['utility']:.0%}; {report.summary.title}"
        )
    table = pl.concat(curves)
    table.write_parquet(out / "curves.parquet")
    draw(table, out / "forgotten.png")
    print(f"\n{asked.known.sentence()}", *lines, sep="\n")
    print(f"the picture is {out / 'forgotten.png'}, the audits are {out / 'audit-rare' / 'audit.html'} and")
    print(f"{out / 'audit-frequent' / 'audit.html'}")


def in_role(facts: list[uq.Fact], role: str) -> list[uq.Fact]:
    """Return facts in a role."""
    return [fact.model_copy(update={"role": role}) for fact in facts]


def draw(table: pl.DataFrame, path: Path) -> None:
    """Write the picture: the share of capitals still said, by step, of each group and of untouched ones."""
    roles = {"forget": "to forget", "utility": "untouched"}
    shown = table.filter(pl.col("role").is_in([*roles])).with_columns(facts=pl.col("role").replace(roles))
    title = altair.TitleParams(
        "Capitals that SmolLM2 still says while it unlearns them",
        subtitle="solid: the capitals to forget; dashed: untouched ones in the same run",
    )
    chart = (
        altair.Chart(shown.sort("step"), title=title)
        .mark_line(point=True)
        .encode(
            x=altair.X("step:Q", title="step of unlearning (SimNPO)"),
            y=altair.Y("value:Q", title="share still said", axis=altair.Axis(format="%")),
            color=altair.Color("group:N", title="unlearned", sort=GROUPS),
            strokeDash=altair.StrokeDash("facts:N", legend=None),
        )
        .properties(width=480, height=300)
    )
    chart.save(path, scale_factor=2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for results")
    chosen = parser.parse_args().out
    chosen.mkdir(parents=True, exist_ok=True)
    main(chosen)
