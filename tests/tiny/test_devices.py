"""Where models are computed: the device of a name, the cards of workers, and the flags of a study."""

import os

import pytest
import torch

from command_line import call, toml
from study_settings import changed
from unequal import workers
from unequal.errors import ConfigError
from unequal.files import write_json, write_text
from unequal.models.compute_settings import DEVICE_VARIABLE
from unequal.models.device import choose_device, process_state
from unequal.study.runner import describe, study_of
from unequal.study.sources import load_study
from unequal.workers import Workers


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """Leave the choice as it was, for the tests after."""
    monkeypatch.setenv(DEVICE_VARIABLE, "auto")
    yield
    monkeypatch.undo()
    process_state()


@pytest.fixture
def two_cards(monkeypatch):
    """A machine on which torch finds two cards; the ones that were made current."""
    current = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setattr(torch.accelerator, "set_device_index", current.append)
    return current


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "study.toml"
    write_text(path, toml(changed()))
    return path


@pytest.mark.parametrize(
    ("name", "worker", "card"),
    [
        ("auto", None, 0),
        ("auto", 1, 1),
        ("cuda", 2, 0),
        ("cuda", 3, 1),
        ("cuda:1", None, 1),
        ("cuda:1", 2, 1),
    ],
)
def test_workers_take_the_cards_in_turn_unless_one_is_named(name, worker, card, two_cards, monkeypatch):
    monkeypatch.setattr(workers, "number", lambda: worker)
    choose_device(name)
    assert process_state().device == torch.device("cuda", card)
    assert set(two_cards) == {card}


def test_a_machine_with_cards_computes_on_the_cpu_when_told(two_cards):
    choose_device("cpu")
    assert process_state().device == torch.device("cpu")
    assert os.environ[DEVICE_VARIABLE] == "cpu"  # which worker processes inherit


def test_a_card_that_is_not_there_is_refused_and_the_choice_stays(two_cards):
    with pytest.raises(ConfigError, match="device cuda:2: torch finds 2 of that kind here; use cpu, or auto"):
        choose_device("cuda:2")
    with pytest.raises(ConfigError, match="device mps: torch finds none of that kind here"):
        choose_device("mps")
    assert os.environ[DEVICE_VARIABLE] == "auto"


def test_one_card_for_several_processes_is_refused(two_cards, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="each of several processes takes the card of its own number"):
        choose_device("cuda:1")


def _number(die_first):
    if die_first:
        os._exit(1)
    return workers.number()


@pytest.mark.full
def test_workers_are_numbered_and_one_that_takes_the_place_of_another_has_its_number():
    found = {}
    with Workers[str](2, lambda _report: None) as crew:
        for key, dies in (("a", False), ("dies", True), ("b", False), ("c", False)):
            crew.submit(key, _number, dies)
        while crew.running:
            for key, future in crew.finished():
                found[key] = None if key == "dies" else future.result()
    assert set(found) == {"a", "dies", "b", "c"}
    assert {found[key] for key in "abc"} <= {0, 1}
    assert workers.number() is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "gpu"], "it should be auto, cpu, mps, cuda, xpu, or a card such as cuda:1"),
        (["--workers-per-gpu", 2, "--device", "cpu"], "device cpu has no GPU here; use --workers"),
        (["--workers-per-gpu", 2, "--workers", 2], "give either --workers or --workers-per-gpu, not both"),
        (["--workers-per-gpu", 0], "--workers-per-gpu must be at least 1, not 0"),
        (["--launcher", "ray", "--device", "cpu"], "are of this machine; leave them out, or --launcher"),
        (["--precision", "bf17"], "it should be 'fp32', 'bf16' or 'bf16-pure'"),
    ],
    ids=str,
)
def test_flags_of_a_study_that_cannot_be_are_explained(words, said, study_file, tmp_path):
    result = call("study", "run", study_file, "--out", tmp_path / "out", "--dry-run", *words)
    assert result.code == 2
    assert said in result.err
    assert not (tmp_path / "out").exists()


def test_each_card_has_as_many_workers_as_are_asked_for(two_cards, study_file, tmp_path):
    words = ("study", "run", study_file, "--out", tmp_path / "out", "--dry-run")
    assert "with 2 workers" in " ".join(call(*words).out.split())
    assert "with 6 workers" in " ".join(call(*words, "--workers-per-gpu", 3).out.split())
    one_card = call(*words, "--workers-per-gpu", 3, "--device", "cuda:1")
    assert "with 3 workers" in " ".join(one_card.out.split())


def test_flags_stand_on_top_of_the_run_file_and_are_known_to_whoever_reads_the_study(study_file, tmp_path):
    flags = {"pretrain.precision": "bf16", "precisions": ["bf16"], "unlearn.compile": None}
    settings = load_study(study_file, flags)
    assert settings.precisions == ("bf16",)
    assert settings.pretrain.precision == "bf16"
    described = describe(settings, study_file, tmp_path, flags)
    assert described["commands"][0].endswith(f"--out {tmp_path} --precision bf16")
    write_json(tmp_path / "study.json", described)
    assert study_of(tmp_path) == settings != load_study(study_file)


def test_flags_of_pre_training_say_nothing_where_nothing_is_pre_trained(tmp_path):
    grid = {
        "source": "checkpoints", "name": "small", "methods": ["npo"], "targets": [{"relation": "capital"}],
        "facts": {"tables": [{"file": "country-capital"}]},
        "checkpoints": [{"model": "someone/m", "start": "base"}],
        "counts": {"engine": "infinigram-api", "index": "v4_dolma-v1_7_llama"},
    }  # fmt: skip
    write_text(tmp_path / "study.toml", toml(grid))
    settings = load_study(tmp_path / "study.toml", {"pretrain.precision": "bf16", "precisions": ["bf16"]})
    assert settings.precisions == ("bf16",)
