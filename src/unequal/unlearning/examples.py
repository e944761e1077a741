"""Training examples: facts as token ids, and the token scores of many examples from one forward pass."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat, after_statement
from unequal.facts.schema import Fact
from unequal.models.capabilities import capabilities_of
from unequal.models.distributed import n_processes, run_distributed
from unequal.oom import current_batch_size
from unequal.scoring.encoding import Encoder, Tokenizer, encode
from unequal.scoring.logits import log_probs_at, logits_at
from unequal.scoring.packing import laid_out
from unequal.unlearning.method import TokenScores

_AT_ONCE = 16  # examples under a frozen model: more are no faster on a CPU and take more memory


@dataclass(frozen=True)
class Example:
    """Token ids of a prompt with its answer; ``span`` is the part whose tokens are scored."""

    ids: list[int]
    span: tuple[int, int]

    def of_prompt(self) -> "Example":
        """Return the example cut to its prompt, with every prompt token but the first scored."""
        return Example(self.ids[: self.span[0]], (1, self.span[0]))

    @property
    def n_tokens(self) -> int:
        """How many tokens are scored."""
        return self.span[1] - self.span[0]


class FactEncoder:
    """Facts encoded as training examples in one prompt format; each text is tokenised once."""

    def __init__(self, tokenizer: Tokenizer, prompts: PromptFormat) -> None:
        self._encoder = Encoder.of(tokenizer)
        self._prompts = prompts

    @property
    def padding(self) -> int:
        """The id of the padding token."""
        return self._encoder.padding

    def answer(
        self, fact: Fact, answer: str, end: bool, before: str = "", is_sentence: bool = False
    ) -> Example:
        """Return the fact's question with an answer; with ``end`` what ends an answer is part of it.

        ``before`` is a text that stands before the question. An answer that is a sentence of its own, such as
        a refusal, follows the question at once, any other where the prompt format says.
        """
        prompt = before + self._prompts.prompt(fact.question, fact)
        statement = "" if is_sentence else self._prompts.statement_of(fact)
        prompt, chat = after_statement(prompt, self._prompts.chat_of(fact), statement)
        encoded = encode(self._encoder, prompt, [answer], end, chat)
        ids = encoded.prompt + encoded.continuations[0]
        return Example(ids, (len(encoded.prompt), len(ids)))

    def own_answers(self, facts: Iterable[Fact], end: bool = False, before: str = "") -> list[Example]:
        """Return each fact's question with the fact's own answer."""
        return [self.answer(fact, fact.answer, end, before) for fact in facts]


def score_examples(
    model: PreTrainedModel, examples: Sequence[Example], padding: int, whole: bool = False
) -> TokenScores:
    """Return the scores of each example's span, with its distributions if ``whole``."""
    return score_groups(model, {"": examples}, padding, ("",) if whole else ())[""]


def score_groups(
    model: PreTrainedModel,
    groups: Mapping[str, Sequence[Example]],
    padding: int,
    whole: Collection[str] = (),
) -> dict[str, TokenScores]:
    """Return the scores of every group of examples from one pass; the head is applied at their spans only.

    The distributions of groups in ``whole`` are kept.
    """
    examples = [example for group in groups.values() for example in group]
    lengths = {name: [example.n_tokens for example in group] for name, group in groups.items()}
    scored = [token for example in examples for token in example.ids[slice(*example.span)]]
    targets = torch.tensor(scored, device=model.device)
    capabilities_of(model).check_passes()  # now, since the model then runs as a whole
    chosen_alone = not any(name in groups for name in whole)
    inputs = [example.ids[:-1] for example in examples]
    spans = [(example.span[0] - 1, example.span[1] - 1) for example in examples]
    with laid_out(model, inputs, spans, padding) as layout:
        at = (model, layout.input_ids, layout.rows, layout.places)
        if chosen_alone:
            values = log_probs_at(*at, targets, **layout.extra)
        else:
            values = logits_at(*at, **layout.extra)
    sizes = [sum(group) for group in lengths.values()]
    found = {}
    for name, own, ids in zip(groups, torch.split(values, sizes), torch.split(targets, sizes), strict=True):
        columns = (own, ids) if chosen_alone else _of_logits(own, ids, name in whole)
        mask = _mask(lengths[name]).to(model.device)
        log_probs, *others = (_padded(column, mask) for column in columns)
        found[name] = TokenScores(log_probs, mask, *others)
    return found


def _of_logits(logits: Tensor, targets: Tensor, whole: bool) -> tuple[Tensor, ...]:
    """Return the targets' log-probabilities and ids; if ``whole``, all of them and normalisers."""
    log_probabilities = logits.log_softmax(1)
    chosen = log_probabilities.gather(1, targets[:, None]).squeeze(1)
    if not whole:
        return chosen, targets
    return chosen, targets, log_probabilities, logits.gather(1, targets[:, None]).squeeze(1) - chosen


def _mask(lengths: list[int]) -> Tensor:
    """Return where examples of these lengths have tokens, ``(examples, longest)``."""
    return torch.arange(max(lengths, default=0)) < torch.tensor(lengths)[:, None]


def _padded(values: Tensor, mask: Tensor) -> Tensor:
    """Return values ``(n, …)``, in order, where the mask ``(examples, longest)`` is true, and 0 elsewhere."""
    return values.new_zeros(*mask.shape, *values.shape[1:]).index_put_((mask,), values)


@torch.no_grad()
def score_in_batches(
    model: PreTrainedModel, examples: Sequence[Example], padding: int, whole: bool = False
) -> list[TokenScores]:
    """Return the scores of each example alone, ``(1, tokens)``, without gradients; for frozen models.

    Processes share the work, except for whole distributions, which are too large to send.
    """
    model.eval()
    order = sorted(range(len(examples)), key=lambda index: len(examples[index].ids))
    size = current_batch_size(_AT_ONCE)
    batches = [order[start : start + size] for start in range(0, len(examples), size)]

    def scored(indices: list[int]) -> dict[int, TokenScores]:
        scores = score_examples(model, [examples[index] for index in indices], padding, whole)
        return {index: scores.part(place, place + 1) for place, index in enumerate(indices)}

    if whole or n_processes() == 1:
        found = {index: score for batch in batches for index, score in scored(batch).items()}
        return [found[index] for index in range(len(examples))]
    parts = run_distributed(
        model, batches, lambda part: {i: score.to("cpu") for i, score in scored(part).items()}
    )
    return [parts[index].to(model.device) for index in range(len(examples))]


def answer_probabilities(model: PreTrainedModel, examples: Sequence[Example], padding: int) -> Tensor:
    """Return the probability per token, exp(−S/n), of each example's answer, ``(examples,)``, on the CPU."""
    scores = score_in_batches(model, examples, padding)
    return torch.stack([(-one.mean_nll).exp()[0] for one in scores]).cpu()


def stack(scores: Sequence[TokenScores]) -> TokenScores:
    """Return scores of single examples as one padded batch."""

    def padded(parts: list[Tensor | None]) -> Tensor | None:
        given = [part[0] for part in parts if part is not None]
        return pad_sequence(given, batch_first=True) if given else None

    log_probs = pad_sequence([one.log_probs[0] for one in scores], batch_first=True)
    mask = pad_sequence([one.mask[0] for one in scores], batch_first=True)
    others = ("targets", "distributions", "log_normalisers")
    return TokenScores(log_probs, mask, *(padded([getattr(one, name) for one in scores]) for name in others))
