"""LoRA adapters: low-rank matrices trained beside the frozen parameters of a model."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal
from warnings import catch_warnings, simplefilter

from pydantic import Field

from unequal.errors import ConfigError, DataError, MissingExtraError
from unequal.strict import PositiveInt, StrictModel

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

_MIXED_BY_KERNEL = "out_proj"
"""State-space layers read this weight inside a kernel of their own, where an adapter would go unseen."""


class AdapterSettings(StrictModel):
    """LoRA (Hu et al. 2021, arXiv 2106.09685): W + (α/r)·B·A in place of W, B being 0 at the start."""

    rank: PositiveInt = Field(default=16, description="rank r of the LoRA adapter")
    alpha: PositiveInt = Field(default=32, description="α; the adapter is scaled by α/r")
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="dropout on the input of the adapter")
    target_modules: Literal["all-linear"] | tuple[str, ...] = Field(
        default="all-linear",
        description="all linear layers but the head and state-space kernels', or those of these names",
    )


def require_peft() -> None:
    """Raise `MissingExtraError` when the library of the extra ``peft`` is not installed."""
    if find_spec("peft") is None:
        raise MissingExtraError("training an adapter", "peft")


class Adapter:
    """A LoRA adapter in a model, whose own parameters are frozen while it is there.

    The model is changed in place and goes on being of its class. Raises `ConfigError` when it has none of the
    modules, `MissingExtraError` without peft.
    """

    def __init__(self, model: "PreTrainedModel", settings: AdapterSettings, seed: int) -> None:
        require_peft()
        import torch
        from transformers.pytorch_utils import Conv1D

        from unequal.models.quantised import silence_bitsandbytes

        silence_bitsandbytes()  # which peft loads
        from peft import LoraConfig, LoraModel

        linear = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear | Conv1D)}
        targets = settings.target_modules
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            exclude_modules=[_MIXED_BY_KERNEL]
            if targets == "all-linear" and _has_state_space(model)
            else None,
            fan_in_fan_out=any(isinstance(module, Conv1D) for module in linear.values()),
        )
        self._own = [weight for weight in model.parameters() if weight.requires_grad]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                self._tuner = LoraModel(model, config, "default")
            except ValueError as error:
                reason = str(error).splitlines()[0]
                names = sorted({name.rsplit(".", 1)[-1] for name in linear})
                raise ConfigError(
                    f"no adapter fits this model: {reason}; set target_modules to some of its linear layers"
                    f" ({', '.join(names)})"
                ) from error

    @contextmanager
    def off(self) -> Iterator[None]:
        """Disable the adapter while the block runs; the model then is, bit for bit, the one before it."""
        self._tuner.disable_adapter_layers()
        try:
            yield
        finally:
            self._tuner.enable_adapter_layers()

    def merge(self) -> None:
        """Merge the adapter into the model's own parameters, which may be trained again, and remove it.

        Quantised parameters become the float32 numbers that they stood for, so that the model stays the one
        that was trained; the values before quantisation are not restored.
        """
        from unequal.models.fsdp import is_sharded
        from unequal.models.quantised import dequantise

        dequantise(self._tuner)
        if is_sharded(self._tuner.model):
            self._merge_into_parts()
            self._tuner.unload()
        else:
            self._tuner.merge_and_unload()
        for weight in self._own:
            weight.requires_grad_(True)

    def _merge_into_parts(self) -> None:
        """Merge the adapter into the shards of the parameters that this process holds."""
        from peft.tuners.lora import LoraLayer

        from unequal.models.fsdp import local, sharded_like

        for module in self._tuner.model.modules():
            if isinstance(module, LoraLayer):
                weight = module.get_base_layer().weight
                change = sharded_like(module.get_delta_weight("default"), weight)
                local(weight.detach()).add_(local(change))


def _has_state_space(model: "PreTrainedModel") -> bool:
    return any("mamba" in f"{name} {type(module).__name__}".lower() for name, module in model.named_modules())


@contextmanager
def adapters_unseen() -> Iterator[None]:
    """Keep transformers from loading an adapter beside a model while the block runs."""
    from transformers import modeling_utils
    from transformers.models.auto import auto_factory

    seen = auto_factory.is_peft_available, modeling_utils.maybe_load_adapters
    auto_factory.is_peft_available = lambda: False
    modeling_utils.maybe_load_adapters = lambda name, _settings, **more: (None, name, more)
    try:
        yield
    finally:
        auto_factory.is_peft_available, modeling_utils.maybe_load_adapters = seen


def merge_saved(model: "PreTrainedModel", folder: "Path", name_or_path: "str | Path") -> None:
    """Add the adapter in a folder to the model's own parameters, in place.

    Raises `DataError` when the adapter is not one of this model or cannot be merged, `MissingExtraError`
    without peft.
    """
    require_peft()
    import torch

    from unequal.models.hub_snapshot import ADAPTER_SETTINGS
    from unequal.models.quantised import silence_bitsandbytes
    from unequal.models.reasons import explained

    silence_bitsandbytes()  # which peft loads
    from peft import PeftConfig, get_peft_model, load_peft_weights, set_peft_model_state_dict

    with explained("an adapter", name_or_path, (ADAPTER_SETTINGS,)), torch.no_grad(), catch_warnings():
        simplefilter("ignore")  # peft's, of what is deprecated
        config = PeftConfig.from_pretrained(str(folder))
        if config.is_prompt_learning:
            raise DataError(
                f"the adapter in {name_or_path} ({config.peft_type.value}) adds to what is asked and not to"
                " the parameters, so it cannot be merged; move its files away"
            )
        config.inference_mode, config.base_model_name_or_path = True, None  # else it warns of another name
        wrapped = get_peft_model(model, config)
        values = load_peft_weights(str(folder), device="cpu")
        found = set_peft_model_state_dict(wrapped, values)
        absent = [name for name in found.missing_keys if wrapped.base_model.prefix in name]
        wrong = sorted([*found.unexpected_keys, *absent])
        if wrong or not values:
            raise DataError(
                f"the adapter in {name_or_path} does not fit the model: {len(wrong)} of its parameters are"
                f" missing or not used, such as {wrong[0] if wrong else 'all'}"
            )
        wrapped.merge_and_unload(safe_merge=True)
    logger.warning("note: the adapter in %s is merged into the model", name_or_path)
    for weight in model.parameters():
        weight.requires_grad_(True)
