"""Prompt and answer as token ids: the one place that decides where a prompt ends and its answer begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unequal.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt and the continuations that share it, as token ids."""

    prompt: list[int]
    continuations: list[list[int]]

    @property
    def longest(self) -> int:
        """The number of tokens of the prompt with its longest continuation."""
        return len(self.prompt) + max(map(len, self.continuations))


def encode(
    tokenizer: "PreTrainedTokenizerBase", prompt: str, continuations: Sequence[str], end: bool = False
) -> EncodedPrompt:
    """Return the ids of a prompt and of each continuation, which follows after one space.

    Prompt and continuation are tokenised together, since an answer may tokenise differently after a
    space; the prompt ends where all of them (and the prompt alone) still agree. With ``end`` each
    continuation closes with the end-of-text token. Raises `DataError` when no token is left to the prompt.
    """
    separator = "" if prompt.endswith((" ", "\n")) else " "
    texts = [prompt, *(f"{prompt}{separator}{text}" for text in continuations)]
    alone, *together = tokenizer(texts)["input_ids"]
    cut = min([len(alone), *(_common_prefix(alone, ids) for ids in together)])
    if not cut:
        raise DataError(f"the prompt {prompt!r} leaves no token before its answers; begin it with more text")
    closing = [tokenizer.eos_token_id] if end else []
    return EncodedPrompt(alone[:cut], [ids[cut:] + closing for ids in together])


def _common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many leading ids agree; at least one id of ``second`` is left to be scored."""
    longest = min(len(first), len(second) - 1)
    return next((i for i in range(longest) if first[i] != second[i]), longest)


def room(model: "PreTrainedModel", n_tokens: int) -> int | None:
    """Return how many tokens may follow so many in the model's window, None without bound.

    Raises `DataError` when there are too many already.
    """
    window: int | None = getattr(model.config, "max_position_embeddings", None)
    if window is None:
        return None
    if n_tokens > window:
        raise DataError(
            f"a prompt with its answer has {n_tokens} tokens, but the model's window has {window};"
            " shorten it, or leave out its kind of probe"
        )
    return window - n_tokens


def length_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return indices grouped by similar length, each group at most ``budget`` padded tokens (or one row)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
