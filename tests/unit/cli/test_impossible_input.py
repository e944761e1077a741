"""What no command can work with, through the real command line: one line, exit code 2, nothing written."""

import json

import pytest

from command_line import call, tree

pytestmark = pytest.mark.fault(
    "a command is given paths, numbers or files that cannot be",
    "one line, exit code 2, nothing is written",
)

FACT = {
    "fact_id": "a", "subject": "Ada", "relation": "city", "object": "Rome", "question": "Q?",
    "answer": "Rome",
}  # fmt: skip
COUNT = ("count", "--facts", "facts.jsonl", "--corpus", "corpus.jsonl", "--out")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts.jsonl").write_text(json.dumps(FACT) + "\n")
    (tmp_path / "long.jsonl").write_text(json.dumps(FACT | {"subject": "A" * 10**6}) + "\n")
    (tmp_path / "corpus.jsonl").write_text('{"text": "Ada was born in Rome."}\n')
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000)
    (tmp_path / "digits.toml").write_text(f"a = {'9' * 6000}")
    (tmp_path / "nul.toml").write_text('out = "a\\u0000b"')
    (tmp_path / "words.toml").write_text('[corpus.tokenizer]\nkind = "bpe"\nvocabulary_size = 1000000000')
    (tmp_path / "infinite.toml").write_text("[unlearn]\nclip_norm = inf")
    (tmp_path / "good.toml").write_text(
        'name = "q"\nmethods = ["npo"]\ntargets = [{relation = "birth_city"}]\n'
        'models = [{family = "gpt2", size = "0.1M"}]\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((*COUNT, "."), "out: . is a folder; name a file"),
        ((*COUNT, "x" * 300), "a name should have at most 255"),
        ((*COUNT, "o.parquet", "--window", str(2**63)), "64 bits; it should have at most 63"),
        (("count", "--facts", "long.jsonl", *COUNT[3:], "o.parquet"), "fact 'a': the name"),
        (("facts", "check", "x/" * 5000), "found a path of 9999 bytes"),
        (("analyze", "a\0b"), "the character NUL"),
        (("corpus", "--out", "o", "--seed", "-1"), "corpus.seed: found -1"),
        (("corpus", "--out", "o", "--seed", str(10**30)), "100 bits; it should have at most 63"),
        (("corpus", "--out", "o", "--config", "deep.toml"), "too deep"),
        (("corpus", "--out", "o", "--config", "digits.toml"), "too many digits"),
        (("corpus", "--config", "nul.toml"), "out: found a text with the character NUL"),
        (("corpus", "--out", "o", "--config", "words.toml"), "vocabulary_size: found 1000000000"),
        (("unlearn", "--out", "o", "--config", "infinite.toml"), "unlearn.clip_norm: found inf"),
        (("evaluate", "--model", "m" * 300, "--facts", "facts.jsonl", "--out", "o"), "a name of 300 bytes"),
        (("doctor", "--study", "good.toml", "--out", "facts.jsonl"), "a file is in the way"),
        (("report", "study", "--out", "."), "--out . is the folder you are in, or one above; name a file"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_in_one_line(words, named, here):
    before = tree(here)
    result = call(*words)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("unequal: ")
    assert result.err.count("\n") == 1
    assert named in result.err
    assert len(result.err) < 2500
    assert tree(here) == before
