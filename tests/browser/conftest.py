"""A browser for the report: Debian’s chromium or another installed, headless, driven by Playwright."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from waiting import HANGS

NAMES = ("chromium", "chromium-browser", "google-chrome")

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "analysis"))


@pytest.fixture(scope="module")
def browser():
    """A headless browser; its event loop must end before tests of other modules. Skips without one."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed")
    # A browser's own sandbox does not start for root, who runs tests in containers only.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=options, timeout=HANGS * 1000)
        yield started
        started.close()
