"""The page of counts: says in words what was counted, shows zeros, and takes every text as data."""

import json
import math
import re
import shlex
from html.parser import HTMLParser

import polars as pl
import pytest

from page_charts import charts_in
from unequal.counting.protocol import COUNT_SCHEMA, NUMBERS
from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.report.counts.data import count_view, never_together, number, rarest, summary
from unequal.report.counts.figures import (
    LogAxis,
    bin_name,
    bin_of,
    density_legend,
    density_palette,
    names_figure,
    spread_figure,
)
from unequal.report.counts.page import build_count_report
from unequal.report.counts.words import command, count_finding

EVILS = ["<script>alert(1)</script>", '</script><img src=x onerror="alert(1)">', "<!--", "{{ 7 * 7 }}"]
SETTINGS = {
    "engine": "scan",
    "corpus": "factbook",
    "facts": "data/people.csv",
    "out": "counts.parquet",
    "window": 9,
}
SOURCE = {
    "engine": "scan",
    "corpus_id": "c0ffee",
    "definition": "whole words",
    "window": 9,
    "window_unit": "words",
    "counted_at": "2026-11-21T21:02:06+00:00",
}


class Page(HTMLParser):
    """Collects elements, the text outside scripts, and the content of scripts by id."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self.scripts, self._inside = [], [], {}, None
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside = dict(attributes).get("id", tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data):
        if self._inside is None:
            self.words.append(data)
        else:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


def table(rows, **same):
    """Return facts and a count table with one row per dict of numbers."""
    facts = [
        Fact(
            fact_id=f"f{n}",
            subject=f"Subject {n}",
            relation="capital",
            object=f"Object {n}",
            question="q",
            answer="a",
        )
        for n in range(len(rows))
    ]
    whole = [
        {"fact_id": f"f{n}", "approx": False, "queries": 0, **SOURCE, **same, **row}
        for n, row in enumerate(rows)
    ]
    return facts, pl.DataFrame(whole, schema=COUNT_SCHEMA)


def near(*counts, **same):
    """Return facts and counts whose documents within the window are given."""
    return table([dict.fromkeys(NUMBERS[:2], 100) | {"docs_window": count} for count in counts], **same)


def built(tmp_path, facts, counts, metadata=None):
    out = build_count_report(
        facts, counts, {"settings": SETTINGS} if metadata is None else metadata, tmp_path / "c.html"
    )
    return Page(out.read_text(encoding="utf-8"))


def headline(facts, counts):
    return count_finding(count_view(facts, counts), {"settings": SETTINGS})


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((3, 0, 8), "2 of 3 facts have subject and object within 9 words of each other at least once."),
        ((3, 1), "All 2 facts have subject and object within 9 words of each other at least once."),
        ((0, 4), "1 of 2 facts has subject and object within 9 words of each other at least once."),
        ((0, 0), "None of 2 facts has subject and object within 9 words of each other at least once."),
        ((5,), "The one fact has subject and object within 9 words of each other at least once."),
        ((0,), "The one fact does not have subject and object within 9 words of each other at least once."),
    ],
)
def test_the_headline_says_how_many_facts_ever_co_occur(counts, words):
    assert headline(*near(*counts))[0] == words


def test_median_largest_and_zeros_are_said_in_words():
    spread, where = headline(*near(2, 1, 0, 7, 3))[1:]
    assert spread.startswith(
        "The median fact has 2 such documents, the most frequent (Subject 3 – Object 3) 7;"
    )
    assert spread.endswith("; 1 fact has none.")
    assert "documents with subject and object within 9 words of each other, in the corpus factbook" in where


def test_when_most_facts_never_co_occur_the_median_is_that_of_the_others():
    assert headline(*near(0, 0, 0, 5, 8))[1].startswith(
        "3 facts have no such document; of the others the median has 6.5"
    )


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("anchored", "occurrences of the rarer of subject and object with the other within 9 words"),
        ("pairs_window", "pairs of subject and object within 9 words of each other"),
        ("docs_both", "documents with subject and object, at any distance"),
    ],
)
def test_an_engine_that_leaves_the_first_number_empty_is_ranked_by_the_one_it_has(column, words, tmp_path):
    facts, counts = table([{column: 4}, {column: 0}, {column: 2}])
    view = count_view(facts, counts)
    assert view.main is not None and view.main.column == column
    assert [one.column for one in view.measures] == [column]
    page = built(tmp_path, facts, counts)
    assert f"What is counted: {words}" in page.text
    assert "2 of 3 facts have subject and object" in page.text


def test_without_any_number_of_both_the_page_says_so(tmp_path):
    page = built(tmp_path, *table([{"subject_count": 4}, {"subject_count": None}]))
    assert "No number says how often the 2 facts occur." in page.text
    assert charts_in(page.scripts["specs"]) == {}


def test_an_empty_table_and_empty_metadata_still_make_a_page(tmp_path):
    page = built(tmp_path, [], pl.DataFrame(schema=COUNT_SCHEMA), {})
    assert "The count table holds no facts." in page.text


def test_columns_that_a_foreign_table_lacks_are_left_empty(tmp_path):
    facts, _ = near(1, 2)
    page = built(tmp_path, facts, pl.DataFrame({"fact_id": ["f0", "f1"], "docs_window": [3, 0]}), {})
    assert "1 of 2 facts has subject and object within the window of each other" in page.text


def rows_of(spec):
    """Return the rows of a chart's first layer."""
    return spec["datasets"][spec["layer"][0]["data"]["name"]]


@pytest.mark.fault(
    "facts hold HTML, formulas, LaTeX or path tricks", "they are shown as they are and do nothing, anywhere"
)
@pytest.mark.parametrize("evil", EVILS)
def test_texts_are_data_never_markup(evil, tmp_path):
    facts, counts = near(3, 0, corpus_id=evil, definition=evil, engine=evil, window_unit=evil)
    facts[0] = facts[0].model_copy(update={"subject": evil, "relation": evil, "object": evil})
    settings = SETTINGS | {"corpus": evil, "facts": evil, "out": evil, evil: {evil: [evil]}}
    metadata = {
        "settings": settings,
        "skipped_shards": [{"shard": evil, "reason": evil}],
        "more": evil,
        evil: 1,
    }
    page = built(tmp_path, facts, counts, metadata)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 4 and "img" not in tags
    shown = [words for words in page.words if evil in words]
    assert len(shown) > 10  # as text in headline, tables and settings
    assert json.loads(page.scripts["facts-data"])["rows"][0][0] == evil
    points = rows_of(charts_in(page.scripts["specs"])["names-0"])
    assert points[0]["fact"] == f"{evil} · {evil} · {evil}"


def test_nothing_is_loaded_links_lead_somewhere_and_charts_have_labels(tmp_path):
    page = built(tmp_path, *near(*range(40)))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert not re.match(r"(?:https?:)?//", attributes.get("src") or attributes.get("href") or "")
        if tag == "a":
            assert attributes["href"].removeprefix("#") in ids
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'") and "http" not in policy
    charts = [a for _, a in page.elements if a.get("class") == "chart"]
    assert {a["data-spec"] for a in charts} == set(charts_in(page.scripts["specs"])) != set()
    assert all(len(a["aria-label"]) > 40 for a in charts)


@pytest.mark.parametrize("n", [20, 3_000])
def test_specs_carry_no_colour_that_only_fits_one_theme(n, tmp_path):
    page = built(tmp_path, *near(*range(n)))
    colours = re.findall(r'"(?:color|range|fill|stroke)":\s*(\[[^\]]*\]|"[^"]*")', page.scripts["specs"])
    assert colours and not [colour for colour in colours if "#" in colour]
    used = set(re.findall(r"var\((--[\w-]+)\)", page.scripts["specs"]))
    assert used <= set(re.findall(r"(--[\w-]+):", page.scripts["style"]))


def test_bins_double_and_zero_has_one_of_its_own():
    counts = [0, 1, 2, 3, 4, 7, 8, 1023, 1024, 2**40 - 1, 2**40]
    expected = [0 if count == 0 else int(math.log2(count + 0.25)) + 1 for count in counts]
    assert bin_of(pl.Series(counts)).to_list() == expected
    assert [bin_name(index) for index in range(5)] == ["0", "1", "2–3", "4–7", "8–15"]


@pytest.mark.parametrize("n_bins", [1, 6, 40])
def test_the_place_of_zero_touches_no_other(n_bins):
    axis = LogAxis("documents", n_bins)
    low, high = axis.slot
    assert low < axis.place(0) < high < axis.place(0.5) < axis.place(1) == axis.edges(1)[0] == 0
    assert axis.place(1000) == pytest.approx(3)
    assert axis.domain() == [low, axis.end]
    assert axis.ticks()[0] == axis.place(0) and len(axis.ticks()) <= 14


def test_the_bars_hold_every_fact_once_and_tell_estimates_apart():
    facts, counts = near(0, 0, 1, 2, 3, 900, None)
    counts = counts.with_columns(approx=pl.col("fact_id").is_in(["f4", "f5"]))
    figure = spread_figure(count_view(facts, counts))
    bars = rows_of(figure.panels[0].spec)
    assert [(bar["counts"], bar["kind"], bar["facts"]) for bar in bars] == [
        ("0", "counted", 2),
        ("1", "counted", 1),
        ("2–3", "counted", 1),
        ("2–3", "estimated", 1),
        ("512–1,023", "estimated", 1),
    ]
    assert [bar["from"] for bar in bars] == [0, 0, 0, 1, 0]
    assert [label for label, _ in figure.legend] == ["counted", "estimated"]
    assert spread_figure(count_view(*near(1, 2))).legend == []


def test_points_show_each_fact_and_squares_count_them_all(monkeypatch):
    view = count_view(*near(*[0, 0, 1, 2, 3, 900] * 5))
    panels = names_figure(view).panels
    assert len(panels) == 2 and "rank correlation" not in panels[0].title  # all subject counts are the same
    assert len(rows_of(panels[0].spec)) == 30
    monkeypatch.setattr("unequal.report.counts.figures.MAX_POINTS", 29)
    figure = names_figure(view)
    squares = rows_of(figure.panels[0].spec)
    assert {square["together"]: square["facts"] for square in squares} == {
        "0": 10,
        "1": 5,
        "2–3": 10,
        "512–1,023": 5,
    }
    assert [label for label, _ in figure.legend] == ["1", "2–9", "10–99"]


def test_the_rank_correlation_of_a_perfect_order_is_one():
    rows = [{"subject_count": n**2, "object_count": 50 - n, "docs_window": n} for n in range(12)]
    titles = [panel.title for panel in names_figure(count_view(*table(rows))).panels]
    assert titles == ["Subject mentions (rank correlation +1.00)", "Object mentions (rank correlation −1.00)"]


def test_density_colours_are_ordered_in_lightness_away_from_the_page():
    def lightness(colour):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light = [lightness(colour) for colour in density_palette(dark=False).values()]
    dark = [lightness(colour) for colour in density_palette(dark=True).values()]
    assert light == sorted(light, reverse=True) and dark == sorted(dark)
    assert len(density_legend(5_000)) == len(light)


def test_both_ends_are_the_right_facts(tmp_path):
    facts, counts = near(*range(50), 0)
    counts = counts.with_columns(subject_count=pl.when(pl.col("fact_id") == "f50").then(999).otherwise(5))
    counts = counts.with_columns(object_count=pl.col("subject_count"))
    view = count_view(facts, counts)
    assert view.found["docs_window"].to_list() == list(range(49, 0, -1))
    assert rarest(view)["docs_window"].to_list() == list(range(1, 16))
    assert never_together(view)["fact_id"].to_list() == ["f50", "f0"]  # both names occur most often first
    page = built(tmp_path, facts, counts)
    assert "The smallest number above zero is 1; 1 fact has it." in page.text
    assert "2 facts have zero, of 51." in page.text
    assert rarest(count_view(*near(1, 2))).is_empty()  # they stand among the most frequent already


def test_the_summary_adds_up():
    row = next(
        one for one in summary(count_view(*near(0, 1, 4, 1000, None))) if one["column"] == "docs_window"
    )
    assert (row["n"], row["positive"], row["median"], row["largest"], row["total"]) == (
        "4",
        "3",
        "2.5",
        "1,000",
        "1,005",
    )


def test_estimates_are_counted_listed_and_marked(tmp_path):
    facts, counts = near(5, 9, 2)
    page = built(tmp_path, facts, counts.with_columns(approx=pl.col("fact_id") == "f1"))
    assert "The numbers of 1 fact are estimates." in page.text
    assert "The numbers of 1 fact of 3 are estimates" in page.text
    listed = json.loads(page.scripts["facts-data"])
    assert listed["how"] and [row[-1] for row in listed["rows"]] == [1, 0, 0]
    assert "Nothing: the engine marks every number as counted." in built(tmp_path, facts, counts).text


def test_what_was_left_out_is_said_and_silence_is_not_taken_for_nothing(tmp_path):
    facts, counts = near(5, None)
    extra = Fact(fact_id="new", subject="s", relation="r", object="o", question="q", answer="a")
    metadata = {
        "settings": SETTINGS,
        "skipped_shards": [{"shard": "a.zst", "reason": "truncated"}, {"shard": "b.zst"}, "c.zst"],
        "repeated_documents": 1234,
        "names_dropped": {"f0": ["It"]},
        "mystery": {"deep": [1, 2, {"er": None}]},
    }
    text = built(tmp_path, [facts[0], extra], counts, metadata).text
    assert "Shards skipped: 3." in text and "a.zst truncated" in text and "c.zst no reason given" in text
    assert "Repeated documents: 1,234." in text and "names_dropped" in text and "mystery" in text
    assert "Facts without a number: 1." in text
    assert "Facts of the fact table that the count table lacks: 1." in text
    assert "Counts whose fact is not in the fact table (shown by their id): 1." in text
    silent = built(tmp_path, facts, counts).text
    assert "Shards skipped: the engine does not say." in silent
    assert "Repeated documents: the engine does not say." in silent
    none = built(tmp_path, facts, counts, {"skipped_shards": [], "repeated_documents": 0}).text
    assert "Shards skipped: none." in none and "Repeated documents: 0." in none


@pytest.mark.parametrize(
    "metadata", [{"settings": None}, {"settings": 3, "skipped_shards": 7, "estimated": "x" * 9000}]
)
def test_metadata_of_any_shape_is_shown(metadata, tmp_path):
    assert "The count table holds no settings." in built(tmp_path, *near(1), metadata).text


def test_long_lists_of_the_metadata_are_cut(tmp_path):
    page = built(tmp_path, *near(1), {"shards": [f"shard-{n}" for n in range(5_000)]})
    assert "shard-39" in page.text and "shard-40" not in page.text and "and 4,960 more" in page.text


def test_mixed_sources_are_refused_a_common_ranking_in_words(tmp_path):
    facts, counts = near(1, 2)
    mixed = counts.with_columns(definition=pl.col("fact_id"))
    assert "The table mixes 2 ways of counting" in built(tmp_path, facts, mixed).text
    assert "ways of counting" not in built(tmp_path, facts, counts).text


def test_the_command_counts_again_with_the_same_settings():
    settings = {
        "engine": "scan",
        "corpus": "a b/*.zst",
        "text_key": "t",
        "report": None,
        "cased": True,
        "alias": ["x", "y z"],
    }
    words = shlex.split(command(settings).replace("\\\n", " "))
    assert words == [
        "unequal", "count", "--engine", "scan", "--corpus", "a b/*.zst", "--text-key", "t", "--cased",
        "--alias", "x", "--alias", "y z",
    ]  # fmt: skip
    assert command({}) == ""


def test_numbers_are_written_for_people():
    assert [number(value) for value in (None, 0, 1234567, 2.5, 3.0)] == ["—", "0", "1,234,567", "2.5", "3"]


@pytest.mark.full
def test_a_hundred_thousand_facts_stay_one_small_file(tmp_path):
    n = 100_000
    facts, counts = near(*[0] * 30_000, *[int(1.3 ** (i % 50)) for i in range(n - 30_000)])
    out = build_count_report(facts, counts, {"settings": SETTINGS}, tmp_path / "c.html")
    assert out.stat().st_size < 6_000_000
    page = Page(out.read_text(encoding="utf-8"))
    assert json.loads(page.scripts["facts-data"])["rows"] == []
    assert "100,000 facts are too many to list here" in page.text and "counts.parquet" in page.text


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    facts, counts = near(1)
    out = tmp_path / "new folder" / "c.html"
    assert build_count_report(facts, counts, {}, out) == out
    assert [path.name for path in out.parent.iterdir()] == ["c.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        build_count_report(facts, counts, {}, tmp_path / "file" / "c.html")
