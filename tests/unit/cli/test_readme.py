"""The README's commands exist with the flags it shows."""

import re
import shlex
from pathlib import Path

import pytest

from unequal.cli.app import app

README = Path(__file__).parents[3] / "README.md"
LINES = re.findall(r"^unequal .*$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_readme_shows_commands():
    assert len(LINES) >= 9


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_readme_can_be_parsed(line):
    words = shlex.split(line, comments=True)[1:]
    command, bound, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert callable(command)
    assert bound.arguments
