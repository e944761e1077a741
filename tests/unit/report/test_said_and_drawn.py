"""What is drawn is what is said: every figure has the sample, the values and the unit of its tables and of
the sentences that point to it."""

import html
import json
import re
from dataclasses import replace

import polars as pl
import pytest

from simulated_factor_study import write_factor_study
from simulated_study import Truth, natural, relabelled, simulate
from unequal.analysis.analyze import analyze, read_analysis, write_analysis
from unequal.analysis.effects.dose_response import ALL_METHODS, ALL_MODELS
from unequal.analysis.verdicts import NOT_DECIDABLE
from unequal.files import write_table
from unequal.report.build import build_report
from unequal.report.contents import contents_of
from unequal.report.figures.sizes import size_names
from unequal.report.sample import sample_name, scope_of
from unequal.report.sentences import attack_sentence, effect, finding, order_sentence

pytestmark = pytest.mark.full

LEAN = Truth(
    people_per_level=12,
    exposures=(30, 120, 480),
    never_seen=24,
    utility_people=10,
    relations=("birth_city",),
    seeds=(0,),
    steps=(0, 1, 5, 20),
    known_share=1.0,
)
SIZES = {"0.4M": 525_312, "0.6M": 800_000, "0.9M": 1_200_000, "1.8M": 2_500_000}
DIFFERENCES = re.compile(r"per doubling|per tenfold|minus|less first|above never-seen|utility lost|Change$")


def attacked(scores, name, step):
    """Return rows of an attack at the ends that finds a third of the facts to forget."""
    ends = scores.filter(
        (pl.col("metric") == "said")
        & (pl.col("probe") == "question")
        & pl.col("role").is_in(["forget", "never_seen"])
        & pl.col("step").is_in([0, step])
    )
    found = (pl.col("role") == "forget") & (pl.col("fact_id").hash(2) % 3 == 0)
    value = pl.when(found).then(1.0).otherwise("value")
    labels = {"metric": pl.lit(f"{name}_said"), "kind": pl.lit("robustness"), "value": value}
    return ends.with_columns(**labels)


def weighted(scores):
    """Return the runs of one method under weights that know the counts and under their rivals."""
    names = ("count", "shuffled_counts", "confidence")
    ga = scores.filter((pl.col("method") == "ga") & (pl.col("target") == "mixed"))
    return [
        ga.with_columns(weighting=pl.lit(name), run_id=pl.lit(f"{name} ") + pl.col("run_id"))
        for name in names
    ]


def exposures():
    """Return scores of seven models, by wording, size and start, whose slopes all differ."""
    arms = [(size, "rerendered", "base") for size in SIZES]
    arms += [("0.4M", "verbatim", "base"), ("0.6M", "verbatim", "base"), ("0.4M", "rerendered", "instruct")]
    parts = []
    for number, (size, wording, start) in enumerate(arms):
        truth = replace(LEAN, slope=-0.02 - 0.02 * number, hidden=0.3 + 0.1 * list(SIZES).index(size))
        truth = replace(truth, single_levels=number < 2, middle=0.4 + 0.04 * number)
        labels = {"size": size, "n_params": SIZES[size], "wording": wording, "start": start}
        parts.append(relabelled(truth, number, **labels))
    scores = pl.concat(parts)
    return pl.concat([scores, *weighted(scores), attacked(scores, "relearn", 20)])


def counts():
    """Return scores and answers of two models that read natural counts, with unlike slopes."""
    parts, texts = [], []
    for family, slope in (("gpt2", -0.03), ("llama", -0.12)):
        scores, generations = natural(replace(LEAN, exposures=(3, 9, 30, 90, 300), slope=slope))
        name = pl.lit(f"{family} ") + pl.col("run_id")
        parts.append(scores.with_columns(family=pl.lit(family), run_id=name))
        texts.append(generations.with_columns(run_id=name))
    return pl.concat(parts), pl.concat(texts)


class Study:
    """A study's analysis, its contents, and its page with the text of each section."""

    def __init__(self, folder):
        self.analysis = read_analysis(folder)
        self.contents = contents_of(self.analysis)
        page = build_report(folder).read_text(encoding="utf-8").split("<script")[0]
        self.head = text_of(page.split("<main>")[0])
        self.sections = {
            name: text_of(body) for name, body in re.findall(r'<figure id="(\w+)"(.*?)</figure>', page, re.S)
        }
        self.figures = {one.figure: one for one in self.contents.figures if one.panels}
        self.tables = {name: one for name, one in self.contents.tables.items() if one.rows}

    def rows(self, figure):
        """Return the rows of all panels of a figure, each with its panel's title."""
        found = []
        for panel in self.figures[figure].panels:
            for rows in drawn_rows(panel.spec):
                found += [{**row, "panel": panel.title} for row in rows]
        return found

    def cell(self, table, key, **of):
        """Return a cell of a table with its interval as the page shows it."""
        one = self.contents.tables[table]
        column = next(column for column in one.columns if column.key == key)
        row = next(row for row in one.rows if all(row.get(name) == value for name, value in of.items()))
        return " ".join(filter(None, (column.value(row), column.beside(row))))

    def verdict(self, claim):
        """Return the effect of a claim as the page shows it, without the unit's name; None when open."""
        one = next(one for one in self.analysis.verdicts if one.claim == claim)
        return None if one.verdict == NOT_DECIDABLE else effect(one).replace(" points", "")


def text_of(page):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def drawn_rows(spec):
    """Return every list of rows that a specification holds."""
    found = list(spec.get("datasets", {}).values())
    for layer in (spec, *spec.get("layer", ())):
        found += [layer["data"]["values"]] if "values" in layer.get("data", {}) else []
    return found


def points(row, value="value", low="low", high="high"):
    """Return a row in points as tables show it."""
    numbers = [f"{row[name]:+.1f}".replace("-", "−") for name in (value, low, high)]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def percent(row, value="value", low="low", high="high"):
    numbers = [f"{row[name]:.0%}".replace("-", "−") for name in (value, low, high)]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) for name in ("exposures", "counts", "factors")}
    write_table(exposures(), folders["exposures"] / "scores.parquet")
    scores, texts = counts()
    write_table(scores, folders["counts"] / "scores.parquet")
    write_table(texts, folders["counts"] / "generations.parquet")
    write_factor_study(folders["factors"])
    for folder in folders.values():
        write_analysis(analyze(folder, draws=40), folder)
    return {name: Study(folder) for name, folder in folders.items()}


def known(study):
    if "known_by_count" in study.tables:
        columns = {"right by generation": "greedy", "right answer the most probable of its type": "choice"}
        for row in study.rows("known"):
            assert percent(row) == study.cell("known_by_count", columns[row["view"]], level=row["level"])
    expected = study.analysis.known.filter(pl.col("model") == study.contents.scope)
    assert {row["n_facts"] for row in study.rows("known")} <= set(expected["n_facts"])


def natural_known(study):
    keys = {column.title.casefold(): column.key for column in study.contents.tables["natural"].columns}
    for row in study.rows("natural_known"):
        assert percent(row) == study.cell("natural", keys[row["view"].casefold()], counts=row["counts"])


def curves(study):
    last = max(row["step"] for row in study.rows("curves"))
    ends = {
        "left_rarest": study.contents.scales.levels[0],
        "left_most_frequent": study.contents.scales.levels[-1],
    }
    at_end = {
        (row["panel"], row["level"]): row
        for row in study.rows("curves")
        if (row["measure"], row["sample"], row["step"]) == ("question|said", "known", last)
    }
    for method in study.contents.scales.methods:
        for key, level in ends.items():
            assert percent(at_end[method, level]) == study.cell("methods", key, method=method)


def dose(study):
    keys = {
        "equal steps": "plain",
        "equal utility (−5%)": "utility_5%",
        "equal utility (−10%)": "utility_10%",
    }
    rows, words = study.rows("dose"), {}
    for row in rows:
        if row["part"] == "words":
            words[row["panel"]] = row["method"].removesuffix(" per doubling").replace(" points", "")
    means = [row for row in rows if row["part"] == "mean" and row["panel"] == "equal steps"]
    if study.verdict("C1") is None:
        assert not words
        return
    assert len(means) == len(study.contents.scales.levels)
    sentence = finding(study.analysis)[1]
    for one in (means[0], means[-1]):
        assert f"{one['value']:.0%} of facts shown {one['level'].removesuffix('×')} times" in sentence
    assert words["equal steps"] == study.verdict("C1")
    for panel, said in words.items():
        assert said == study.cell("slopes", keys[panel], method=ALL_METHODS)
    shown = re.findall(r"[\d.]+", study.verdict("C1"))
    assert all(number in sentence for number in shown)
    for claim, key in (("R2", "start"), ("R3", "answer")):
        if study.verdict(claim):
            assert study.verdict(claim) == study.cell("slopes", key, method=ALL_METHODS)
    fit = [row for row in rows if row["part"] == "fit" and row["panel"] == "equal steps"]
    doublings = pl.Series([float(row["level"].removesuffix("×")) for row in fit]).log(2)
    slope = 100 * (fit[-1]["value"] - fit[0]["value"]) / (doublings[-1] - doublings[0])
    assert f"{slope:+.1f}".replace("-", "−") == study.verdict("C1").split()[0]


def factors(study):
    for row in study.rows("factors"):
        if row["panel"] == "explained variance":
            ends = ("share", "share_low", "share_high")
            assert percent(row, *ends) == study.cell("factors", "share", title=row["title"])
        elif "view" in row:
            key = "effect" if row["view"] == "not adjusted" else "adjusted"
            assert points(row) == study.cell("factors", key, title=row["title"])


def by_count(study):
    for row in study.rows("natural"):
        here = (row["comparison"], row["panel"], row["part"]) == ("equal steps", ALL_METHODS, "group")
        if here:
            assert percent(row) == study.cell("natural", "forgotten", counts=row["counts"])
    for method in (*study.contents.scales.methods, ALL_METHODS):
        line = [
            row
            for row in study.rows("natural")
            if (row["comparison"], row["panel"], row["part"]) == ("equal steps", method, "fit")
        ]
        slope = (line[-1]["value"] - line[0]["value"]) / (line[-1]["log10_count"] - line[0]["log10_count"])
        shown = float(study.cell("natural_slopes", "adjusted", method=method).split()[0].replace("−", "-"))
        assert 100 * slope == pytest.approx(shown, abs=0.1)
    assert study.verdict("C2") == study.cell("natural_slopes", "adjusted", method=ALL_METHODS)
    assert all(number in finding(study.analysis)[1] for number in re.findall(r"[\d.]+", study.verdict("C2")))


def wording(study):
    why = next(one.why for one in study.analysis.verdicts if one.claim == "R1")
    for row in study.rows("wording"):
        if row["part"] == "words":
            arm = row["panel"].split(":")[0]
            said = row["method"].removesuffix(" per doubling").replace(" points", "")
            assert f"{arm} {row['method'].removesuffix(' per doubling')}" in why
            assert said == study.cell("interactions", "slope", factor="wording arm", value_of_factor=arm)


def interactions(study):
    for row in study.rows("interactions"):
        if row.get("comparison") == "equal steps":
            factor = row["panel"].removeprefix("by ")
            shown = points(row, "slope", "slope_low", "slope_high")
            assert shown == study.cell(
                "interactions", "slope", factor=factor, value_of_factor=row["value_of_factor"]
            )


def survival(study):
    expected = study.analysis.survival.filter(pl.col("model") == study.contents.scope)
    assert {row["n_facts"] for row in study.rows("survival")} <= set(expected["n_facts"])
    assert len(study.rows("survival")) == expected.filter(pl.col("target_kind") == "mixed levels").height


def frontier(study):
    last = max(row["step"] for row in study.rows("frontier"))
    scales = study.contents.scales
    for row in study.rows("frontier"):
        if row["step"] == last:
            table = study.cell("methods", row["role"], method=row["panel"])
            assert table.startswith(f"{row['utility']:.0%}")
            if row["level"] == scales.levels[0]:
                left = study.cell("methods", "left_rarest", method=row["panel"])
                assert left.startswith(f"{row['remaining']:.0%}")


def agreement(study):
    names = ("known to both", "generation only", "probability only (hidden)", "known to neither")
    start = [row for row in study.rows("agreement") if row["level"] == "all" and row["step"] == 0]
    views = study.analysis.agreement.filter(
        (pl.col("model") != ALL_MODELS)
        & (pl.col("sample") == "known both ways")
        & pl.col("exposure").is_null()
    ).filter(pl.col("step") == 0)
    for row in start:
        own = views.filter(pl.col("method") == row["panel"])
        assert sum(row[name] for name in names) == own["both"].sum()
    said = finding(study.analysis)[-1]
    for key in ("hidden share", "never-seen share"):
        if study.verdict("C4"):
            assert study.cell("agreement", key, method=ALL_METHODS).split()[0] in said
    for key in ("generation first", "same step", "probability first", "neither"):
        order = order_sentence(study.analysis, study.contents.scope)
        assert study.cell("order", key, method=ALL_METHODS).split()[0] in order
    if study.verdict("C4"):
        assert study.verdict("C4") == study.cell("agreement", "excess", method=ALL_METHODS)


def sizes(study):
    for row in study.rows("sizes"):
        if "millions" in row:
            model = study.analysis.runs.filter(pl.col("model") == row["model"])
            assert row["millions"] == round(model["n_params"][0] / 1e6, 4)
            assert model["size"][0] in size_names(study.analysis)[row["millions"]][0]
    axis = json.dumps(study.figures["sizes"].panels[0].spec, ensure_ascii=False)
    assert all(name in axis for name in SIZES) and "0.53M in all" in axis
    for claim, measure in (
        ("C5", "hidden share above never-seen, nearest"),
        ("R5", "forgotten share at equal"),
    ):
        if study.verdict(claim):
            rows = study.contents.tables["size_slopes"].rows
            name = next(row["measure"] for row in rows if row["measure"].startswith(measure))
            assert study.verdict(claim) == study.cell(
                "size_slopes", "slope", measure=name, method=ALL_METHODS
            )


def formats(study):
    whole = [
        row
        for row in study.rows("formats")
        if (row.get("level"), row.get("metric"), row.get("method"))
        == ("all levels", "choice_accuracy", ALL_METHODS)
        and row["panel"].startswith("statement")
    ]
    if study.verdict("C6"):
        assert [points(row) for row in whole] == [study.verdict("C6")]


def true_false(study):
    expected = study.analysis.true_false.filter(pl.col("model") == study.contents.scope)
    drawn = {row["value"] for row in study.rows("true_false") if "value" in row}
    assert drawn <= set(expected["value"].round(4))


def cost(study):
    by_level = {(row["method"], row["level"]): row for row in study.rows("cost")}
    levels = study.contents.scales.levels
    for method in study.contents.scales.methods:
        ends = [by_level.get((method, level)) for level in (levels[-1], levels[0])]
        if all(ends):
            shown = study.cell("utility_cost", "difference", method=method).split()[0].replace("−", "-")
            assert ends[0]["value"] - ends[1]["value"] == pytest.approx(float(shown), abs=0.06)
    assert study.verdict("C7") in (None, study.cell("utility_cost", "difference", method=ALL_METHODS))


def methods(study):
    keys = {"not adjusted": "slope", "adjusted for starting log-probability": "adjusted"}
    drawn = [row for row in study.rows("methods") if "view" in row]
    assert {row["method"] for row in drawn} == {*study.contents.scales.methods, ALL_METHODS} or study.verdict(
        "C2"
    )
    for row in drawn:
        assert points(row) == study.cell("methods", keys[row["view"]], method=row["method"])
    plain = [row for row in drawn if row["view"] == "not adjusted"]
    if study.verdict("C1"):
        assert study.verdict("C1") == points(next(row for row in plain if row["method"] == ALL_METHODS))
    if study.verdict("C3"):
        assert study.verdict("C3") in [points(row) for row in plain]
    if study.verdict("C8"):
        assert study.verdict("C8") in study.sections["methods"]


CHECKS = {
    "known": known,
    "natural_known": natural_known,
    "curves": curves,
    "dose": dose,
    "factors": factors,
    "natural": by_count,
    "wording": wording,
    "interactions": interactions,
    "survival": survival,
    "frontier": frontier,
    "agreement": agreement,
    "sizes": sizes,
    "formats": formats,
    "true_false": true_false,
    "cost": cost,
    "methods": methods,
}


def test_every_figure_says_what_it_draws(studies):
    drawn = set()
    for study in studies.values():
        for name in study.figures:
            assert name in CHECKS, f"the figure {name} needs a check of what it draws against what is said"
            CHECKS[name](study)
            drawn.add(name)
    assert drawn == set(CHECKS)  # no check stands idle


def test_every_section_and_its_tables_have_the_one_sample_of_the_study(studies):
    for study in studies.values():
        sample = f"Sample: {sample_name(study.analysis)}"
        for figure in study.figures.values():
            assert sample in figure.caption, figure.figure
            for table in study.contents.beside.get(figure.figure, ()):
                assert not table.rows or sample in table.note, table.table
        if "attacks" in study.tables:
            assert sample in study.tables["attacks"].note
    several = studies["exposures"]
    assert several.contents.scope == scope_of(several.analysis) == ALL_MODELS
    assert "all 7 models" in several.contents.sample


def test_every_decided_verdict_stands_in_the_section_that_it_points_to(studies):
    seen = set()
    for study in studies.values():
        for one in study.analysis.verdicts:
            if one.verdict != NOT_DECIDABLE:
                shown = effect(one).replace(" points", "")
                drawn = [points(row) for row in study.rows(one.figure) if row.get("low") is not None]
                drawn += [
                    row["method"].replace(" points", "").removesuffix(" per doubling")
                    for row in study.rows(one.figure)
                    if row.get("part") == "words"
                ]
                assert shown in study.sections[one.figure] or shown in drawn, one.claim
                seen.add(one.claim)
    assert seen >= {"C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "R1", "R2", "R4"}


def test_the_sentence_on_attacks_has_the_numbers_of_its_table(studies):
    study = studies["exposures"]
    sentence = attack_sentence(study.analysis, study.contents.scope)
    assert sentence.startswith("Of the attacks evaluated by what the model says, relearn brings back most")
    key = {"attack": "relearn", "test": "greedy answer wrong"}
    for column in ("all methods", "never_seen"):
        assert study.cell("attacks", column, **key).split()[0] in sentence


def test_differences_are_in_points_and_shares_in_per_cent_everywhere(studies):
    for study in studies.values():
        for table in study.tables.values():
            for column in table.columns:
                if column.kind in ("effect", "magnitude"):
                    assert "(points)" in column.title, (table.table, column.title)
        for figure in study.figures.values():
            text = json.dumps([panel.spec for panel in figure.panels], ensure_ascii=False)
            unitless = figure.figure in ("agreement", "true_false", "sizes")  # kappa, d′, parameters
            assert unitless or not re.search(r'"\+?\.[234]f"', text), figure.figure
            for title in re.findall(r'"title": "([^"]+)"', text):
                assert not DIFFERENCES.search(title) or "(points)" in title, (figure.figure, title)
        text = study.head + " ".join(study.sections.values())
        assert not re.search(r"[+−]0?\.\d{3}", text)
        assert "percentage points" not in text


def test_the_axis_of_sizes_names_models_as_the_report_does_and_counts_what_a_name_leaves_out(studies):
    names = size_names(studies["exposures"].analysis)
    assert names[0.5253] == ["0.4M", "0.53M in all"] and list(names) == sorted(names)


def test_one_model_is_its_own_sample(tmp_path):
    scores, _ = simulate(replace(LEAN, methods=("ga",)))
    write_table(scores, tmp_path / "scores.parquet")
    write_analysis(analyze(tmp_path, draws=20), tmp_path)
    study = Study(tmp_path)
    assert study.contents.scope == study.contents.sample == "gpt2 2m"
    words = [
        row["method"]
        for row in study.rows("dose")
        if row["part"] == "words" and row["panel"] == "equal steps"
    ]
    assert words == [f"{effect(next(v for v in study.analysis.verdicts if v.claim == 'C1'))} per doubling"]
