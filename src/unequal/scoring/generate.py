"""The generation pass: greedy answers in batches of equal prompt length, so that nothing is ever padded."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from unequal.facts.probes import Probe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH_SIZE = 256
EXTRA_TOKENS = 4  # generated beyond the longest accepted answer, so that a wrong ending shows


class GenerationPass:
    """Prompts made ready once, to be continued again and again while a model changes."""

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", probes: Sequence[Probe], batch_size: int = BATCH_SIZE
    ) -> None:
        self._tokenizer = tokenizer
        prompts = [tokenizer(probe.prompt)["input_ids"] for probe in probes]
        self._limits = [_token_limit(tokenizer, probe) for probe in probes]
        buckets: dict[int, list[int]] = defaultdict(list)
        for index in sorted(range(len(probes)), key=lambda i: self._limits[i]):
            buckets[len(prompts[index])].append(index)
        self._batches = [
            (indices, torch.tensor([prompts[index] for index in indices]))
            for bucket in buckets.values()
            for start in range(0, len(bucket), batch_size)
            for indices in [bucket[start : start + batch_size]]
        ]

    def run(self, model: PreTrainedModel) -> list[str]:
        """Return the greedy continuation of each probe's prompt, in order, without the prompt.

        A text ends at the end-of-text token or some tokens after the length of the fact's longest
        accepted answer; it depends on the probe alone, not on the others in its batch.
        """
        texts = [""] * len(self._limits)
        end = self._tokenizer.eos_token_id
        for indices, ids in self._batches:
            longest = max(self._limits[index] for index in indices)
            rows = _greedy(model, ids.to(model.device), longest, end)
            for index, row in zip(indices, rows, strict=True):
                texts[index] = _decode(self._tokenizer, row[: self._limits[index]])
        return texts


def generate(
    model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", probes: Sequence[Probe]
) -> list[str]:
    """Return the texts of a `GenerationPass` that is run once."""
    return GenerationPass(tokenizer, probes).run(model)


def _token_limit(tokenizer: "PreTrainedTokenizerBase", probe: Probe) -> int:
    answers = tokenizer([f" {text}" for text in probe.accepted], add_special_tokens=False)["input_ids"]
    return max(map(len, answers)) + EXTRA_TOKENS


@torch.inference_mode()
def _greedy(model: PreTrainedModel, ids: Tensor, n_tokens: int, end: int) -> list[list[int]]:
    """Return up to ``n_tokens`` greedy token ids for each row of ``ids`` ``(batch, prompt)``."""
    cache = DynamicCache(config=model.config)
    rows: list[Tensor] = []
    finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    step = ids
    for _ in range(n_tokens):
        logits = model(input_ids=step, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        step = logits[:, -1].argmax(-1, keepdim=True)
        rows.append(step)
        finished |= step.squeeze(1) == end
        if bool(finished.all()):
            break
    return torch.cat(rows, dim=1).tolist()


def _decode(tokenizer: "PreTrainedTokenizerBase", ids: list[int]) -> str:
    if tokenizer.eos_token_id in ids:
        ids = ids[: ids.index(tokenizer.eos_token_id)]
    return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()
