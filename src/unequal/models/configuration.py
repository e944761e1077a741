"""The configuration of a model or of its text part, and its ``use_cache``, off while a model is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel

_OWN = "_own_use_cache"


def text_config(model: PreTrainedModel) -> PreTrainedConfig:
    """Return the text configuration (``text_config``), which in most models is that of the whole model."""
    return text_part(model.config)


def text_part(config: PreTrainedConfig) -> PreTrainedConfig:
    """Return the text part of a configuration."""
    found: PreTrainedConfig = config.get_text_config()
    return found


def window_of(model: PreTrainedModel) -> int | None:
    """Return the context length by the model's configuration, None where it does not tell."""
    found = getattr(text_config(model), "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


def disable_cache(model: PreTrainedModel) -> None:
    """Turn ``use_cache`` off, so that passes make no KV cache unless they request it; see `as_it_was`."""
    before: list[Any] = []
    for config in _parts(model):
        before.append(config.use_cache)
        config.use_cache = False
    setattr(model, _OWN, before)


@contextmanager
def as_it_was(model: PreTrainedModel) -> Iterator[None]:
    """Restore the configuration's own ``use_cache`` while the block runs, for a model that is saved."""
    before = getattr(model, _OWN, None) or []
    parts = _parts(model) if before else []
    now = [config.use_cache for config in parts]
    try:
        for config, value in zip(parts, before, strict=True):
            config.use_cache = value
        yield
    finally:
        for config, value in zip(parts, now, strict=True):
            config.use_cache = value


def _parts(model: PreTrainedModel) -> list[PreTrainedConfig]:
    """Return the configurations, of the whole model and of its text part, that have ``use_cache``."""
    text = text_config(model)
    parts = [model.config] if text is model.config else [model.config, text]
    return [config for config in parts if hasattr(config, "use_cache")]
