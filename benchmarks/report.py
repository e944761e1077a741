"""How soon the report of a study of a million scores can be read, searched and seen, in a real browser.

A simulated study goes through the real analysis and report; the page is opened from its file, without
network, in headless chromium, in a new window each time. Seconds since the visit began, by the page's clock:

- ``loaded``: text and verdicts stand;
- ``searched``: the fact browser answers a search with the one fact looked for;
- ``jumped``: the last picture is drawn, for a reader who goes there at once (a visit of its own);
- ``drawn``: every picture is drawn.

``--before REVISION`` builds the same page by the report of an earlier revision, and visits take turns.

    python benchmarks/report.py --before 74e30ed --out benchmarks/results/report.json
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, sync_playwright

from report_material import Size, write_study
from unequal.analysis.analyze import analyze, write_analysis
from unequal.manifest import manifest
from unequal.report.build import build_report
from unequal.unlearning.methods import METHODS

CASES = {"twelve methods": Size(), "every method": Size(methods=len(list(METHODS)), seeds=1)}
LIMIT_BYTES, LIMIT_SECONDS = 6_000_000, 3.0
WANTED = "person 24/birth"  # first of its level, so kept where facts are thinned
BUILD = "import sys; from pathlib import Path; from unequal.report.build import build_report\n"
BUILD += "build_report(Path(sys.argv[1]), Path(sys.argv[2]))"
CLOCK = """
window.clock = {};
addEventListener("load", () => { clock.loaded = performance.now() / 1000; });
const last = () => [...document.querySelectorAll("figure .chart")].at(-1);
const tick = () => {
  const now = performance.now() / 1000, box = document.getElementById("fact-search");
  if (!clock.searched && document.querySelector("#fact-list button")) {
    box.value = "WANTED"; box.dispatchEvent(new Event("input"));
    if (document.getElementById("fact-count").textContent === "1 fact") clock.searched = now;
  }
  const whole = document.readyState !== "loading";
  if (!clock.jumped && whole && last()?.querySelector("svg path")) clock.jumped = now;
  if (document.documentElement.dataset.drawn) clock.drawn = now; else requestAnimationFrame(tick);
};
requestAnimationFrame(tick);
""".replace("WANTED", WANTED)

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what the work returns, and its seconds."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def visit(browser: Browser, page_path: Path) -> dict[str, float]:
    """Return the seconds of two visits, one to the top and one to the last picture."""
    seconds: dict[str, float] = {}
    for place, kept in (("", ("loaded", "searched", "drawn")), ("#methods", ("jumped",))):
        window = browser.new_context(viewport={"width": 1280, "height": 900})
        page = window.new_page()
        page.add_init_script(CLOCK)
        page.goto(page_path.as_uri() + place, wait_until="commit")
        page.wait_for_function("window.clock?.drawn && clock.searched && clock.jumped", timeout=60_000)
        if page.locator(".chart").count() != page.locator(".chart:has(svg path)").count():
            raise RuntimeError(f"a picture of {page_path} is not drawn")
        clock = page.evaluate("clock")
        seconds |= {name: clock[name] for name in kept}
        window.close()
    return seconds


def visits(pages: dict[str, Path], turns: int) -> dict[str, list[dict[str, float]]]:
    """Return the seconds of every visit of every page; pages take turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        for page in pages.values():
            visit(browser, page)  # warms the file cache
        for _ in range(turns):
            for name, page in pages.items():
                found[name].append(visit(browser, page))
        browser.close()
    return found


def spread(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return median and range of each measure."""
    return {
        name: {
            "median": statistics.median(row[name] for row in rows),
            "min": min(row[name] for row in rows),
            "max": max(row[name] for row in rows),
        }
        for name in rows[0]
    }


def earlier(revision: str, folder: Path, out: Path, source: Path) -> float:
    """Build the page by an earlier revision's report; return its seconds, start-up included."""
    archive = subprocess.run(["git", "archive", revision, "src"], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(source, filter="data")
    command = [sys.executable, "-c", BUILD, str(folder), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(source / "src")}
    return timed(lambda: subprocess.run(command, check=True, env=environment))[1]


def measure(size: Size, before: str | None, turns: int, folder: Path) -> dict[str, Any]:
    """Return what one study's report takes to make and to open."""
    n_rows, n_runs = write_study(folder, size)
    analysis, analysed = timed(lambda: analyze(folder))
    write_analysis(analysis, folder)
    page, built = timed(lambda: build_report(folder, folder / "now.html"))
    small = build_report(folder, folder / "small.html", small=True)
    pages = {"now": page, "small": small}
    result: dict[str, Any] = {
        "rows": n_rows, "runs": n_runs, "seconds_to_analyse": analysed, "seconds_to_build": built,
    }  # fmt: skip
    if before:
        result["seconds_to_build_before"] = earlier(before, folder, folder / "before.html", folder / "before")
        pages["before"] = folder / "before.html"
    result["bytes"] = {name: one.stat().st_size for name, one in pages.items()}
    found = visits(pages, turns)
    result["seconds"] = {name: spread(rows) for name, rows in found.items()}
    slowest = max(result["seconds"]["now"][name]["median"] for name in ("searched", "drawn"))
    met = result["bytes"]["now"] < LIMIT_BYTES and slowest < LIMIT_SECONDS
    return {**result, "target_met": met, "visits": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--case", choices=CASES, action="append", help="all of them unless given")
    parser.add_argument("--before", metavar="REVISION")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    cases = {}
    for name in arguments.case or CASES:
        with tempfile.TemporaryDirectory() as folder:
            cases[name] = measure(CASES[name], arguments.before, arguments.turns, Path(folder))
        shown = {key: value for key, value in cases[name].items() if key != "visits"}
        print(json.dumps({name: shown}, indent=2), flush=True)
    found = {
        "command": f"python benchmarks/report.py {' '.join(sys.argv[1:])}".strip(),
        "limit_bytes": LIMIT_BYTES, "limit_seconds": LIMIT_SECONDS, "before": arguments.before,
        "cases": cases, "load_before_and_after": [load_before, os.getloadavg()[0]],
        "cores": os.cpu_count(), **manifest(),
    }  # fmt: skip
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
