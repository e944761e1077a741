"""Tokenisation of prompt and answer: the one place that decides where a prompt ends and its answer begins.

In plain text an answer follows after one space and ends with the end-of-text token. What the tokenizer puts
before a text, such as a begin-of-text token, stands there once; tokens that it puts after one are excluded.
In a chat the template decides all of it, and an answer ends with the special tokens that the template puts
after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from unequal.errors import DataError
from unequal.facts.probes import Chat, Probe
from unequal.scoring.chat import chat_text, check_ordinary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Ids = list[int]


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt and the continuations that share it, as token ids."""

    prompt: Ids
    continuations: list[Ids]

    @property
    def longest(self) -> int:
        """The number of tokens of the prompt with its longest continuation."""
        return len(self.prompt) + max(map(len, self.continuations))


@dataclass(frozen=True)
class OpenPrompt:
    """A prompt to be continued with at most ``limit`` tokens, up to one of the tokens in ``ends`` or the
    strings in ``stops``."""

    ids: Ids
    limit: int
    ends: frozenset[int]
    stops: tuple[str, ...] = ()


class Encoder:
    """Memoising tokenizer: the token ids of texts, each text tokenised once however often it is asked for.

    Where a function or class of this package takes a tokenizer, it takes an encoder as well, so that training
    and evaluation can share what was tokenised.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.tokenizer = tokenizer
        self._bare: dict[str, Ids] = {}

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerBase | Encoder") -> "Encoder":
        """Return the encoder of a tokenizer; an encoder is its own."""
        return tokenizer if isinstance(tokenizer, Encoder) else cls(tokenizer)

    @property
    def padding(self) -> int:
        """The id of the padding token."""
        return int(self.tokenizer.pad_token_id)

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of each text, without special tokens around it."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._bare]:
            found = self.tokenizer(new, add_special_tokens=False)["input_ids"]
            self._bare.update(zip(new, found, strict=True))
        return [self._bare[text] for text in texts]

    def beginning(self, text: str) -> Ids:
        """Return the special tokens that the tokenizer puts before a text (a fast one always the same)."""
        if self.tokenizer.is_fast:
            return self._beginning
        return _put_before(self.ids([text])[0], self.tokenizer(text)["input_ids"])

    @cached_property
    def _beginning(self) -> Ids:
        if not self.tokenizer.num_special_tokens_to_add():
            return []
        return _put_before(self.ids(["a"])[0], self.tokenizer("a")["input_ids"])


Tokenizer: TypeAlias = "PreTrainedTokenizerBase | Encoder"


@dataclass(frozen=True)
class _Tokens:
    """The ids of a prompt alone, of the prompt with each answer, and what closes each answer."""

    alone: Ids
    together: list[Ids]
    closings: list[Ids]


def encode(
    tokenizer: Tokenizer,
    prompt: str,
    continuations: Sequence[str],
    end: bool = False,
    chat: Chat | None = None,
) -> EncodedPrompt:
    """Return the ids of a prompt and of each continuation; with ``end`` each closes as answers do.

    Prompt and continuation are tokenised together, since an answer may tokenise differently after a
    space; the prompt ends where all of them (and the prompt alone) still agree. Raises `DataError` when no
    token is left to the prompt, or where nothing can end a text.
    """
    found = _tokenise(Encoder.of(tokenizer), prompt, continuations, chat)
    cut = _agreed(found.alone, found.together)
    if not cut:
        raise DataError(f"the prompt {prompt!r} leaves no token before its answers; begin it with more text")
    if not end:
        return EncodedPrompt(found.alone[:cut], [ids[cut:] for ids in found.together])
    if not all(found.closings):
        raise DataError("this tokenizer has no end-of-text token, so no answer can be taught to end")
    rows = zip(found.together, found.closings, strict=True)
    return EncodedPrompt(found.alone[:cut], [ids[cut:] + closing for ids, closing in rows])


def encode_probe(tokenizer: Tokenizer, probe: Probe) -> EncodedPrompt:
    """Return the ids of a probe's prompt and of its right and wrong answers, the right one first."""
    prompt, chat = probe.scored
    return encode(tokenizer, prompt, (probe.answer, *probe.distractors), chat=chat)


def open_prompt(tokenizer: Tokenizer, probe: Probe) -> OpenPrompt:
    """Return a probe's prompt to be continued: the very tokens after which its answers are scored.

    Only where answers change the words at the prompt's end, not just the space there, are they the prompt's
    own. The limit is the longest accepted answer and the probe's ``extra_tokens``. A string that an accepted
    answer holds, such as the line breaks of a poem, does not end it.
    """
    encoder = Encoder.of(tokenizer)
    scored = (probe.answer, *probe.distractors)
    found = _tokenise(encoder, probe.prompt, (*scored, *probe.accepted), probe.chat)
    cut = _agreed(found.alone, found.together[: len(scored)])
    if not cut or encoder.tokenizer.decode(found.alone[cut:]).strip():
        cut = len(found.alone)
    longest = max(map(len, found.together[len(scored) :] or found.together[:1]))
    specials, end_of_text = _special_ids(encoder.tokenizer), encoder.tokenizer.eos_token_id
    ends = {token for closing in found.closings for token in closing if token in specials}
    if end_of_text is not None:
        ends.add(end_of_text)
    stops = tuple(text for text in probe.stops if not any(text in one for one in probe.accepted))
    return OpenPrompt(found.alone[:cut], max(longest - cut, 0) + probe.extra_tokens, frozenset(ends), stops)


def has_chat_template(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether the tokenizer has a chat template."""
    return bool(tokenizer.chat_template)


def _tokenise(encoder: Encoder, prompt: str, answers: Sequence[str], chat: Chat | None) -> _Tokens:
    if chat is not None:
        return _tokenise_chat(encoder, prompt, answers, chat)
    separator = "" if prompt.endswith((" ", "\n")) else " "
    texts = [prompt, *(f"{prompt}{separator}{text}" for text in answers)]
    bare = encoder.ids(texts)
    first = encoder.beginning(texts[-1])
    alone, *together = (ids if ids[: len(first)] == first else first + ids for ids in bare)
    end_of_text = encoder.tokenizer.eos_token_id
    closing = [] if end_of_text is None else [end_of_text]
    return _Tokens(alone, together, [closing] * len(together))


def _put_before(bare: Ids, given: Ids) -> Ids:
    """Return the ids before a text's own ids ``bare`` in those with special tokens around them."""
    added = len(given) - len(bare)
    start = next((i for i in range(added + 1) if given[i : i + len(bare)] == bare), added)
    return given[:start]


def _tokenise_chat(encoder: Encoder, prompt: str, answers: Sequence[str], chat: Chat) -> _Tokens:
    tokenizer = encoder.tokenizer
    check_ordinary(tokenizer, *answers)
    text = chat_text(tokenizer, prompt, chat)
    answered = [text.before + answer.strip() for answer in answers]
    parts = [text.prompt, *answered, *(one + text.after for one in answered)]
    alone, *others = encoder.ids(parts)
    together, closed = others[: len(answers)], others[len(answers) :]
    closings = [_closing(tokenizer, *pair) for pair in zip(together, closed, strict=True)]
    return _Tokens(alone, together, closings)


def _closing(tokenizer: "PreTrainedTokenizerBase", answered: Ids, closed: Ids) -> Ids:
    """Return the ids up to the last of the special tokens that follow an answer first.

    Where the template puts none there it is the end-of-text token. White space that the answer's last token
    would swallow is left out.
    """
    specials = _special_ids(tokenizer)
    same = _common_prefix(answered, closed)
    after = closed[same:]
    start = next((i for i, token in enumerate(after) if token in specials), None)
    if start is None:
        return [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    stop = next((i for i in range(start, len(after)) if after[i] not in specials), len(after))
    return after[0 if same == len(answered) else start : stop]


def _special_ids(tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    """Return the ids of tokens that are no text; one that stands for what is unknown only if it is more."""
    added = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    unknown = {tokenizer.unk_token_id} - {tokenizer.bos_token_id, tokenizer.eos_token_id}
    return (added | set(tokenizer.all_special_ids)) - unknown


def _agreed(alone: Ids, together: Sequence[Ids]) -> int:
    """Return how many ids all rows begin with alike, of each at least one id being left to be scored."""
    return min([len(alone), *(_common_prefix(alone, ids[:-1]) for ids in together)])


def _common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many leading ids agree."""
    longest = min(len(first), len(second))
    return next((i for i in range(longest) if first[i] != second[i]), longest)


def room(model: "PreTrainedModel", n_tokens: int) -> int | None:
    """Return how many tokens may follow so many in the model's window, None without bound.

    Raises `DataError` when there are too many already.
    """
    from unequal.models.configuration import window_of

    window = window_of(model)
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
