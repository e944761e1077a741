"""Logit lens: rank and probability of the answer's first token from the hidden state after every layer."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import polars as pl

from unequal.attacks.attack import Attack, AttackContext
from unequal.attacks.evaluate import TOO_LONG, Found, fits, question, rows
from unequal.scoring.encoding import encode_probe

if TYPE_CHECKING:
    from torch import Tensor


class LogitLens(Attack):
    """Sends the state at the end of the question, after each layer, through the final norm and the head.

    The rank of the answer's first token at the layer where it stands highest (0 is the most probable token),
    its probability where it is largest, and the first layer, counted from 1, of that best rank. A best of
    many layers is better than one layer's by chance; the never-seen facts show by how much.
    """

    title: ClassVar[str] = "Logit lens"
    shows: ClassVar[str] = "whether a layer still knows the answer that the last one hides"
    source: ClassVar[str] = "nostalgebraist (2020); as an attack: Patil et al. (2023), arXiv 2309.17410"
    metrics: ClassVar[tuple[str, ...]] = ("first_token_rank", "first_token_prob", "layer")

    kind: Literal["lens"] = "lens"

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows; a lower rank means better known. Raises `DataError` as `lens_logits` does."""
        from unequal.attacks.hidden_states import last_states, lens_logits

        asked = [question(context, fact) for fact in context.attacked]
        kept = [probe for probe in asked if fits(context, probe)]
        found: dict[str, dict[str, Found]] = {
            probe.fact_id: dict.fromkeys(self.metrics, (None, TOO_LONG)) for probe in asked
        }
        encoded = [encode_probe(context.tokenizer, replace(probe, distractors=())) for probe in kept]
        prompts = [item.prompt for item in encoded]
        if kept:
            states = last_states(context.model, prompts, int(context.tokenizer.pad_token_id))
            logits = lens_logits(context.model, states)
            for index, (probe, item) in enumerate(zip(kept, encoded, strict=True)):
                values = _best(logits[:, index], item.continuations[0][0])
                found[probe.fact_id] = dict(zip(self.metrics, values, strict=True))
        return rows(self, context, found)


def _best(logits: "Tensor", token: int) -> list[Found]:
    """Return the best rank, the largest probability and the layer of the rank from ``(layers, vocab)``."""
    if not bool(logits.isfinite().all()):
        return [(None, "a logit is not a number")] * 3
    right = logits[:, token]
    ranks = (logits > right[:, None]).sum(1).tolist()
    probability = (right - logits.logsumexp(1)).exp().max().item()
    return [(value, None) for value in (float(min(ranks)), probability, ranks.index(min(ranks)) + 1.0)]
