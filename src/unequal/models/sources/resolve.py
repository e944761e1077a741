"""The place of a model: a folder, a hub name, a named model of the package registry, or a GGUF file."""

from pathlib import Path

from unequal.models.sources.catalogue import NAMED_MODELS


def resolve_model(name_or_path: str | Path) -> str | Path:
    """Return the folder of a named model or GGUF file, made when first used; anything else as it is.

    A folder with the name of a named model is that folder.
    """
    name = str(name_or_path)
    if name in NAMED_MODELS and not Path(name).is_dir():
        from unequal.models.sources.download import fetch

        return fetch(name)
    if name.lower().endswith(".gguf") and not Path(name).is_dir():
        from unequal.models.sources.gguf_file import dequantised

        return dequantised(Path(name))
    return name_or_path
