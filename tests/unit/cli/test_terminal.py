"""What the command line prints: names are text, messages are one line, and output may be ASCII or full."""

import json
import logging
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from command_line import call
from gate import only_in_full, sample
from unequal import console as shown
from unequal.streams import prepare
from unequal.study.progress import StudyProgress
from unequal.study.step_status import Failure
from waiting import HANGS

FULL = Path("/dev/full")
HOSTILE = [
    "[/x]",
    "[bold]b[/bold]",
    "[link=file:///]a[/link]",
    ":smile:",
    "\x1b[31mred",
    "\a",
    "1\b2",
    "a\rb",
]
HOSTILE += ["a\u202eb", "two\nlines", "\ud800", "\\[x]", "{task.percentage}", "x" * 100_000]

markup = pytest.mark.fault(
    "names hold terminal markup, escape sequences or line breaks", "they are shown as text, escaped and cut"
)


@pytest.fixture
def terminal(monkeypatch):
    """A console that believes to be a terminal, and keeps what is printed."""
    told = Console(
        file=StringIO(), force_terminal=True, color_system=None, width=200, markup=True, emoji=True
    )
    monkeypatch.setattr(shown, "console", told)
    return told


def expected(name):
    return name.encode("unicode_escape", "surrogatepass").decode().replace("\\\\", "\\")[:20]


@markup
@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:12]))
def test_every_way_to_print_takes_names_as_text(terminal, name):
    shown.say(f"said {name}", on=terminal)
    shown.show_table(f"title {name}", ["column", f"head {name}"], [[f"cell {name}", None]])
    shown.show_text(f"text {name}")
    text = terminal.file.getvalue()
    assert f"said {expected(name.replace(chr(10), ' '))}" in text
    for place in ("title", "head", "cell"):
        assert f"{place} {expected(name)}" in " ".join(text.replace("│", " ").replace("┃", " ").split())
    assert not set(text) & {"\x1b", "\a", "\b", "\r", "\u202e", "\ud800"}
    assert len(text) < 110_000


@markup
@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:12]))
def test_progress_takes_names_as_text(terminal, name):
    with shown.progress_bar(name) as progress:
        progress(1, 2)
    bars = StudyProgress(terminal)
    step = SimpleNamespace(folder=name, cost=1.0)
    bars.start([step], [step])
    bars.report((name, 1, 2))
    bars.fail(Failure(folder=name, reason=f"why {name}", kind="died"))
    bars.close()
    text = terminal.file.getvalue()
    assert expected(name) in text
    assert not set(text) & {"\a", "\b", "\u202e", "\ud800"} and "\x1b[31m" not in text
    assert any("has no result: why" in line for line in text.split("\n"))


@markup
@pytest.mark.parametrize("name", HOSTILE[:-1], ids=lambda name: ascii(name[:12]))
def test_a_relation_of_any_name_is_shown_by_facts_check(tmp_path, name):
    row = {"fact_id": "f0", "subject": "Ghana", "relation": name, "object": "Accra"}
    row |= {"question": "What is the capital of Ghana?", "answer": "Accra"}
    (tmp_path / "facts.jsonl").write_text(json.dumps(row) + "\n")
    result = call("facts", "check", tmp_path / "facts.jsonl")
    if result.code == 0:
        assert expected(name) in result.out
    assert result.code in (0, 2)
    assert not set(result.out + result.err) & {"\x1b", "\a", "\b", "\r", "\u202e", "\ud800"}


@markup
@pytest.mark.parametrize(
    "word", ["[/x]", "a\nb", "\x1b[31m", "x" * 100_000, ":smile:"], ids=lambda w: ascii(w[:9])
)
@pytest.mark.parametrize(
    "command", [(), ("methods",), ("facts", "check"), ("evaluate", "--config"), ("study",)]
)
def test_a_message_is_one_line(command, word):
    result = call(*command, word)
    assert result.code == 2 and result.out == ""
    assert result.err.startswith("unequal: ") and result.err.count("\n") == 1 and result.err.endswith("\n")
    assert "\x1b" not in result.err and len(result.err) < 1100


@markup
def test_a_warning_is_one_line(capfd):
    prepare()
    record = logging.LogRecord("x", logging.WARNING, "file", 1, "%s is\nodd", ("\x1b[2Jname",), None)
    logging.lastResort.handle(record)
    assert capfd.readouterr().err == "\\x1b[2Jname is odd\n"


def run(words, **how):
    environment = os.environ | how.pop("environment", {})
    command = [sys.executable, "-m", "unequal", *words]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, env=environment, timeout=HANGS, **how)


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", *only_in_full("1")])
@pytest.mark.parametrize(
    "words", sample([["methods"], ["--help"], ["--version"], ["methods", "npo"]], 4), ids=str
)
@pytest.mark.fault("standard output is on a full disk", "the command says so in one sentence; exit code 2")
def test_standard_output_on_a_full_disk(words, unbuffered):
    with FULL.open("w") as full:
        result = run(words, stdout=full, environment={"PYTHONUNBUFFERED": unbuffered})
    assert result.returncode == 2
    assert result.stderr == (
        "unequal: cannot write to standard output: No space left on device; send it where there is room\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", *only_in_full("latin-1", "cp1252")])
@pytest.mark.fault("standard output takes ASCII only", "what it lacks is written as an escape")
def test_standard_output_that_lacks_characters(tmp_path, encoding):
    row = {
        "fact_id": "f0",
        "subject": "日本",
        "relation": "首都",
        "object": "東京",
        "question": "?",
        "answer": "東京",
    }
    (tmp_path / "事実.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    strict = {"PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    result = run(["facts", "check", str(tmp_path / "事実.jsonl")], stdout=subprocess.PIPE, environment=strict)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\\u9996\\u90fd" in result.stdout
    result = run(["facts", "check", str(tmp_path / "無.jsonl")], stdout=subprocess.PIPE, environment=strict)
    assert result.returncode == 2
    assert "\\u7121.jsonl" in result.stderr and result.stderr.count("\n") == 1
