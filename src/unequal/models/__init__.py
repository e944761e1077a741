"""Models: scratch models by family and size, and loading of any Hugging Face checkpoint."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.models.shapes import Family

FAMILIES: Registry["Family"] = Registry(
    "model family",
    {
        "gpt2": "unequal.models.families.gpt2:config",
        "llama": "unequal.models.families.llama:config",
    },
)
