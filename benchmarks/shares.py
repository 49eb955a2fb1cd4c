"""Many small trainings at once: shared out among processes, each of one thread.

A model of this size gains next to nothing by a second process or thread of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters.settings import process_environment


def train_shares(script: str, arguments: Sequence[str], jobs: list[dict], out: Path) -> list[dict]:
    """Have a script train jobs, as many at a time as there are cores.

    Args:
        script: It is started by torchrun with the arguments and `--train FILE`, and trains the jobs
            of that JSON file, in which it may put down what it found.
        arguments: Of the script.
        jobs: What the file holds.
        out: Where files and logs go.

    Returns:
        The jobs as they stand in the files afterwards, in their order.
    """
    processes = min(os.cpu_count() or 1, len(jobs))
    environment = process_environment(DS_ACCELERATOR="cpu") | {"OMP_NUM_THREADS": "1"}
    workers, shares = [], []
    for number in range(processes):
        share = out / f"jobs_{number}.json"
        share.write_text(json.dumps(jobs[number::processes]))
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", "1", script, *arguments, "--train", str(share)]
        with (out / f"worker_{number}.log").open("ab") as log:
            workers.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        shares.append(share)
    codes = [worker.wait() for worker in workers]
    if failed := [str(share) for share, code in zip(shares, codes, strict=True) if code]:
        raise SystemExit(f"training failed, see the log beside {', '.join(failed)}")
    done: list[dict] = [{} for _ in jobs]
    for number, share in enumerate(shares):
        done[number::processes] = json.loads(share.read_text())
    return done
