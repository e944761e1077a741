"""What ten thousand runs would need after they are done: bytes, seconds and memory, by rows of scores.

Simulated studies, the largest of over a million scores, go through the real collecting, analysis and
report, each in a process of its own; sizes that stand in ``--out`` are not measured again. What 10⁹ scores
need is the slope between the two largest sizes, carried on. ``seconds`` are those of the clock, longer where
others use the machine, ``cpu_seconds`` those of one core, ``peak_bytes`` the memory of the process at its
largest.

    python benchmarks/scale.py --out benchmarks/results/scale.json
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from report_material import MODELS, Size, write_study
from unequal.files import read_json, write_json
from unequal.manifest import manifest

SIZES = (Size(), Size(seeds=4), Size(seeds=8))
ROWS = 10**9
STAGES = ("collect", "collect again", "analyse", "report")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--stage", nargs=2, metavar=("STAGE", "FOLDER"))
    given = arguments.parse_args()
    if given.stage:
        print(json.dumps(run_stage(given.stage[0], Path(given.stage[1]))))
        return
    found = read_json(given.out)["sizes"] if given.out and given.out.is_file() else []
    for size in SIZES:
        if size.methods * size.seeds * len(MODELS) not in {one["runs"] for one in found}:
            found = sorted([*found, measure(size)], key=lambda one: int(one["rows"]))
        result = {
            "command": "python benchmarks/scale.py",
            "sizes": found,
            "rows_extrapolated_to": ROWS,
            "extrapolated": extrapolate(*found[-2:]) if len(found) > 1 else {},
            "machine": {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()},
            "versions": manifest(),
        }
        if given.out:
            write_json(given.out, result)
    print(json.dumps(result["extrapolated"], indent=2))


def measure(size: Size) -> dict[str, Any]:
    """Return what a study of this size takes, stage by stage."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_rows, n_runs = write_study(folder, size)
        on_disk = split_by_run(folder)
        (folder / "scores.parquet").unlink()
        (folder / "generations.parquet").unlink()
        found: dict[str, Any] = {"rows": n_rows, "runs": n_runs, "bytes_of_runs": on_disk}
        found["load"] = os.getloadavg()[0]
        for stage in STAGES:
            found[stage] = in_a_process(stage, folder)
            print(f"{n_rows:>9,} rows, {stage:<13} {found[stage]}", flush=True)
        for table in ("scores.parquet", "generations.parquet"):
            found[f"bytes_of_{table}"] = (folder / table).stat().st_size
        found["bytes_of_report"] = sum(path.stat().st_size for path in folder.glob("report.*"))
    return found


def split_by_run(folder: Path) -> int:
    """Write each run's tables as its step does, and return how many bytes they are."""
    tables = [pl.read_parquet(folder / f"{name}.parquet") for name in ("scores", "generations")]
    total = 0
    for (run,), scores in tables[0].group_by("run_id"):
        place = folder / "unlearn" / str(run)
        place.mkdir(parents=True)
        scores.write_parquet(place / "scores.parquet", compression="zstd")
        tables[1].filter(pl.col("run_id") == run).write_parquet(
            place / "generations.parquet", compression="zstd"
        )
        write_json(place / "manifest.json", {})
        total += sum(path.stat().st_size for path in place.iterdir())
    return total


def in_a_process(stage: str, folder: Path) -> dict[str, float]:
    """Return the seconds and the peak memory in bytes of a stage."""
    words = [sys.executable, __file__, "--stage", stage, str(folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def run_stage(stage: str, folder: Path) -> dict[str, float]:
    """Do the stage in this process."""
    from unequal.analysis.analyze import analyze, write_analysis
    from unequal.report.build import build_report
    from unequal.study.collect import collect

    began = time.perf_counter(), time.process_time()
    if stage.startswith("collect"):
        collect("large", sorted((folder / "unlearn").iterdir()), [], folder)
    elif stage == "analyse":
        write_analysis(analyze(folder), folder)
    else:
        build_report(folder)
    return {
        "seconds": round(time.perf_counter() - began[0], 2),
        "cpu_seconds": round(time.process_time() - began[1], 2),
        "peak_bytes": peak_memory(),
    }


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes; what its parent had does not count."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def extrapolate(smaller: dict[str, Any], larger: dict[str, Any]) -> dict[str, Any]:
    """Return what ``ROWS`` rows need: the largest study's need, and the slope from there."""
    rows = [one["rows"] for one in (smaller, larger)]

    def at_many(low: float, high: float) -> float:
        return float(f"{high + max(0.0, (high - low) / (rows[1] - rows[0])) * (ROWS - rows[1]):.3g}")

    keys = [key for key in larger if key.startswith("bytes_of_")]
    found: dict[str, Any] = {key: at_many(smaller[key], larger[key]) for key in keys}
    for stage in STAGES:  # but for the seconds of the clock, which depend on who else uses the machine
        names = ("cpu_seconds", "peak_bytes")
        found[stage] = {name: at_many(smaller[stage][name], larger[stage][name]) for name in names}
    return found


if __name__ == "__main__":
    main()
