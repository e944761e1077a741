"""Texts as probes, so that perplexity on a slice of text rests on the same pass as everything else."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from unequal.errors import DataError
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import Probe
from unequal.scoring.log_probs import AnswerPass

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def text_probe(text_id: str, text: str) -> Probe:
    """Return a probe whose prompt is the text's first word, and its answer the rest.

    Raises `DataError` for a text of fewer than two words.
    """
    first, *rest = text.split(maxsplit=1)[:2] or [""]
    if not rest:
        raise DataError(f"text {text_id}: it has fewer than two words, so that nothing can be predicted")
    return Probe(text_id, "cloze", 0, first, rest[0], (rest[0],), ())


def text_records(
    model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]
) -> list[ProbeRecord]:
    """Return a record of each text with the scores of all but its first word, for `slice_perplexity`.

    A text must fit the model's window.
    """
    probes = [text_probe(str(place), text) for place, text in enumerate(texts)]
    scores = AnswerPass(tokenizer, probes).run(model.eval())
    return [ProbeRecord(probe, scores=score) for probe, score in zip(probes, scores, strict=True)]
