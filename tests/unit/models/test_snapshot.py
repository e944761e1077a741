"""Snapshots: which files of a model are taken, what tells them apart, and what is refused."""

import json

import numpy as np
import pytest

from unequal.errors import DataError
from unequal.models.hub_snapshot import (
    check_safe,
    count_weights,
    fingerprint,
    is_folder,
    named_weights,
    take_snapshot,
)


def weights_file(tensors):
    """The bytes of a safetensors file, by its published layout."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        begin = len(data)
        data += tensor.astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


TENSORS = {"a": np.arange(60_000).reshape(200, 300), "b": np.ones(7)}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "olmo"}')
    (path / "tokenizer.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights_file(TENSORS))
    (path / "modeling_own.py").write_text("raise SystemExit")
    (path / "optimizer.pt").write_bytes(b"x")
    return path


def test_a_folder_is_hashed_file_by_file_without_code_or_pickles(folder):
    found = take_snapshot(str(folder), None)
    assert [file.name for file in found.files] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (found.folder, found.revision, found.model_type) == (folder, None, "olmo")
    assert found.n_weights == count_weights(folder) == 60_007
    assert found.verified() == folder
    assert type(found).model_validate(found.model_dump(mode="json")) == found


def test_a_flipped_byte_or_a_lost_file_is_told(folder):
    found = take_snapshot(str(folder), None)
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    path.write_bytes(data)  # written anew, but the same
    assert found.verified() == folder
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"model\.safetensors is not the file that the study began with"):
        found.verified()
    path.unlink()
    with pytest.raises(DataError, match="cannot read"):
        found.verified()


def test_a_fingerprint_is_of_the_content_alone(folder, tmp_path):
    before = fingerprint(folder)
    other = folder.rename(tmp_path / "elsewhere")
    assert fingerprint(other) == before
    (other / "modeling_own.py").write_text("another")
    assert fingerprint(other) == before
    tuned = {**TENSORS, "a": TENSORS["a"] + 0.5}
    (other / "model.safetensors").write_bytes(weights_file(tuned))
    assert fingerprint(other) != before
    (other / "model.safetensors").write_bytes(weights_file(TENSORS))
    (other / "config.json").write_text('{"model_type": "olmo2"}')
    assert fingerprint(other) != before


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["config.json", "pytorch_model.bin"], r"pickled weights only \(pytorch_model\.bin\)"),
        (["config.json", "model.pt", "consolidated.pth"], r"pickled weights only \(consolidated\.pth\)"),
        (["config.json"], r"holds no weights \(\*\.safetensors\)"),
        (["model.safetensors"], r"no config\.json"),
    ],
)
def test_a_model_without_safe_weights_is_refused(names, expected):
    with pytest.raises(DataError, match=expected):
        check_safe("some/model", names)
    check_safe("some/model", ["config.json", "pytorch_model.bin", "model-00001-of-00002.safetensors"])


def test_a_file_that_is_no_safetensors_is_named(folder):
    (folder / "model.safetensors").write_bytes(b"\x00" * 4)
    with pytest.raises(DataError, match=r"model\.safetensors is not a safetensors file"):
        fingerprint(folder)
    (folder / "model.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + b"{")
    with pytest.raises(DataError, match="is not a safetensors file"):
        count_weights(folder)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EleutherAI/pythia-70m-deduped", 70_000_000),
        ("EleutherAI/pythia-1.4b", 1_400_000_000),
        ("allenai/OLMo-7B-0724-SFT-hf", 7_000_000_000),
        ("allenai/OLMo-2-0425-1B-Instruct", 1_000_000_000),
        ("state-spaces/mamba-130m-hf", 130_000_000),
        ("gpt2", None),
        ("someone/bert-base-12b4", None),
    ],
)
def test_names_tell_their_weights(name, expected):
    assert named_weights(name) == expected


def test_a_path_that_is_not_there_is_no_hub_name(tmp_path):
    assert is_folder(str(tmp_path))
    assert not is_folder("allenai/OLMo-2-0425-1B")
    for model in (str(tmp_path / "none"), "./none", "deep/er/none", "none", "../up/none"):
        with pytest.raises(DataError, match="there is no folder"):
            is_folder(model)
