"""The index on disk: whole or absent, reused, and safe from what would make the package crash."""

import json
import logging
import random
import signal
import subprocess
import sys

import pytest

from count_cases import make_fact, write_shard
from flipped_bytes import flipped

pytest.importorskip("infini_gram")

from command_line import tree
from unequal.counting.infinigram import index_build
from unequal.counting.infinigram.index import LocalIndex
from unequal.counting.infinigram.index_build import build_index
from unequal.counting.infinigram.local import LocalCounter
from unequal.errors import DataError

FACT = make_fact("a", "b")

KILLED = """
import os, signal, sys
from pathlib import Path
from unequal.counting.infinigram import index_build
from unequal.counting.infinigram.local import LocalCounter
index_build._indexer = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
LocalCounter(corpus=sys.argv[1], window=9, index_dir=Path(sys.argv[2])).index
"""


@pytest.fixture
def shard(tmp_path):
    return write_shard(tmp_path / "shard.jsonl", ["a b", "a"])


def counter(shard, index_dir, **settings):
    return LocalCounter(corpus=str(shard), window=9, index_dir=index_dir, **settings)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_finished_index_is_reused(shard, tmp_path):
    first = counter(shard, tmp_path / "indexes").count([FACT])
    (index,) = [tmp_path / "indexes" / name for name in visible(tmp_path / "indexes")]
    before = tree(index)
    assert counter(shard, tmp_path / "indexes").count([FACT]) == first
    assert tree(index) == before


def test_another_corpus_or_key_has_an_index_of_its_own(shard, tmp_path):
    indexes = tmp_path / "indexes"
    counts = []
    for text, text_key in [("a", "text"), ("a", "title"), ("a a a", "text")]:
        shard.write_text(json.dumps({"text": text, "title": "a a"}))
        counts += counter(shard, indexes, text_key=text_key).count([FACT])
    assert [count.subject_count for count in counts] == [1, 2, 3]
    assert len(visible(indexes)) == 3


def test_a_killed_build_is_no_index_and_the_next_one_clears_it(shard, tmp_path):
    indexes = tmp_path / "indexes"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(shard), str(indexes)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert visible(indexes) == []
    assert list(indexes.glob(".*.tmp"))
    assert counter(shard, indexes).count([FACT])[0].subject_count == 2
    assert not list(indexes.glob(".*.tmp"))


def test_a_failed_build_leaves_nothing(shard, tmp_path, monkeypatch):
    monkeypatch.setattr(index_build, "suffix_width", lambda _: 99)
    with pytest.raises(DataError, match=r"infini-gram (failed at|wrote a broken)"):
        counter(shard, tmp_path / "indexes").count([FACT])
    assert visible(tmp_path / "indexes") == []
    assert not list((tmp_path / "indexes").glob(".*.tmp"))


def test_a_shard_that_changes_meanwhile_is_refused(shard, tmp_path):
    late = counter(shard, tmp_path / "indexes")
    assert late.source.corpus_id
    write_shard(shard, ["a c"])
    with pytest.raises(DataError, match=r"shard\.jsonl changed while it was indexed"):
        late.count([FACT])
    assert visible(tmp_path / "indexes") == []


def test_a_broken_shard_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "shard.jsonl").write_text('{"text": "a"}\n{"text"')
    with pytest.raises(DataError, match=r"shard\.jsonl:2: not valid JSON"):
        counter(tmp_path / "shard.jsonl", tmp_path / "indexes").count([FACT])
    assert visible(tmp_path / "indexes") == []


@pytest.mark.fault("a kept index of a corpus is cut, or a byte flips", "it is built again, with a note")
@pytest.mark.parametrize(
    "name", ["table.0", "tokenized.0", "offset.0", "words.0", "vocabulary.txt", "index.json", "SHA256SUMS"]
)
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_index_is_built_again(shard, tmp_path, name, harm, caplog):
    first = counter(shard, tmp_path / "indexes")
    counts = first.count([FACT])
    damaged = first.index.folder / name
    data = damaged.read_bytes()
    if harm == "remove":
        damaged.unlink()
    else:
        half = len(data) // 2
        damaged.write_bytes(data[:-1] if harm == "cut" else flipped(data, half))
    assert counter(shard, tmp_path / "indexes").count([FACT]) == counts
    (note,) = caplog.messages
    assert note.startswith(f"the index {first.index.folder} is damaged (")
    assert damaged.exists()


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(shard, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write into"):
        counter(shard, tmp_path / "file" / "indexes").count([FACT])


@pytest.mark.parametrize("name", ["tables of offsets", "tokenized metadata; $(false) 'x'", "unigram"])
def test_any_folder_name_will_do(shard, tmp_path, name):
    """The package tells its files apart by words in the whole path, and its own command uses a shell."""
    assert counter(shard, tmp_path / name).count([FACT])[0].subject_count == 2


def test_parts_are_merged_into_one_suffix_array(tmp_path, caplog):
    """Texts longer than one part, as corpora beyond 128 MiB of tokens are."""
    generator = random.Random(3)
    words = [f"w{number}" for number in range(50)]
    documents = [" ".join(generator.choices(words, k=400)) for _ in range(700)]
    shard = write_shard(tmp_path / "shard.jsonl", documents)
    with caplog.at_level(logging.INFO):
        folder = build_index(counter(shard, tmp_path)._hashed, "text", tmp_path / "indexes", part=200_000)
    index = LocalIndex(folder)
    assert index.n_tokens * 2 > 500_000
    text = "\n".join(documents).replace("\n", " | ").split()
    for name in ("w7", "w7 w8", "w49 w0", "w7 w8 w9"):
        run = name.split()
        expected = sum(text[at : at + len(run)] == run for at in range(len(text)))
        start, end = index.find(name)
        assert len(start) == len(set(start.tolist())) == expected
        assert set((end - start).tolist()) <= {len(run)}


def test_words_and_documents_of_every_token(tmp_path):
    generator = random.Random(5)
    documents = [" ".join(generator.choices(["a", "b", ",", "zz-z", "京都"], k=90)) for _ in range(9)]
    shard = write_shard(tmp_path / "shard.jsonl", documents)
    index = counter(shard, tmp_path / "indexes").index
    start, _ = index.find("a")
    start.sort()
    words, numbers, before = [], [], 0
    for number, document in enumerate(documents):
        for piece in document.split():
            if piece == "a":
                words.append(before)
                numbers.append(number)
            before += {"a": 1, "b": 1, ",": 0, "zz-z": 2, "京都": 2}[piece]
    assert index.words_before(start).tolist() == words
    assert index.documents(start).tolist() == numbers
