"""The report in a real browser: quiet, searchable, filtered, by keyboard, in the dark, on paper."""

import json
import re

import pytest

from simulated_study import Truth, write_study
from unequal.analysis.analyze import analyze, write_analysis
from unequal.report import fact_browser
from unequal.report.build import build_report
from waiting import HANGS

STUDY = Truth(
    people_per_level=8,
    exposures=(30, 120, 480),
    never_seen=8,
    utility_people=8,
    methods=("ga", "npo"),
    relations=("birth_city", "university"),
    known_share=1.0,
)
EVIL = '<script>document.title = "taken"</script><img src=x onerror="document.title = 1">'
DRAWN = "html[data-drawn=yes]"
WIDTHS = {"phone": 390, "tablet": 800, "desktop": 1280}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("study"), STUDY, names={"Person 0-3": EVIL})
    study = {"name": "browsed", "settings": {"note": EVIL}, "commands": ["unequal study run a.toml"]}
    (folder / "study.json").write_text(json.dumps(study))
    write_analysis(analyze(folder, draws=40), folder)
    build_report(folder)
    return folder


@pytest.fixture
def visit(browser, folder):
    """Open the report, drawn, in a new window; what the browser complains of fails the test."""
    complaints, windows = [], []

    def open_page(path=None, **options):
        window = browser.new_context(**options)
        window.set_default_timeout(HANGS * 1000)
        windows.append(window)
        page = window.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(network(request.url)))
        page.goto((path or folder / "report.html").as_uri())
        page.wait_for_selector(DRAWN, state="attached")
        return page

    yield open_page
    for window in windows:
        window.close()
    assert complaints == []


def network(url):
    return [] if url.startswith(("file:", "data:", "blob:")) else [f"asked for {url}"]


def lines(page, figure):
    """Return what the charts of a figure draw."""
    return page.eval_on_selector_all(f"#{figure} .chart svg", "all => all.map(one => one.outerHTML)")


def test_it_opens_without_a_complaint_and_draws_every_picture(visit):
    page = visit()
    charts = page.locator(".chart")
    assert charts.count() > 10
    for index in range(charts.count()):
        assert charts.nth(index).locator("svg path, svg line").count() > 0
    assert page.get_by_text("could not be drawn").count() == 0
    assert page.locator("h1").inner_text().endswith(".")


@pytest.mark.full
def test_the_fact_browser_finds_a_fact_and_shows_its_curve_and_answers(visit):
    page = visit()
    page.get_by_label("Search a person").fill("person 0-5 university")
    assert page.locator("#fact-count").inner_text() == "1 fact"
    page.get_by_role("button", name="Person 0-5").click()
    assert page.locator("#fact-head h3").inner_text() == "Person 0-5"
    assert page.locator("#fact-rows tbody tr").count() == len(STUDY.steps)
    assert page.locator("#fact-rows tbody tr").first.inner_text().split("\t")[:2] == ["0", "Springfield"]
    marks = page.locator("#fact-view .chart .mark-symbol path")
    assert marks.count() == len(STUDY.steps) * len(STUDY.methods)
    before = page.locator("#fact-rows").inner_text()
    page.get_by_role("group", name="Method").get_by_role("button", name="npo").click()
    assert page.locator("#fact-rows").inner_text() != before
    page.get_by_label("Search a person").fill("nobody of this name")
    assert page.locator("#fact-count").inner_text() == "0 facts"


def changed(page, old, how="!=="):
    """Wait until the first forgetting curve is drawn otherwise than it was, or as it was again."""
    page.wait_for_function(
        f"old => document.querySelector('#curves .chart svg').outerHTML {how} old", arg=old
    )


@pytest.mark.full
def test_charts_react_to_a_choice_and_go_back(visit):
    page = visit()
    choice = page.get_by_label("Measure").first
    first = lines(page, "curves")
    choice.select_option(label="question: probability of the right answer")
    changed(page, first[0])
    assert all(new != old for new, old in zip(lines(page, "curves"), first, strict=True))
    choice.select_option(label="question: right by generation")
    changed(page, first[0], "===")
    assert lines(page, "curves") == first


@pytest.mark.full
def test_a_fact_whose_text_is_a_script_stays_text(visit):
    page = visit()
    title = page.title()
    page.get_by_label("Search a person").fill("onerror")
    page.locator("#fact-list button").first.click()
    assert page.locator("#fact-head h3").inner_text() == EVIL
    assert page.locator("main script, main img, header script").count() == 0
    assert page.title() == title


@pytest.mark.full
def test_everything_can_be_reached_and_used_by_keyboard(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        focus = (
            "(e => e.id || e.dataset.signal || e.getAttribute('href') || e.tagName)(document.activeElement)"
        )
        seen.add(page.evaluate(focus))
        if page.evaluate("document.activeElement.id") == "fact-search":
            break
    assert {"measure", "sample", "role", "level", "#curves", "#facts", "SUMMARY", "fact-search"} <= seen
    page.keyboard.type("university")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate("document.activeElement.firstChild.textContent")
    page.keyboard.press("Enter")
    assert page.locator("#fact-head h3").inner_text() == chosen
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "fact-search"
    page.get_by_label("Measure").first.focus()
    first = lines(page, "curves")
    page.keyboard.type("cloze")
    changed(page, first[0])


@pytest.mark.full
def test_light_and_dark_follow_the_reader_and_charts_with_them(visit):
    colours = {}
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        colours[scheme] = page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor,
                      getComputedStyle(document.querySelector('#curves .mark-line path')).stroke,
                      getComputedStyle(document.querySelector('#curves .role-axis-label text')).fill]"""
        )
    lightness = {scheme: sum(map(int, re.findall(r"\d+", found[0])[:3])) for scheme, found in colours.items()}
    assert lightness["light"] > 700 and lightness["dark"] < 120
    assert all(light != dark for light, dark in zip(colours["light"], colours["dark"], strict=True))


@pytest.mark.full
def test_on_paper_it_is_light_and_has_every_picture_with_what_was_chosen(visit, tmp_path):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible() and not page.locator("#facts").is_visible()
    assert page.locator("#curves .chart svg").first.is_visible()
    border = "getComputedStyle(document.querySelector('#curves select')).borderTopWidth"
    assert page.get_by_label("Measure").first.is_visible() and page.evaluate(border) == "0px"
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and len(pdf) > 50_000


@pytest.mark.full
def test_what_is_not_drawn_yet_is_drawn_before_printing(browser, folder):
    page = browser.new_page()
    page.add_init_script("window.setTimeout = () => 0;")  # no picture is drawn in passing
    page.goto((folder / "report.html").as_uri())
    charts, drawn = page.locator(".chart").count(), page.locator(".chart:has(svg path)")
    assert drawn.count() == 0 and page.locator(DRAWN).count() == 0
    page.pdf(format="A4")
    assert drawn.count() == charts > 10
    page.close()


@pytest.mark.full
def test_the_picture_that_a_reader_jumps_to_is_drawn_before_those_above(visit, browser, folder):
    page = browser.new_page()
    order = (
        "window.order = []; addEventListener('drawn', ({target}) => order.push(target.dataset.spec), true);"
    )
    page.add_init_script(order)
    page.goto((folder / "report.html").as_uri() + "#methods")
    page.wait_for_selector(DRAWN, state="attached")
    order = page.evaluate("order")
    assert len(order) == len(set(order)) == page.locator(".chart").count()
    assert order.index("methods-0") < min(len(order) / 2, order.index("formats-0"))
    page.close()


@pytest.mark.full
def test_the_small_page_does_all_that_the_whole_one_does(visit, folder, tmp_path):
    page = visit(build_report(folder, tmp_path / "small.html", small=True))
    assert page.locator(".chart:has(svg path)").count() == page.locator(".chart").count() > 10
    page.get_by_label("Search a person").fill("person 0-5 university")
    assert page.locator("#fact-count").inner_text() == "1 fact"


@pytest.mark.full
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_no_width_makes_the_page_scroll_sideways(visit, width):
    page = visit(viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.full
def test_all_facts_are_loaded_from_beside_the_page_on_request(visit, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(fact_browser, "MAX_BYTES", 6_000)
    path = build_report(folder, tmp_path / "page of facts.html")
    page = visit(path)
    total = len(STUDY.exposures) * STUDY.people_per_level * len(STUDY.relations)
    assert "are excluded to keep this file small" in page.locator("#fact-note").inner_text()
    page.get_by_role("button", name=f"Load all {total} facts").click()
    page.get_by_role("button", name="Load all").wait_for(state="hidden")
    page.get_by_label("Search a person").fill("onerror")
    assert page.locator("#fact-list button").count() == len(STUDY.relations)


@pytest.mark.full
def test_a_search_reads_the_facts_beside_the_page(visit, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(fact_browser, "MAX_BYTES", 6_000)
    page = visit(build_report(folder, tmp_path / "report.html"))
    page.get_by_label("Search a person").fill("onerror")
    page.wait_for_function("document.querySelectorAll('#fact-list button').length === 2")
    assert page.get_by_role("button", name="Load all").is_hidden()


@pytest.mark.full
def test_a_page_that_was_moved_alone_says_what_it_lacks(browser, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(fact_browser, "MAX_BYTES", 6_000)
    path = build_report(folder, tmp_path / "report.html")
    (tmp_path / "report.facts.js").unlink()
    page = browser.new_page()  # the browser itself complains of the missing file
    page.goto(path.as_uri())
    page.get_by_role("button", name="Load all").click()
    page.get_by_text("does not lie beside this file").wait_for()
    page.locator("#fact-list button").last.click()
    assert page.locator("#fact-rows tbody tr").count() == len(STUDY.steps)
    page.close()
