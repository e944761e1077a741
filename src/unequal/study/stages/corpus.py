"""The stage ``unequal corpus``: a corpus folder from a world and an exposure plan."""

from pathlib import Path

from pydantic import Field

from unequal.checksums import write_checked_json
from unequal.corpus.settings import CorpusSettings
from unequal.facts.probes import PromptFormat
from unequal.facts.world.world import WorldSettings
from unequal.files import lock_of, locked
from unequal.manifest import manifest
from unequal.output_paths import Output, check_settings
from unequal.progress import Progress
from unequal.strict import StrictModel


class CorpusCommand(StrictModel):
    """Settings of ``unequal corpus``."""

    out: Path = Field(
        description="folder of the corpus to write; an existing corpus there is replaced as a whole"
    )
    world: WorldSettings = WorldSettings()
    corpus: CorpusSettings = CorpusSettings()
    prompts: PromptFormat = PromptFormat()

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out, kind="whole", made="corpus.json")]


def run_corpus(settings: CorpusCommand, progress: Progress) -> None:
    """Build the corpus folder ``settings.out``; an existing one is replaced as a whole."""
    from unequal.corpus.build import build_corpus

    check_settings(settings)
    with locked(lock_of(settings.out), f"building {settings.out}"):
        build_corpus(settings.world, settings.corpus, settings.prompts, settings.out, progress)
        made_from = settings.model_dump(mode="json", exclude={"out"})
        write_checked_json(settings.out / "manifest.json", {"settings": made_from, **manifest()})
