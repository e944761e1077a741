"""One of several processes that share commands: python shared_work.py RANK OF MEETING_POINT HOW FOLDER OUT.

HOW is ``whole``, every process having the whole model, or ``sharded``.
"""

import os
import sys
from pathlib import Path

from one_of_two import SHARDED

FILES = (
    "evaluated/scores.parquet", "evaluated/generations.parquet", "evaluated/aggregates.parquet",
    "attacked/scores.parquet", "attacked/generations.parquet",
    "audited/facts.parquet", "audited/evidence.parquet",
    "unlearned/scores.parquet", "unlearned/generations.parquet", "unlearned/model/model.safetensors",
    "pretrained/model/model.safetensors", "tuned.json",
)  # fmt: skip
"""What the commands write besides records of how they were called."""


def main(rank: str, n_processes: str, meeting_point: str, how: str, folder: Path, out: Path) -> None:
    import torch

    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "ACCELERATE_USE_CPU": "true"}
    os.environ |= {"WORLD_SIZE": n_processes, "LOCAL_WORLD_SIZE": n_processes}
    os.environ |= SHARDED if how == "sharded" else {}
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{meeting_point}", rank=int(rank), world_size=int(n_processes)
    )
    run_commands(folder, out)
    torch.distributed.destroy_process_group()


def run_commands(folder: Path, out: Path) -> None:
    """Pre-train, unlearn, tune, evaluate, attack and audit tiny models of a folder."""
    from unequal.auditing.run import run_audit
    from unequal.auditing.settings import AuditSettings
    from unequal.study.stages.attack import AttackCommand, run_attack
    from unequal.study.stages.evaluate import EvaluateCommand, run_evaluate
    from unequal.study.stages.pretrain import PretrainCommand, run_pretrain
    from unequal.study.stages.tune import TuneCommand, run_tune
    from unequal.study.stages.unlearn import UnlearnCommand, run_unlearn

    def quiet(_done: int, _total: int) -> None:
        pass

    facts = {name: folder / f"{name}.parquet" for name in ("forget", "retain", "utility")}
    model = folder / "model"
    shape = {"family": "llama", "size": "tiny", "shape": {"width": 32, "layers": 2, "heads": 4}}
    pretrain = {"batch_windows": 18, "micro_batch_windows": 6, "gradient_checkpointing": True}
    made = {"corpus": folder / "corpus", "out": out / "pretrained", "model": shape, "pretrain": pretrain}
    run_pretrain(PretrainCommand.model_validate(made | {"checkpoint_every": 2}), quiet)
    method = {
        "method": {"kind": "npo", "learning_rate": 1e-3},
        "unlearn": {"steps": 3, "batch_size": 4, "evaluate_at": (2,)},
    }
    given = facts | method | {"model": str(model), "allow_unknown": True}
    asked = {"probes": ("question", "cloze"), "n_wordings": 1, "checkpoint_every": 1}
    run_unlearn(UnlearnCommand.model_validate(given | asked | {"out": out / "unlearned"}), quiet)
    search = {"n_rates": 2, "lowest": 1e-4, "highest": 1e-3}
    run_tune(TuneCommand.model_validate(given | {"out": out / "tuned.json", "search": search}), quiet)
    passes = {"samples": {"n": 3}, "moments": True}
    judge = {
        "model": str(model),
        "facts": folder / "judged.parquet",
        "out": out / "evaluated",
        "passes": passes,
    }
    run_evaluate(EvaluateCommand.model_validate(judge))
    attacks = ["relearn", "int8", "lens", "probe", "sample"]
    attack = {
        "model": str(model),
        "facts": folder / "judged.parquet",
        "out": out / "attacked",
        "attacks": attacks,
    }
    run_attack(AttackCommand.model_validate(attack), quiet)
    audit = {"before": str(model), "after": str(folder / "other"), "facts": folder / "judged.parquet"}
    audit |= {"out": out / "audited", "attacks": "nf4", "allow_unknown": True}
    run_audit(AuditSettings.model_validate(audit))


if __name__ == "__main__":
    main(*sys.argv[1:5], Path(sys.argv[5]), Path(sys.argv[6]))
