"""``unequal pretrain``."""

from pathlib import Path

from unequal.cli.options import require_training, settings_from
from unequal.console import progress_bar, say


def pretrain(
    *,
    corpus: Path | None = None,
    out: Path | None = None,
    family: str | None = None,
    size: str | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    compile: bool | None = None,
    config: Path | None = None,
) -> None:
    """Train a model from scratch on a corpus, in the corpus's order.

    The same command goes on after an interruption, with the same weights.

    Parameters
    ----------
    corpus
        Folder made by: unequal corpus.
    out
        Folder to write; the model is in its folder model, loadable by transformers.
    family
        Model family, such as gpt2 or llama.
    size
        Named size, such as 0.4M.
    seed
        Seed of the first weights. [default: 0]
    device
        auto, cpu, mps, cuda, or a card such as cuda:1. [default: auto, an accelerator if there is one]
    precision
        fp32, bf16 (products; weights stay fp32) or bf16-pure (weights too). [default: fp32]
    compile
        Let torch compile the model.
    config
        TOML file with any of these settings, and tables model and pretrain.
    """
    from unequal.study.stages.pretrain import PretrainCommand, run_pretrain

    flags = {
        "corpus": corpus, "out": out, "model.family": family, "model.size": size, "seed": seed,
        "device": device, "pretrain.precision": precision, "pretrain.compile": compile,
    }  # fmt: skip
    settings = settings_from(PretrainCommand, config, flags)
    require_training("pre-training")
    with progress_bar("pre-training") as progress:
        model = run_pretrain(settings, progress)
    say(f"the model is in {model}")
