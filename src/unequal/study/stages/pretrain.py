"""The stage ``unequal pretrain``: a model trained from scratch on a corpus folder."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from unequal.files import lock_of, locked, write_json
from unequal.manifest import manifest
from unequal.models.compute_settings import DeviceSettings
from unequal.models.shapes import ModelSettings
from unequal.models.stored_prompts import PROMPTS_FILE
from unequal.oom import retry_with_smaller_batches
from unequal.output_paths import Output, check_settings
from unequal.progress import Progress
from unequal.records import read_object
from unequal.strict import Seed
from unequal.training.settings import PretrainSettings


class PretrainCommand(DeviceSettings):
    """Settings of ``unequal pretrain``."""

    corpus: Path = Field(description="folder of a corpus, as unequal corpus writes it")
    out: Path = Field(description="folder to write; its folder model is loadable by transformers")
    model: ModelSettings
    pretrain: PretrainSettings = PretrainSettings()
    seed: Seed = Field(default=0, description="seed of the initial parameters")
    checkpoint_every: int = Field(
        default=200, ge=1, description="steps between checkpoints, from which an interrupted run continues"
    )

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out, kind="folder"), Output(self.out / "model", kind="whole")]


@retry_with_smaller_batches
def run_pretrain(settings: PretrainCommand, progress: Progress) -> Path:
    """Train and return the model folder ``out/model``.

    Goes on from a checkpoint of the same settings and corpus, and does nothing where that was finished.
    """
    from unequal.corpus.shards import TokenWindows
    from unequal.models.device import choose_device
    from unequal.models.distributed import is_main_process, on_main_process
    from unequal.study.claim import claimed
    from unequal.training.pretrain import pretrain

    check_settings(settings)
    choose_device(settings.device)
    card = TokenWindows(settings.corpus).card  # refuse what is no whole corpus before anything is written
    settings.model.require_memory(card.vocabulary_size)
    resolved = settings.model_dump(mode="json", exclude={"checkpoint_every", "device"})
    resolved["corpus_made_from"] = _made_from(settings.corpus / "manifest.json")
    lock = on_main_process(locked(lock_of(settings.out), f"training in {settings.out}"))
    with lock, claimed(settings.out, resolved) as finished:
        if not finished:
            pretrain(
                settings.model, settings.corpus, settings.pretrain, settings.seed, settings.out,
                settings.checkpoint_every, progress,
            )  # fmt: skip
            if is_main_process():
                _store_prompts(resolved["corpus_made_from"], settings.out / "model")
                write_json(settings.out / "manifest.json", manifest())
    return settings.out / "model"


def _made_from(corpus_manifest: Path) -> object:
    """Return the settings that a corpus was made from, None where it does not say."""
    if not corpus_manifest.is_file():
        return None
    return read_object(corpus_manifest, "build the corpus anew").get("settings")


def _store_prompts(corpus_made_from: object, folder: Path) -> None:
    """Store the prompt format of a corpus with the model that was trained on it, if the corpus says it."""
    if isinstance(corpus_made_from, Mapping) and (prompts := corpus_made_from.get("prompts")):
        write_json(folder / PROMPTS_FILE, prompts)
