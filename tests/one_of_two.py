"""One of several processes that share a run: python one_of_two.py RANK OF MEETING_POINT CORPUS OUT."""

import os
import sys
from pathlib import Path
from unittest.mock import patch

import torch

from tiny_world import PROMPTS, vocabulary_of

RUNS = ("npo", "adapop", "rmu", "npo_sam", "jensun", "pretrain", "ga")


def main(rank: str, n_processes: str, meeting_point: str, corpus: Path, out: Path) -> None:
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "ACCELERATE_USE_CPU": "true"}
    os.environ |= {"WORLD_SIZE": n_processes, "LOCAL_WORLD_SIZE": n_processes}
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
    from unequal.facts.table import read_facts  # noqa: PLC0415
    from unequal.models.load import load_model, load_tokenizer, scratch_model  # noqa: PLC0415
    from unequal.models.shapes import ModelSettings, Shape  # noqa: PLC0415
    from unequal.training import pretrain as pretraining  # noqa: PLC0415
    from unequal.training.settings import PretrainSettings  # noqa: PLC0415
    from unequal.unlearning.methods import METHODS  # noqa: PLC0415
    from unequal.unlearning.run import unlearn  # noqa: PLC0415
    from unequal.unlearning.settings import UnlearnSettings  # noqa: PLC0415

    shape = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=32, layers=2, heads=4))
    if kind == "pretrain":
        settings = PretrainSettings(batch_windows=16, micro_batch_windows=4)
        with patch.object(pretraining, "scratch_model", lambda *made: scratch_model(*made).double()):
            folder = pretraining.pretrain(shape, corpus, settings, 0, out / "pretrained", checkpoint_every=2)
        model = load_model(folder)
    else:
        model = scratch_model(shape, vocabulary_of(corpus), seed=1).double()
        facts = read_facts(corpus / "facts.parquet")
        of = {role: [fact for fact in facts if fact.role == role] for role in ("forget", "retain")}
        # With one fact a step, one of two processes has nothing to do.
        settings = UnlearnSettings(steps=4, batch_size=1 if kind == "ga" else 5)
        unlearn(
            model, load_tokenizer(corpus / "tokenizer"), METHODS.get(kind)(learning_rate=1e-3),
            of["forget"][:7], of["retain"][:9], PROMPTS, settings, 0, lambda _model, _step, _last: None,
        )  # fmt: skip
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


if __name__ == "__main__":
    main(*sys.argv[1:4], Path(sys.argv[4]), Path(sys.argv[5]))
