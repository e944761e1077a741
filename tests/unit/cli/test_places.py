"""No command writes over what it reads, and what cannot be written is said before any work."""

import os
from pathlib import Path

import pytest

from command_line import call, toml
from unequal.errors import UserError
from unequal.output_paths import Output, check_outputs

FACTS = "fact_id,subject,relation,object,question,answer\n1,Peru,capital,Lima,Capital?,Lima\n"

FAULT = pytest.mark.fault(
    "an output is an input, or a folder to be replaced that holds one",
    "the command refuses before any work; the input is as it was",
)
EARLY = pytest.mark.fault(
    "an output cannot be written: a file for a folder, a folder for a file, below a file, a device",
    "the command refuses in one sentence before any work and leaves nothing",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("facts.csv", "more.csv"):
        (tmp_path / name).write_text(FACTS)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "a.jsonl").write_text('{"text": "Lima, Peru"}\n')
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "config.json").write_text("{}")
    (tmp_path / "run" / "scores.parquet").write_text("scores")
    (tmp_path / "run" / "facts.csv").write_text(FACTS)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "scores.parquet").write_text("scores")
    (tmp_path / "link.csv").symlink_to("facts.csv")
    os.link(tmp_path / "facts.csv", tmp_path / "hard.csv")
    return tmp_path


def contents(folder):
    """Return every file below a folder with what it holds, and every folder."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def refused(folder, words, *named):
    before = contents(folder)
    result = call(*words)
    assert (result.code, result.out) == (2, ""), result
    assert "Traceback" not in result.err
    assert result.err.count("\n") == 1, result.err
    for name in named:
        assert name in result.err, result.err
    assert contents(folder) == before


COUNT = ("count", "--facts", "facts.csv", "--corpus", "shards/*.jsonl")


@FAULT
@pytest.mark.parametrize(
    "words",
    [
        (*COUNT, "--out", "facts.csv"),
        (*COUNT, "--out", "./shards/../facts.csv"),
        (*COUNT, "--out", "link.csv"),
        (*COUNT, "--out", "hard.csv"),
        (*COUNT, "--out", "shards/a.jsonl"),
        (*COUNT, "--out", "counts.parquet", "--report", "facts.csv"),
        (*COUNT, "--out", "counts.parquet", "--report", "shards/a.jsonl"),
        ("facts", "check", "more.csv", "--out", "more.csv"),
        ("facts", "import", "zsre", "more.csv", "--out", "more.csv"),
        ("facts", "import", "pararel", "facts.csv", "--patterns", "more.csv", "--out", "more.csv"),
        ("facts", "bucket", "--facts", "facts.csv", "--counts", "more.csv", "--out", "more.csv"),
        ("facts", "bucket", "--facts", "facts.csv", "--counts", "more.csv", "--out", "hard.csv"),
        ("plan", "fit", "--study", "study", "--out", "study/scores.parquet"),
        ("report", "study", "--out", "study/scores.parquet"),
        ("report", "run", "study", "--out", "study/scores.parquet"),
    ],
    ids=" ".join,
)
def test_no_command_writes_over_what_it_reads(words, folder):
    refused(folder, words, "would be written over")


@FAULT
@pytest.mark.parametrize(
    "words",
    [
        ("unlearn", "--model", "run/model", "--forget", "facts.csv", "--method", "npo", "--out", "run"),
        ("unlearn", "--model", "run/model", "--forget", "run/facts.csv", "--method", "npo", "--out", "run/"),
        ("unlearn", "--model", "study", "--forget", "x.unfinished/f.csv", "--method", "npo", "--out", "x"),
        ("audit", "--before", "run/model", "--after", "study", "--facts", "facts.csv", "--out", "run"),
        ("report", "study", "--paper", "study/.."),
    ],
    ids=" ".join,
)
def test_a_folder_with_an_input_is_not_replaced(words, folder):
    (folder / "x.unfinished").mkdir()
    (folder / "x.unfinished" / "f.csv").write_text(FACTS)
    refused(folder, words, "replaced as a whole")


@FAULT
@pytest.mark.parametrize("command", ["count", "tune", "evaluate"])
def test_the_file_of_settings_is_an_input(command, folder):
    settings = (
        {"facts": "facts.csv", "corpus": "shards/*.jsonl"} if command == "count" else {"model": "run/model"}
    )
    settings |= {
        "tune": {"forget": "facts.csv", "utility": "more.csv"},
        "evaluate": {"facts": "facts.csv"},
    }.get(command, {})
    settings |= {"method": {"kind": "npo"}} if command == "tune" else {}
    (folder / "run.toml").write_text(toml(settings))
    out = "." if command == "evaluate" else "run.toml"
    if command == "evaluate":
        (folder / "run.toml").rename(folder / "manifest.json")
    name = "manifest.json" if command == "evaluate" else "run.toml"
    refused(folder, (command, "--config", name, "--out", out), "is what --config names")


@FAULT
def test_two_outputs_are_two_places(folder):
    for other in ("counts.parquet", "./counts.parquet", "shards/../counts.parquet"):
        refused(folder, (*COUNT, "--out", "counts.parquet", "--report", other), "different places")


def test_a_corpus_is_not_trained_into(folder):
    words = ("pretrain", "--corpus", "study", "--family", "gpt2", "--size", "0.4M", "--out", "study/../study")
    refused(folder, words, "is what --corpus names")


UNLEARN = ("unlearn", "--model", "run/model", "--forget", "facts.csv", "--method", "npo")
MODEL = ("--model", "run/model")


@EARLY
@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((*COUNT, "--out", "study"), "it is a folder"),
        ((*COUNT, "--out", "more.csv/below/c.parquet"), "cannot write into more.csv/below"),
        ((*COUNT, "--out", "c.parquet", "--report", "study"), "it is a folder; choose another --report"),
        ((*COUNT, "--out", "c.parquet", "--report", "more.csv/page.html"), "choose another --report"),
        ((*COUNT, "--out", "/dev/null"), "no ordinary file"),
        ((*COUNT, "--out", "x" * 250), "more than 200 bytes"),
        ((*UNLEARN, "--out", "more.csv"), "it is a file"),
        ((*UNLEARN, "--out", "more.csv/out"), "cannot write into more.csv"),
        ((*UNLEARN, "--out", "study/.."), "the folder you are in"),
        ((*UNLEARN, "--out", "shards"), "holds other files"),
        (("evaluate", *MODEL, "--facts", "facts.csv", "--out", "more.csv"), "it is a file"),
        (
            ("attack", *MODEL, "--facts", "facts.csv", "--kind", "fewshot", "--out", "more.csv"),
            "it is a file",
        ),
        (
            ("audit", "--before", "a", "--after", "b", "--facts", "facts.csv", "--out", "more.csv"),
            "is a file",
        ),
        (
            (
                "tune",
                *MODEL,
                "--forget",
                "facts.csv",
                "--utility",
                "more.csv",
                "--method",
                "npo",
                "--out",
                "run",
            ),
            "it is a folder",
        ),
        (("plan", *MODEL, "--forget", "facts.csv", "--study", "study", "--out", "more.csv"), "it is a file"),
        (("plan", "fit", "--study", "study", "--out", "run"), "it is a folder"),
        (
            ("pretrain", "--corpus", "x", "--family", "gpt2", "--size", "0.4M", "--out", "more.csv"),
            "is a file",
        ),
        (("corpus", "--out", "more.csv"), "it is a file"),
        (("corpus", "--out", "more.csv/c"), "cannot write into more.csv"),
        (("lm-eval", *MODEL, "--tasks", "arc_easy", "--out", "run"), "it is a folder"),
        (("report", "study", "--out", "run"), "it is a folder"),
        (("report", "study", "--paper", "more.csv"), "name a folder with --paper"),
        (("report", "run", "study", "--out", "more.csv/x.html"), "cannot write into more.csv"),
        (("facts", "world", "--people", "3", "--out", "more.csv/x.csv"), "cannot write into more.csv"),
        (("facts", "check", "facts.csv", "--out", "x.txt"), "fact tables end in"),
        (("facts", "export-lm-eval", "facts.csv", "--out", "more.csv"), "it is a file"),
        (("facts", "export-lm-eval", "facts.csv", "--out", "shards"), "holds other files"),
    ],
    ids=lambda given: " ".join(given)[:60] if isinstance(given, tuple) else "",
)
def test_what_cannot_be_written_is_said_first(words, named, folder):
    refused(folder, words, named)


@EARLY
@pytest.mark.parametrize("words", [("study", "run", "run.toml", "--out", "more.csv")], ids=" ".join)
def test_a_study_is_refused_first_too(words, folder):
    (folder / "run.toml").write_text("")
    refused(folder, words, "it is a file")
    refused(folder, ("analyze", "nowhere"), "cannot read nowhere/scores.parquet: No such file")
    (folder / "study" / "analysis").mkdir()
    (folder / "study" / "analysis" / "notes.txt").write_text("mine")
    refused(folder, ("analyze", "study"), "holds other files")


@EARLY
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "xpu"])
def test_a_device_that_is_not_here_is_said_first(device, folder):
    torch = pytest.importorskip("torch")
    if torch.accelerator.is_available():
        pytest.skip("there is one here")
    (folder / "run.toml").write_text("")
    words = ("study", "run", "run.toml", "--out", "new", "--device", device)
    refused(folder, words, f"device {device}: torch finds none")


def test_names_that_differ_by_case_are_one_where_the_file_system_says_so(folder):
    (folder / "alike").mkdir()
    (folder / "ALIKE").symlink_to(folder / "alike")  # as where names differ by case and are one
    inside = [Output(Path("alike/Counts.html")), Output(Path("alike/counts.html"), "--report")]
    with pytest.raises(UserError, match="different places"):
        check_outputs(inside, {})
    check_outputs([Output(folder / "Counts.html"), Output(folder / "counts.html", "--report")], {})


def test_probing_leaves_nothing_behind(folder):
    before = contents(folder)
    check_outputs([Output(Path("new/deep/out"), kind="folder"), Output(Path("new/x.json"))], {})
    assert contents(folder) == before
