"""How a training job is started.

Belongs here: the job, its command and environment, starting it on this machine, and the files that
start the same command under SLURM, Kubernetes and Ray. Never here: what the processes do.

The scheduler files are rendered from `deploy/` and checked for form; no such scheduler has run them
here.
"""

import os
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adapters.errors import TrainingError
from adapters.settings import process_environment
from training.recipe import load_recipe
from training.runs import is_finished, run_folder, write_atomically

DEPLOY = Path(__file__).parent.parent / "deploy"
_TEMPLATES = {
    "slurm": "slurm.sbatch.template",
    "kubernetes": "kubernetes.yaml.template",
    "ray": "ray.yaml.template",
}
_LOG_TAIL = 3000


@dataclass(frozen=True)
class JobSpec:
    """One training job."""

    recipe: str
    """Name or file."""
    data: Path
    """Folder of a fused version."""
    out: Path
    """Folder of all runs."""
    ranks: int
    """Processes a machine."""
    nodes: int = 1
    """Machines."""


def worker(job: JobSpec) -> list[str]:
    """Arguments of torchrun that say what each process runs."""
    arguments = ["--recipe", job.recipe, "--data", str(job.data), "--out", str(job.out)]
    return ["-m", "training.train", *arguments]


def command(job: JobSpec) -> list[str]:
    """Command that runs a job on this machine.

    Raises:
        TrainingError: The job is for several machines.
    """
    if job.nodes != 1:
        raise TrainingError(
            f"this machine cannot start {job.nodes} machines",
            remedy="render a scheduler's file with training.launch.render",
        )
    return [
        *[sys.executable, "-m", "torch.distributed.run", "--standalone"],
        *["--nproc-per-node", str(job.ranks)],
        *worker(job),
    ]


def environment(job: JobSpec) -> dict[str, str]:
    """Variables to add for a job on this machine.

    Cores are shared out among processes; the interpreter's bin folder comes first on PATH
    (DeepSpeed looks for ninja there); without an NVIDIA driver DeepSpeed is told so. No recipe
    compiles its model, and DeepSpeed's import would load the compiler for seconds.
    """
    cores = len(os.sched_getaffinity(0))
    added = {
        "OMP_NUM_THREADS": str(max(1, cores // job.ranks)),
        "PATH": process_environment()["PATH"],
        "TORCHDYNAMO_DISABLE": "1",
    }
    if shutil.which("nvidia-smi") is None:
        added["DS_ACCELERATOR"] = "cpu"
    return added


def launch(
    recipe: str | Path,
    data: Path,
    out: Path,
    ranks: int,
    pipes: Callable[[list[str], dict[str, str]], None] | None = None,
) -> Path:
    """Train on this machine, continue an interrupted run, or find it finished and return at once.

    Args:
        recipe: Name or file.
        data: Folder of a fused version.
        out: Folder of all runs.
        ranks: Processes.
        pipes: Runs a command with variables added, in place of a plain subprocess; for example
            through Dagster's `PipesSubprocessClient`. Raises when the command fails.

    Returns:
        Folder of the run.

    Raises:
        TrainingError: The job failed; its log is in `worker.log` of the run.
    """
    job = JobSpec(str(recipe), data.resolve(), out.resolve(), ranks)
    run = run_folder(load_recipe(job.recipe), job.data, job.out)
    if is_finished(run):
        write_atomically(run.parent / "CURRENT", run.name + "\n")
        return run
    run.mkdir(parents=True, exist_ok=True)
    if pipes is not None:
        pipes(command(job), environment(job))
    else:
        log = run / "worker.log"
        with log.open("wb") as file:
            done = subprocess.run(
                command(job),
                env=process_environment(**environment(job)),
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise TrainingError(
                f"the job ended with code {done.returncode}:\n"
                + log.read_text("utf-8", errors="replace")[-_LOG_TAIL:],
                file=str(log),
                remedy="correct the cause and run again: it continues from its last checkpoint",
            )
    if not is_finished(run):
        raise TrainingError(
            "the job ended without a model", file=str(run), remedy="see worker.log, and run again"
        )
    return run


def render(job: JobSpec, scheduler: Literal["slurm", "kubernetes", "ray"], gpus: int = 0) -> str:
    """File that has a scheduler run a job.

    Args:
        job: The job; its folders must be on storage that all machines share.
        scheduler: Which one.
        gpus: GPUs a machine; one process is meant for each.

    Raises:
        TrainingError: More than one machine under Ray, which is not provided for.
    """
    if scheduler == "ray" and job.nodes != 1:
        raise TrainingError(
            "a Ray job runs on one machine", remedy="use slurm or kubernetes for several"
        )
    template = string.Template((DEPLOY / _TEMPLATES[scheduler]).read_text(encoding="utf-8"))
    name = Path(job.recipe).stem.replace("_", "-")
    return template.substitute(
        name=name,
        nodes=job.nodes,
        ranks=job.ranks,
        gpus=gpus,
        worker=shlex.join(worker(job)),
        log=job.out / f"{name}-%j.log",
        out=job.out,
    )
