"""Every shell line of the README and the documentation exists: commands, flags, targets, extras."""

import re
import tomllib
from contextlib import suppress
from itertools import takewhile

import pytest
from cyclopts import MissingArgumentError

from shell_lines import FOREIGN, OWN, PAGES, ROOT, inline_commands, lines_of, shell_lines
from unequal.cli.app import app

LINES = shell_lines()
MORE = ("…", "...", "·", "|")
"""Signs that a command within a sentence goes on in some way."""
OURS = [line for line in LINES if line.words[0] == "unequal"]


def parse(words):
    """Return the function that the words call; raises for an unknown command or flag, or a bad value."""
    return app.parse_args(words, exit_on_error=False, print_error=False)[0]


def test_the_readme_and_the_pages_show_commands():
    assert len([line for line in OURS if line.page == "README.md"]) >= 3
    assert len({line.page for line in OURS}) >= 5


@pytest.mark.parametrize("line", OURS, ids=str)
def test_a_command_can_be_parsed(line):
    assert parse(line.words[1:]).__module__.startswith("unequal.cli.")  # not the help of a group


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_within_sentences_exist(page):
    for words in inline_commands(page.read_text(encoding="utf-8")):
        said = list(takewhile(lambda word: word not in MORE, words))
        with suppress(MissingArgumentError):
            assert parse(said[1:]).__module__.startswith("unequal.cli.") or len(said) <= 2, words


def test_all_other_programs_are_known_and_their_targets_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in LINES:
        program, *rest = line.words
        assert program in OWN | FOREIGN, f"{line}: say in tests/shell_lines.py how this program is checked"
        if program == "make":
            assert set(rest) <= set(targets), line
        if program == "pip":
            for extras in re.findall(r"unequal\[([\w,-]+)\]", " ".join(rest)):
                assert set(extras.split(",")) <= set(project["optional-dependencies"]), line
        if program == "python":
            assert (ROOT / rest[0]).is_file(), line


def test_shell_lines_are_found_wherever_they_stand():
    page = """
Text with `unequal doctor` in it.

    unequal count --facts a \\
        --out b      # why
    # a comment alone

```bash
$ NAME=1 unequal doctor
```

```
unequal methods
```

```toml
unequal = "no"
```

```
1 | 2
```

    # a.toml
    launcher = "ray"

- a list

    continued, unequal as ever
"""
    found = [(line.number, " ".join(line.words)) for line in lines_of(page, "page")]
    assert found == [
        (4, "unequal count --facts a --out b"),
        (9, "unequal doctor"),
        (13, "unequal methods"),
    ]
    assert inline_commands(page) == [("unequal", "doctor")]
