"""Build the corpus of one pre-training seed and wording arm."""

from pathlib import Path
from typing import ClassVar

from unequal.corpus.settings import CorpusSettings
from unequal.facts.probes import PromptFormat
from unequal.facts.world.world import WorldSettings
from unequal.progress import Progress
from unequal.study.step import Step


class CorpusStep(Step):
    """From a world and an exposure plan to shards and their ledger."""

    kind: ClassVar[str] = "corpus"

    world: WorldSettings
    corpus: CorpusSettings
    prompts: PromptFormat

    @property
    def name(self) -> str:
        """Return the arm and seed."""
        return f"{self.corpus.wording}-seed{self.corpus.seed}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that make the corpus: this one alone."""
        return (self,)

    @property
    def wording(self) -> str:
        """The arm, for the score table."""
        return self.corpus.wording

    @property
    def vocabulary(self) -> int:
        """Estimated size of the vocabulary; one of whole words is taken to be of 1,000."""
        tokenizer = self.corpus.tokenizer
        return tokenizer.vocabulary_size if tokenizer.kind == "bpe" else 1000

    @property
    def n_tokens(self) -> float:
        """Estimated tokens of all windows."""
        people = sum(self.corpus.levels) * self.corpus.people_per_level
        people += self.corpus.retain_people * self.corpus.retain_level
        people += self.corpus.utility_people * sum(self.corpus.levels) // max(1, len(self.corpus.levels) - 1)
        tokens_per_sentence = 12 if self.corpus.tokenizer.kind == "word" else 18
        n_relations = float(len(self.world.relations))
        if self.corpus.factors and "facts_per_person" in self.corpus.factors.cross:
            n_relations = (n_relations + self.corpus.factors.few_facts) / 2  # half of the people have few
        biographies = people * n_relations * tokens_per_sentence
        return biographies * self.corpus.epochs * (1 + self.corpus.qa_ratio)

    @property
    def cost(self) -> float:
        """About 250,000 tokens a second."""
        return 2 + self.n_tokens / 250_000

    @property
    def memory(self) -> float:
        """On top of the libraries and the tokenizer's, about 110 bytes a token of an epoch."""
        return super().memory + 0.02 + 110 * self.n_tokens / self.corpus.epochs / 1e9

    @property
    def disk(self) -> float:
        """Two bytes a token in windows, and about one in packed text."""
        return 3 * self.n_tokens / 1e9

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:  # noqa: ARG002  has no inputs
        """Write the corpus into ``folder/data``."""
        from unequal.corpus.build import build_corpus

        build_corpus(self.world, self.corpus, self.prompts, folder / "data", progress)
