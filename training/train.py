"""The one training loop, on DeepSpeed, for every recipe.

Belongs here: what each process of a training job does. Never here: data preparation, architectures,
how processes are started (`training.launch`).

Started by torchrun or a scheduler as `python -m training.train --recipe R --data D --out O`. All
that happens is a function of recipe, data and code: samples are counted, not epochs or steps, and
the order, the masks and the dropout of draw k do not depend on what ran before. So a run killed
at any moment continues from its last complete checkpoint to the same end.
"""

import argparse
import base64
import contextlib
import ctypes
import io
import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
import torch.distributed as dist
from filelock import FileLock, Timeout
from torch import Tensor, nn

from adapters.errors import TrainingError
from training import checkpoints
from training.ahead import ahead
from training.masks import order
from training.monitors import below, spread_of_all
from training.parts import AFTER_STEP, CALIBRATIONS, DATASETS, LOSSES, MODELS, WATCHES, Dataset
from training.recipe import Optimiser, Recipe, load_recipe
from training.runs import code_version, is_finished, run_folder, write_atomically, write_json

LINES_PER_EPOCH = 10
"""Lines of training loss that `metrics.jsonl` gets in an epoch."""
READERS = 1
"""Threads of a process that make its next batches while it computes; several wait for each other on
Python's lock."""
_LOCK_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Train, continue, or find finished."""
    parser = argparse.ArgumentParser(prog="python -m training.train")
    parser.add_argument("--recipe", required=True, help="name or file of a recipe")
    parser.add_argument("--data", required=True, type=Path, help="folder of a fused version")
    parser.add_argument("--out", required=True, type=Path, help="folder of all runs")
    arguments = parser.parse_args()
    start_process()
    train(load_recipe(arguments.recipe), arguments.data, arguments.out)
    end_process()


def start_process() -> None:
    """Join the other processes of the job; gloo on CPUs, NCCL on NVIDIA GPUs."""
    import deepspeed
    from deepspeed.accelerator import get_accelerator

    _end_with_parent()
    # Shared-memory reduction on CPU is compiled at first use, and not every host has a compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    get_accelerator().set_device(dist.get_node_local_rank(0))
    deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)


def end_process() -> NoReturn:
    """Leave the other processes of the job, and end, with all written.

    Threads of gloo that still hold tensors when the interpreter goes down abort a process whose
    work is done (github.com/pytorch/pytorch, pull request 179291 and issue 190489), and the job
    with it: so the interpreter does not go down, the process ends.
    """
    dist.barrier()
    dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def train(recipe: Recipe, data: Path, out: Path) -> Path:
    """Train a recipe on a fused version; every process of the job calls this.

    Args:
        recipe: The recipe.
        data: Folder of a fused version.
        out: Folder of all runs.

    Returns:
        Folder of the run, finished.

    Raises:
        TrainingError: The run is in use, or the recipe and the number of processes do not fit.
    """
    run = run_folder(recipe, data, out)
    run.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        pipes = None
        if dist.get_rank() == 0:
            pipes = _pipes(stack)
            try:
                stack.enter_context(FileLock(run / ".lock", timeout=_LOCK_SECONDS))
            except Timeout as error:
                raise TrainingError(
                    "another process trains this run",
                    file=str(run),
                    remedy="wait for it, or end it",
                ) from error
        dist.barrier()
        if not is_finished(run):
            _train(recipe, data, run, pipes)
        if dist.get_rank() == 0:
            write_atomically(run.parent / "CURRENT", run.name + "\n")
            if pipes is not None:
                pipes.report_asset_materialization(metadata=_materialization(run))
        dist.barrier()
    return run


def _end_with_parent() -> None:
    """Have Linux kill this process when its launcher dies; torchrun's workers would survive."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _pipes(stack: contextlib.ExitStack):  # noqa: ANN202
    """The Dagster session that started this process, if one did."""
    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    if not PipesEnvVarParamsLoader().is_dagster_pipes_process():
        return None
    return stack.enter_context(open_dagster_pipes())


def _train(recipe: Recipe, data: Path, run: Path, pipes) -> None:  # noqa: ANN001
    rank, processes = dist.get_rank(), dist.get_world_size()
    if recipe.batch % processes:
        raise TrainingError(
            f"a batch of {recipe.batch} cannot be shared evenly by {processes} processes",
            remedy="choose a number of processes that divides the recipe's batch",
        )
    dataset = DATASETS[recipe.dataset.name](data, recipe.dataset)
    training = dataset.rows("train")
    total = math.ceil(recipe.epochs * len(training) / recipe.batch) * recipe.batch
    checkpoint_steps = max(1, round(recipe.checkpoint_epochs * len(training) / recipe.batch))
    line_steps = max(1, len(training) // recipe.batch // LINES_PER_EPOCH)
    engine, seen = _engine(recipe, dataset, run)
    if rank == 0:
        _cut_metrics(run / "metrics.jsonl", seen)
        if pipes is not None:
            pipes.log.info(f"{run.name}: {seen} of {total} samples seen before")
    loss_of = LOSSES[recipe.loss.name](recipe.loss, dataset.schema)
    local = recipe.batch // processes
    metrics: dict[str, dict[str, float]] = {}

    def drawn(first: int):  # noqa: ANN202
        draws = first + rank * local + np.arange(local)
        rows = training[order(len(training), recipe.seed, draws)]
        return dataset.draw(rows, draws, recipe.mask_seed)

    for made in ahead(drawn, range(seen, total, recipe.batch), READERS):
        batch = _to(made, engine.device)
        for group in engine.optimizer.param_groups:
            group["lr"] = learning_rate(recipe.optimiser, seen / len(training), recipe.epochs)
        torch.manual_seed(recipe.seed + 1_000_003 * (seen + rank))  # dropout
        engine.train()
        prediction = engine(batch)
        loss, values = _global(loss_of(prediction, batch), processes)
        engine.backward(loss)
        engine.step()
        seen += recipe.batch
        step = seen // recipe.batch
        _after_step(engine, recipe, seen / total)
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                f"the loss is {values['loss']} after {seen} samples",
                file=str(run),
                remedy="lower the recipe's learning rate, or look for absurd values in the matrix",
            )
        if step % line_steps == 0 or seen == total:
            notes, features = _watched(recipe, prediction, batch)
            metrics["train"] = values | _means(notes) | spread_of_all(features)
            values = metrics["train"]
            _report(run, seen, len(training), "train", values, pipes)
        if step % checkpoint_steps == 0 or seen == total:
            metrics["validation"] = _validate(engine, dataset, recipe, loss_of)
            collapsed = _collapsed(recipe, metrics["validation"], seen / len(training))
            _report(run, seen, len(training), "validation", metrics["validation"], pipes)
            if collapsed and recipe.limits.action == "stop":
                raise TrainingError(
                    f"the features have collapsed after {seen} samples: {collapsed}",
                    file=str(run / "metrics.jsonl"),
                    remedy="lower the learning rate or the weight of the JEPA term in the recipe",
                )
            described = _described(recipe, dataset, seen, processes, metrics)
            checkpoints.save(engine, run, seen, described, recipe.keep)
    if rank == 0:
        with _all_cores():  # the other processes wait
            _export(recipe, dataset, run)
    dist.barrier()


def learning_rate(optimiser: Optimiser, epoch: float, epochs: float) -> float:
    """Linear warm-up, then a half cosine down to the final rate.

    Args:
        optimiser: The recipe's part.
        epoch: Passes done.
        epochs: Passes in all.
    """
    peak, last = optimiser.learning_rate, optimiser.final_learning_rate
    if epoch < optimiser.warmup_epochs:
        start = optimiser.warmup_start
        return peak * (start + (1 - start) * epoch / optimiser.warmup_epochs)
    span = max(epochs - optimiser.warmup_epochs, 1e-12)
    done = min(1.0, (epoch - optimiser.warmup_epochs) / span)
    return last + (peak - last) * 0.5 * (1 + math.cos(math.pi * done))


def _engine(recipe: Recipe, dataset: Dataset, run: Path):  # noqa: ANN202
    """DeepSpeed engine, continued from the newest checkpoint, and the samples seen."""
    import deepspeed

    processes = dist.get_world_size()
    newest = (checkpoints.complete(run) or [None])[-1]
    universal = newest is not None and checkpoints.meta(newest)["processes"] != processes
    if dist.get_rank() == 0:
        checkpoints.remove_unfinished(run)
        if universal:
            checkpoints.make_universal(newest)
    dist.barrier()
    torch.manual_seed(recipe.seed)
    model = MODELS[recipe.model.name](recipe.model, dataset.schema)
    optimiser = torch.optim.AdamW(
        _groups(model, recipe.optimiser),
        lr=recipe.optimiser.learning_rate,
        betas=recipe.optimiser.betas,
        eps=recipe.optimiser.epsilon,
    )
    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=optimiser,
        config={
            "train_batch_size": recipe.batch,
            "train_micro_batch_size_per_gpu": recipe.batch // processes,
            "gradient_accumulation_steps": 1,
            "gradient_clipping": recipe.optimiser.gradient_clip,
            "bf16": {"enabled": recipe.deepspeed.precision == "bf16"},
            "zero_optimization": {"stage": recipe.deepspeed.zero_stage},
            "zero_allow_untested_optimizer": True,  # a torch optimiser: nothing to compile
            "checkpoint": {"load_universal": universal},
            "steps_per_print": sys.maxsize,
        },
    )
    if newest is None:
        return engine, 0
    tag = checkpoints.UNIVERSAL if universal else checkpoints.STATE
    loaded, _ = engine.load_checkpoint(str(newest), tag=tag)
    if loaded is None:
        raise TrainingError(
            "the checkpoint cannot be loaded",
            file=str(newest),
            remedy="remove this checkpoint; the one before it is then used",
        )
    if universal:
        _load_buffers(engine.module, newest)
    return engine, checkpoints.meta(newest)["samples"]


@torch.no_grad()
def _load_buffers(model: nn.Module, checkpoint: Path) -> None:
    """What a model keeps untrained, such as a teacher; universal checkpoints leave it out."""
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    state = get_fp32_state_dict_from_zero_checkpoint(str(checkpoint), tag=checkpoints.STATE)
    for name, buffer in model.named_buffers():
        if name in state:  # those that are kept at all
            buffer.copy_(state[name])


def _groups(model: nn.Module, optimiser: Optimiser) -> list[dict]:
    """Weights by how they decay."""
    weights = list(model.parameters())
    if optimiser.decay_vectors:
        return [{"params": weights, "weight_decay": optimiser.weight_decay}]
    return [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": optimiser.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]


def _after_step(engine, recipe: Recipe, done: float) -> None:  # noqa: ANN001
    """What the model does once its weights have moved; under ZeRO-3 they are brought together."""
    import deepspeed

    if recipe.model.name not in AFTER_STEP:
        return
    weights = list(engine.module.parameters())
    with deepspeed.zero.GatheredParameters(weights, enabled=recipe.deepspeed.zero_stage == 3):
        AFTER_STEP[recipe.model.name](engine.module, recipe.model, done)


def _watched(recipe: Recipe, prediction, batch: dict):  # noqa: ANN001, ANN202
    """Sums and counts, and features, that are reported besides the loss."""
    if recipe.loss.name not in WATCHES:
        return {}, {}
    with torch.no_grad():
        return WATCHES[recipe.loss.name](recipe.loss, prediction, batch)


def _means(terms: dict[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Means over all processes."""
    means = {}
    for name, (total, count) in terms.items():
        pair = torch.stack([total.detach().double(), count.double()])
        dist.all_reduce(pair)
        means[name] = (pair[0] / pair[1].clamp(min=1)).item()
    return means


def _global(terms: dict[str, tuple[Tensor, Tensor]], processes: int):  # noqa: ANN202
    """The loss to differentiate here, and its values over all processes.

    DeepSpeed averages gradients over processes; times their number and divided by the global
    count, the average is the gradient of the mean over all targets of the whole batch.
    """
    sums = torch.stack([total.detach().double() for total, _ in terms.values()])
    counts = torch.stack([count.double() for _, count in terms.values()])
    both = torch.stack([sums, counts])
    dist.all_reduce(both)
    means = (both[0] / both[1].clamp(min=1)).tolist()
    loss = sum(
        total * processes / count.clamp(min=1).to(total.dtype)
        for (total, _), count in zip(terms.values(), both[1], strict=True)
    )
    return loss, {"loss": sum(means), **dict(zip(terms, means, strict=True))}


@torch.no_grad()
def _validate(engine, dataset: Dataset, recipe: Recipe, loss_of) -> dict[str, float]:  # noqa: ANN001
    """Loss of the validation split with one fixed mask a row."""
    rank, processes = dist.get_rank(), dist.get_world_size()
    rows = dataset.rows("validation")
    engine.eval()
    totals: dict[str, Tensor] = {}
    terms: dict[str, tuple[Tensor, Tensor]] = {}
    features: dict[str, list[Tensor]] = {}
    for start in range(0, len(rows), 4 * recipe.batch):
        draws = np.arange(start, min(start + 4 * recipe.batch, len(rows)))
        mine = np.array_split(draws, processes)[rank]
        # ZeRO-3 gathers weights in forward: a process without a row must take part all the same.
        taken = mine if len(mine) else draws[:1]
        batch = _to(dataset.draw(rows[taken], taken, recipe.mask_seed + 1), engine.device)
        batch["stand_in"] = torch.tensor(not len(mine), device=engine.device)
        prediction = engine(batch)
        terms = loss_of(prediction, batch)
        notes, found = _watched(recipe, prediction, batch)
        for name, (total, count) in (terms | notes).items():
            pair = torch.stack([total.double(), count.double()]) * bool(len(mine))
            totals[name] = totals.get(name, torch.zeros_like(pair)) + pair
        for name, part in found.items():
            features.setdefault(name, []).append(part[: len(mine)])
    means = _means({name: (pair[0], pair[1]) for name, pair in totals.items()})
    loss = sum(means[name] for name in terms)
    return {"loss": loss, **means, **spread_of_all({k: torch.cat(v) for k, v in features.items()})}


def _collapsed(recipe: Recipe, values: dict, epoch: float) -> str:
    """What is below the recipe's limits; noted in `values` as a warning."""
    if recipe.limits is None or epoch < recipe.limits.from_epoch:
        return ""
    found = "; ".join(below(values, recipe.limits))
    if found:
        values["warning"] = found
    return found


def _to(batch, device: torch.device):  # noqa: ANN001, ANN202
    """Tensors in lists and dicts, moved."""
    if isinstance(batch, dict):
        return {name: _to(part, device) for name, part in batch.items()}
    return [_to(part, device) for part in batch] if isinstance(batch, list) else batch.to(device)


def _cut_metrics(path: Path, seen: int) -> None:
    """Drop what an interrupted run wrote after its last checkpoint."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    whole = [line for line in lines if line.endswith("\n")]
    write_atomically(path, "".join(s for s in whole if json.loads(s)["samples"] <= seen))


def _report(run: Path, seen: int, epoch: int, split: str, values: dict, pipes) -> None:  # noqa: ANN001
    """Append to `metrics.jsonl` and tell Dagster; only process 0."""
    if dist.get_rank():
        return
    line = {"samples": seen, "epoch": round(seen / epoch, 4), "split": split, **values}
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    if pipes is not None:
        pipes.report_custom_message(line)
        pipes.log.info(f"{split} loss {values['loss']:.4f} after {seen / epoch:.2f} epochs")
        if "warning" in values:
            pipes.log.warning(values["warning"])


def _described(recipe: Recipe, dataset: Dataset, seen: int, processes: int, metrics: dict) -> dict:
    """Content of `meta.json`."""
    import deepspeed

    return {
        "samples": seen,
        "processes": processes,
        "origin": dataset.described["origin"],
        "recipe": recipe.model_dump(mode="json"),
        "recipe_digest": recipe.digest,
        "data": dataset.described,
        "code_version": code_version(),
        "software": {"torch": torch.__version__, "deepspeed": deepspeed.__version__},
        "seeds": {"seed": recipe.seed, "mask_seed": recipe.mask_seed},
        "metrics": metrics,
    }


@contextlib.contextmanager
def _all_cores() -> Iterator[None]:
    """Compute in as many threads as this machine has cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _export(recipe: Recipe, dataset: Dataset, run: Path) -> None:
    """Write what inference needs, from the last checkpoint's float32 weights; `meta.json` last."""
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
    from safetensors.torch import save

    last = checkpoints.complete(run)[-1]
    described = checkpoints.meta(last)
    state = get_fp32_state_dict_from_zero_checkpoint(str(last), tag=checkpoints.STATE)
    weights = {name: value.contiguous().clone() for name, value in state.items()}
    model: nn.Module = MODELS[recipe.model.name](recipe.model, dataset.schema)
    model.load_state_dict(weights)
    exported = {
        "origin": described["origin"],
        "model": recipe.model.model_dump(mode="json"),
        "schema": dataset.schema.model_dump(mode="json"),
    }
    if recipe.loss.name in CALIBRATIONS:
        calibrate = CALIBRATIONS[recipe.loss.name]
        calibration = calibrate(model.eval(), dataset, recipe.mask_seed + 2)
        exported["calibration"] = calibration.model_dump(mode="json")
    write_atomically(
        run / "model.safetensors", save(weights, metadata={"origin": described["origin"]})
    )
    write_json(run / "model.json", exported)
    write_atomically(run / "loss.png", _plot(run))
    write_json(run / "meta.json", described)


def _plot(run: Path) -> bytes:
    """Loss over samples, as PNG."""
    from matplotlib.figure import Figure

    lines = [json.loads(s) for s in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for split, style in (("train", "-"), ("validation", "o-")):
        points = [(line["epoch"], line["loss"]) for line in lines if line["split"] == split]
        axes.plot(*zip(*points, strict=True), style, label=split)
    axes.set(xlabel="epochs", ylabel="loss", title=run.parent.name)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()


def _materialization(run: Path) -> dict:
    """Metadata that Dagster shows on the asset."""
    described = json.loads((run / "meta.json").read_text("utf-8"))
    plot = base64.b64encode((run / "loss.png").read_bytes()).decode()
    return {
        "origin": described["origin"],
        "run": {"raw_value": str(run), "type": "path"},
        "data_version": described["data"]["version"],
        "samples_seen": described["samples"],
        "features": described["data"]["features"],
        "validation_loss": described["metrics"]["validation"]["loss"],
        "loss": {"raw_value": f"![loss](data:image/png;base64,{plot})", "type": "md"},
    }


if __name__ == "__main__":
    main()
