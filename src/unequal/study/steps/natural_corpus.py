"""Build the training corpus of a natural study for one pre-training seed."""

from pathlib import Path
from typing import ClassVar

from unequal.corpus.natural import NaturalCorpusSettings
from unequal.facts.probes import PromptFormat
from unequal.facts.table import read_facts
from unequal.facts.wordings import read_wordings
from unequal.progress import Progress
from unequal.study.step import Step
from unequal.study.steps.split import SplitStep
from unequal.study.steps.text import TextStep


class NaturalCorpusStep(Step):
    """From text, and facts with their roles, to shards and their ledger."""

    kind: ClassVar[str] = "corpus"

    split: SplitStep
    corpus: NaturalCorpusSettings
    prompts: PromptFormat
    seed: int

    @property
    def text(self) -> TextStep:
        """The step that took the documents from the text."""
        if self.split.counts.text is None:
            raise TypeError("the facts of a natural corpus are counted in its text")
        return self.split.counts.text

    @property
    def steps(self) -> tuple[Step, ...]:
        """Those of the facts, and this one."""
        return (*self.split.steps, self)

    @property
    def wording(self) -> str:
        """The arm, for the score table: ``natural`` text, or ``stated`` in proportion to its counts."""
        return "stated" if self.corpus.statements else "natural"

    @property
    def name(self) -> str:
        """Return the arm and seed."""
        return f"{self.wording}-seed{self.seed}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The documents and the facts."""
        return (self.text.folder, self.split.folder)

    @property
    def vocabulary(self) -> int:
        """The size of the vocabulary."""
        return self.corpus.vocabulary_size

    @property
    def n_tokens(self) -> float:
        """Estimated tokens of all windows; counts are not known yet when statements are to be rendered."""
        return self.text.n_tokens * self.corpus.epochs * (1 + self.corpus.qa_ratio)

    @property
    def cost(self) -> float:
        """About 150,000 tokens a second."""
        return 5 + self.n_tokens / 150_000

    @property
    def memory(self) -> float:
        """On top of the libraries, about 110 bytes a token of an epoch: texts, windows, pieces to merge."""
        return super().memory + 110 * self.n_tokens / self.corpus.epochs / 1e9

    @property
    def disk(self) -> float:
        """Two bytes a token in windows, and about two in packed text."""
        return 4 * self.n_tokens / 1e9

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write the corpus into ``folder/data``."""
        from unequal.corpus.extract_text import read_text
        from unequal.corpus.natural import NaturalSource, build_natural_corpus

        facts = read_facts(study / self.split.folder / "facts.parquet")
        texts = list(read_text(study / self.text.file))
        wordings = read_wordings(self.split.counts.facts.facts.wordings)
        source = NaturalSource(texts, facts, self.corpus, self.prompts, wordings, self.seed)
        build_natural_corpus(source, folder / "data", progress)
