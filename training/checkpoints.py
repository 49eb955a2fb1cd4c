"""Checkpoints that are there whole or not at all.

Belongs here: writing, finding, converting and removing checkpoints of a run. Never here: the loop.

A checkpoint is written under a name that starts with `.writing-` and renamed once every process
has written its part and it is on disk. `checkpoints/<samples>/state/` is DeepSpeed's; `meta.json`
beside it says what it is; `universal/` is the same state cut for another number of processes.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch.distributed as dist

from adapters.errors import TrainingError
from training.runs import write_json

STATE, UNIVERSAL = "state", "universal"
_UNFINISHED = ".writing-"


def complete(run: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first."""
    return sorted(p for p in (run / "checkpoints").glob("*") if not p.name.startswith("."))


def meta(checkpoint: Path) -> dict:
    """What the checkpoint says of itself."""
    return json.loads((checkpoint / "meta.json").read_text(encoding="utf-8"))


def remove_unfinished(run: Path) -> None:
    """Remove what an interrupted run left half-written."""
    for path in (run / "checkpoints").glob(f"**/{_UNFINISHED}*"):
        shutil.rmtree(path)


def save(engine, run: Path, samples: int, described: dict, keep: int) -> Path:  # noqa: ANN001
    """Write a checkpoint; every process calls this.

    Args:
        engine: DeepSpeed engine.
        run: Folder of the run.
        samples: Samples seen.
        described: Content of its `meta.json`.
        keep: Checkpoints to keep, this one counted.
    """
    name = f"{samples:012d}"
    temporary, final = run / "checkpoints" / f"{_UNFINISHED}{name}", run / "checkpoints" / name
    engine.save_checkpoint(str(temporary), tag=STATE, save_latest=False)
    dist.barrier()
    if dist.get_rank() == 0:
        write_json(temporary / "meta.json", described)
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        temporary.rename(final)
        _sync(final.parent)
        for old in complete(run)[:-keep]:
            # Renamed first: a half-removed checkpoint must not look like a whole one.
            shutil.rmtree(old.rename(old.with_name(f"{_UNFINISHED}{old.name}")))
    dist.barrier()
    return final


def make_universal(checkpoint: Path) -> None:
    """Cut a checkpoint so that any number of processes can load it.

    Raises:
        TrainingError: DeepSpeed's converter failed.
    """
    final = checkpoint / UNIVERSAL
    if final.is_dir():
        return
    temporary = checkpoint / f"{_UNFINISHED}{UNIVERSAL}"
    command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal"]
    command += ["--inject_missing_state", "--num_extract_workers", "1", "--num_merge_workers", "1"]
    command += ["--input_folder", str(checkpoint / STATE), "--output_folder", str(temporary)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrainingError(
            "the checkpoint cannot be brought to another number of processes: "
            + done.stderr[-2000:],
            file=str(checkpoint),
            remedy=f"continue with {meta(checkpoint)['processes']} processes",
        )
    temporary.rename(final)


def _sync(path: Path) -> None:
    """Have the operating system put a file or folder on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
