"""A model's configuration: that of the part which reads text, and what of it is changed while it is here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel

_OWN = "_own_use_cache"


def text_config(model: PreTrainedModel) -> PreTrainedConfig:
    """Return the configuration of the part that reads text, which in most models is that of the whole."""
    return text_part(model.config)


def text_part(config: PreTrainedConfig) -> PreTrainedConfig:
    """Return the part of a configuration that describes what reads text."""
    found: PreTrainedConfig = config.get_text_config()
    return found


def window_of(model: PreTrainedModel) -> int | None:
    """Return how many tokens a model's configuration says that it can read, None where it does not tell."""
    found = getattr(text_config(model), "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


def keep_nothing(model: PreTrainedModel) -> None:
    """Let passes keep no keys and values unless they ask for them; `as_it_was` knows what was said before."""
    before: list[Any] = []
    for config in _parts(model):
        before.append(config.use_cache)
        config.use_cache = False
    setattr(model, _OWN, before)


@contextmanager
def as_it_was(model: PreTrainedModel) -> Iterator[None]:
    """Give the model's configuration what `keep_nothing` took from it, while the block runs."""
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
    """Return the configurations, of the whole and of what reads text, that say whether keys are kept."""
    text = text_config(model)
    parts = [model.config] if text is model.config else [model.config, text]
    return [config for config in parts if hasattr(config, "use_cache")]
