"""Runtime capability checks (causal? plain LM head? KV cache?) for architectures without a special case.

A configuration does not tell all that an architecture does, so each check runs a few tokens through the model
and compares logits. Results are cached per model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from unequal.models.configuration import text_config, window_of
from unequal.models.fsdp import is_sharded, run_forward
from unequal.models.kv_cache import decode_step, prefill
from unequal.models.packed_attention import mask_inputs, packed_rows

_CACHE = "_capabilities"  # in the model's own dictionary, so that copies have it too
_KNOWN = frozenset(
    ["gpt2", "gpt_neox", "llama", "mistral", "phi3", "olmo", "olmo2", "olmo3", "qwen2", "qwen3", "gemma2",
     "gemma3_text", "mixtral", "olmoe", "qwen3_moe"]
)  # fmt: skip
"""Model types whose configuration tells all about their attention; any other is checked at run time."""
_BRANCH = 4  # tokens beyond the prompt, in the check of shared prefixes

Check = Callable[[PreTrainedModel], bool]


@dataclass(frozen=True)
class Capabilities:
    """What a model supports; each check runs when it is first requested and is then cached on the model.

    Checks run in evaluation mode and without gradients. A model that fails in a check does not support what
    was checked, but for ``causal`` and ``finite``, which raise its error. Processes that share a sharded
    model must all request a check at once.
    """

    model: PreTrainedModel

    def check_passes(self) -> None:
        """Run the checks that every scoring and generation pass requests."""
        _ = self.plain_head, self.kv_cache

    @property
    def causal(self) -> bool:
        """Whether a token's logits do not depend on the tokens after it."""
        return _cached(self.model, "causal", _is_causal)

    @property
    def finite(self) -> bool:
        """Whether logits are finite but for tokens that the model rules out with -∞."""
        return _cached(self.model, "finite", _gives_finite_logits)

    @property
    def plain_head(self) -> bool:
        """Whether logits are the head applied to the last hidden states: not scaled, capped or changed."""
        return _supports(self.model, "plain head", _has_plain_head)

    @property
    def kv_cache(self) -> bool:
        """Whether decoding with the KV cache, or the state, gives what reading all tokens again gives."""
        return _supports(self.model, "kv cache", _cache_works)

    @property
    def left_padding(self) -> bool:
        """Whether decoding with the KV cache gives the same for rows that are padded on the left."""
        return self.kv_cache and _supports(self.model, "left padding", _padding_is_ignored)

    def supports_shared_prefix(self, longest: int) -> bool:
        """Return whether answers may share their prompt in one row, through our attention mask and positions.

        Not so where a state runs along the row (state-space and hybrid models), where distances are counted
        along it (ALiBi), where a kernel takes no mask of ours (flash attention), or where a sliding window is
        shorter than the ``longest`` row, since our mask would widen it.
        """
        model = self.model
        return (
            {"attention_mask", "position_ids"} <= set(signature(model.forward).parameters)
            and not getattr(text_config(model), "alibi", False)
            and model.config._attn_implementation in ("sdpa", "eager")
            and all(_sees_all(layer, longest) for layer in _cache_layers(model))
            and _supports_length(
                model, f"shared prefix, {model.config._attn_implementation}", _prefix_is_shared, longest
            )
        )

    def supports_packing(self, longest: int) -> bool:
        """Return whether rows up to ``longest`` may be packed into one without padding, by `packed_rows`."""
        model = self.model
        compiled = getattr(model.base_model, "_compiled_call_impl", None) is not None
        recomputing = any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        return (
            model.config._attn_implementation == "sdpa"
            and model._supports_attention_backend
            and not (compiled or recomputing)  # what runs later would be outside the block
            and self.supports_shared_prefix(longest)
            and _supports_length(model, "packing", _packed_rows_are_apart, longest)
        )


def capabilities_of(model: PreTrainedModel) -> Capabilities:
    """Return what a model supports, as found by runtime checks that are cached on it."""
    return Capabilities(model)


def _cached(model: PreTrainedModel, name: str, check: Check) -> bool:
    results: dict[str, bool] = model.__dict__.setdefault(_CACHE, {})
    if name not in results:
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                results[name] = check(model)
        finally:
            model.train(training)
    return results[name]


def _supports(model: PreTrainedModel, name: str, check: Check) -> bool:
    """Return the result of a check, False where the model fails."""

    def guarded(model: PreTrainedModel) -> bool:
        try:
            return check(model)
        except Exception:  # whatever a model does with inputs that it was not made for
            return False

    return _cached(model, name, guarded)


def _supports_length(
    model: PreTrainedModel, name: str, check: Callable[[PreTrainedModel, int], bool], longest: int
) -> bool:
    """Return whether the model passes a check with rows that long; known model types need none.

    A sharded model is not checked, since not all of its processes may have rows that long.
    """
    if model.config.model_type in _KNOWN:
        return True
    if is_sharded(model):
        return False
    length = max(8, 1 << (longest - 1).bit_length())
    if window := window_of(model):
        length = max(1, min(length, window - _BRANCH))
    return _supports(model, f"{name}, {length}", lambda model: check(model, length))


def _is_causal(model: PreTrainedModel) -> bool:
    longer, part = (_logits(model, _token_ids(model, n_tokens)) for n_tokens in (6, 4))
    return (longer[:4] - part).abs().max().item() <= _tolerance(model) * part.std().item() + 1e-6


def _gives_finite_logits(model: PreTrainedModel) -> bool:
    logits = _logits(model, _token_ids(model, 4))
    return not bool(logits.isnan().any() or logits.isposinf().any() or logits.isneginf().all(-1).any())


def _has_plain_head(model: PreTrainedModel) -> bool:
    ids = torch.arange(4, device=model.device)[None]  # the first may be all zeros

    def by_head() -> Tensor:
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        logits: Tensor = model.get_output_embeddings()(states)
        return logits

    expected = run_forward(model, by_head)
    logits = run_forward(model, lambda: model(input_ids=ids, use_cache=False).logits)
    return torch.equal(logits.float(), expected.float())


def _cache_works(model: PreTrainedModel) -> bool:
    """Prefill three rows, keep two of them, and decode two tokens."""
    ids = _token_ids(model, 8)
    rows = torch.tensor([ids[0:4], ids[1:5], ids[2:6]], device=model.device)
    _, cache = prefill(model, rows)
    if cache is None:
        return False
    cache.select(torch.tensor([2, 0], device=model.device))
    for token in ids[6:]:
        found = decode_step(model, cache, torch.full((2,), token, device=model.device)).double()
    right, other = (_logits(model, [*rows[row].tolist(), *ids[6:]])[-1] for row in (2, 0))
    return _agree(model, found[0], right, other) and _agree(model, found[1], other, right)


def _padding_is_ignored(model: PreTrainedModel) -> bool:
    """Prefill three rows of several lengths, keep two of them, and decode two tokens."""
    if not {"attention_mask", "position_ids"} <= set(signature(model.forward).parameters):
        return False
    ids = _token_ids(model, 8)
    rows = [ids[0:6], ids[1:4], ids[2:7]]
    filled = torch.tensor([[ids[7]] * (6 - len(row)) + row for row in rows], device=model.device)
    lengths = torch.tensor([len(row) for row in rows], device=model.device)
    mask = torch.arange(6, device=model.device) >= 6 - lengths[:, None]
    _, cache = prefill(model, filled, mask=mask)
    if cache is None:
        return False
    cache.select(torch.tensor([1, 0], device=model.device))
    for token in ids[6:]:
        found = decode_step(model, cache, torch.full((2,), token, device=model.device)).double()
    short, long = (_logits(model, [*rows[row], *ids[6:]])[-1] for row in (1, 0))
    return _agree(model, found[0], short, long) and _agree(model, found[1], long, short)


def _prefix_is_shared(model: PreTrainedModel, length: int) -> bool:
    """Read a prompt and two branches in one row; the last must see the prompt and no other branch."""
    ids = _token_ids(model, 2 * length + 2)
    mask = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    mask[-2:, length:-2] = False
    branches = [length + place % _BRANCH for place in range(length)]
    positions = torch.tensor([[*range(length), *branches, length, length + 1]])
    found = _logits(model, ids, **mask_inputs(model, mask[None, None], positions))
    right = _logits(model, [*ids[:length], *ids[-2:]])
    unmasked = _logits(model, ids, position_ids=positions.to(model.device))
    return _agree(model, found[-2:], right[-2:], unmasked[-2:]) and _agree(
        model, found[:length], right[:length], right[1 : length + 1]
    )


def _packed_rows_are_apart(model: PreTrainedModel, length: int) -> bool:
    """Read two rows in one, with and without a shared prefix; the second must not see the first."""
    ids = _token_ids(model, length + 3)
    found, right, wrong = [], [], []
    for shared in (0, 2):
        rows = (ids[shared:3], ids[3 : length + 3 - shared])
        begun = [[*ids[:shared], *row] for row in rows]
        places = [torch.arange(shared), *(torch.arange(shared, len(row)) for row in begun)]
        positions = torch.cat(places)[None].to(model.device)
        together = [*ids[:shared], *rows[0], *rows[1]]
        with packed_rows(model, [len(row) for row in rows], shared=shared):
            found.append(_logits(model, together, position_ids=positions)[shared:])
        right.append(torch.cat([_logits(model, row)[shared:] for row in begun]))
        wrong.append(_logits(model, together)[shared:])
    return _agree(model, *map(torch.cat, (found, right, wrong)))


def _cache_layers(model: PreTrainedModel) -> list[Any]:
    """Return the layers of the model's KV cache; none is known where it cannot be made."""
    try:
        return list(DynamicCache(config=model.config).layers)
    except Exception:  # configurations that say of their layers what a cache does not know
        return [None]


def _sees_all(layer: Any, longest: int) -> bool:
    if isinstance(layer, DynamicSlidingWindowLayer):
        return type(layer) is DynamicSlidingWindowLayer and layer.sliding_window >= longest
    return type(layer) is DynamicLayer


def _token_ids(model: PreTrainedModel, n_tokens: int) -> list[int]:
    """Return ids of different tokens from the middle of the vocabulary, few of which are special there."""
    size = int(model.get_input_embeddings().weight.shape[0])
    return [(size // 2 + place) % size for place in range(n_tokens)]


def _logits(model: PreTrainedModel, ids: list[int], **inputs: Tensor) -> Tensor:
    """Return the logits ``(seq, vocab)`` of one row."""
    row = torch.tensor([ids], device=model.device)
    found: Tensor = run_forward(model, lambda: model(input_ids=row, use_cache=False, **inputs).logits)
    return found[0].double()


def _agree(model: PreTrainedModel, found: Tensor, right: Tensor, wrong: Tensor) -> bool:
    """Return whether logits equal the right ones but for rounding, compared with wrong ones."""
    off, apart = ((one - right).abs().max().item() for one in (found, wrong))
    return off <= _tolerance(model) * apart + 1e-6


def _tolerance(model: PreTrainedModel) -> float:
    return 0.01 if model.dtype in (torch.float32, torch.float64) else 0.15
