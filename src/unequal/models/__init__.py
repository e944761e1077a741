"""Models: scratch models by family and size, and loading of any Hugging Face checkpoint."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.models.shapes import Family

FAMILIES: Registry["Family"] = Registry(
    "model family",
    {
        "gpt2": "unequal.models.families.gpt2:config",
        "gpt_neox": "unequal.models.families.gpt_neox:config",
        "llama": "unequal.models.families.llama:config",
        "mistral": "unequal.models.families.mistral:config",
        "phi3": "unequal.models.families.phi3:config",
        "olmo": "unequal.models.families.olmo:config",
        "olmo2": "unequal.models.families.olmo2:config",
        "olmo3": "unequal.models.families.olmo3:config",
        "qwen3": "unequal.models.families.qwen3:config",
        "gemma3": "unequal.models.families.gemma3:config",
        "mixtral": "unequal.models.families.mixtral:config",
        "olmoe": "unequal.models.families.olmoe:config",
        "qwen3_moe": "unequal.models.families.qwen3_moe:config",
        "mamba": "unequal.models.families.mamba:config",
        "mamba2": "unequal.models.families.mamba2:config",
        "falcon_h1": "unequal.models.families.falcon_h1:config",
    },
    group="unequal.families",
)
