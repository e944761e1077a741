"""One of several processes that share a run: python one_of_two.py RANK OF MEETING_POINT CORPUS OUT HOW.

HOW is ``whole``, every process having the whole model, or ``sharded``.
"""

import os
import sys
from pathlib import Path
from unittest.mock import patch

import torch

from tiny_world import PROMPTS, vocabulary_of

RUNS = (
    "npo",
    "adapop",
    "rmu",
    "npo_sam",
    "jensun",
    "pretrain",
    "ga",
    "whp",
    "task_vector",
    "adapter",
    "watched",
)
SHARDED = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_RESHARD_AFTER_FORWARD": "true"}


def main(rank: str, n_processes: str, meeting_point: str, corpus: Path, out: Path, how: str) -> None:
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "ACCELERATE_USE_CPU": "true"}
    os.environ |= {"WORLD_SIZE": n_processes, "LOCAL_WORLD_SIZE": n_processes}
    os.environ |= SHARDED if how == "sharded" else {}
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{meeting_point}", rank=int(rank), world_size=int(n_processes)
    )
    torch.save({kind: weights_after(kind, corpus, out) for kind in RUNS}, out / f"weights-{rank}.pt")
    torch.distributed.destroy_process_group()


def weights_after(kind: str, corpus: Path, out: Path) -> torch.Tensor:
    """Return all weights of a tiny model after four steps of a method, or after pre-training.

    It is in float64, in which rounding does not decide the sign of a gradient, and so Adam's step.
    """
    from unequal.models.fsdp import full_tensor
    from unequal.models.load import scratch_model
    from unequal.models.shapes import ModelSettings, Shape
    from unequal.training import pretrain as pretraining
    from unequal.training.settings import PretrainSettings

    shape = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=32, layers=2, heads=4))
    if kind == "pretrain":
        from safetensors.torch import load_file

        settings = PretrainSettings(batch_windows=16, micro_batch_windows=4)
        double = lambda *made, **how: scratch_model(*made, **how).double()  # noqa: E731
        with patch.object(pretraining, "scratch_model", double):
            folder = pretraining.pretrain(shape, corpus, settings, 0, out / "pretrained", checkpoint_every=2)
        weights = list(load_file(folder / "model.safetensors").values())
    else:
        model = scratch_model(shape, vocabulary_of(corpus), seed=1).double()
        unlearned(model, kind, corpus)
        weights = [full_tensor(weight.detach()) for weight in model.parameters()]
    return torch.cat([weight.flatten() for weight in weights])


def unlearned(model, kind: str, corpus: Path) -> None:
    """Train the model in place for four steps of a method, or of NPO in the way that is named."""
    from unequal.facts.table import read_facts
    from unequal.models.load import load_tokenizer
    from unequal.unlearning.methods import METHODS
    from unequal.unlearning.run import Run
    from unequal.unlearning.settings import UnlearnSettings
    from unequal.unlearning.targets import Controls
    from unequal.unlearning.unlearn import unlearn

    facts = read_facts(corpus / "facts.parquet")
    roles = ("forget", "retain", "utility")
    forget, retain, utility = ([fact for fact in facts if fact.role == role] for role in roles)
    ways = {
        "ga": {"batch_size": 1},  # one of two processes has nothing to do
        "jensun": {"gradient_checkpointing": True, "micro_batch": 2},
        "adapter": {"adapter": {"rank": 2}},
        "watched": {"stopping": {"utility_drop": 0.0001}},  # the run ends and goes back
    }
    settings = UnlearnSettings.model_validate({"steps": 4, "batch_size": 5} | ways.get(kind, {}))
    method = METHODS.get(kind if kind in METHODS else "npo")(learning_rate=1e-3)
    tokenizer, controls = load_tokenizer(corpus / "tokenizer"), Controls(utility[:5])
    unlearn(Run(model, tokenizer, method, forget[:7], retain[:9], settings, PROMPTS, controls=controls))


if __name__ == "__main__":
    main(*sys.argv[1:4], Path(sys.argv[4]), Path(sys.argv[5]), sys.argv[6])
