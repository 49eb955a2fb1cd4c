"""Run under torchrun: GeoMeld-FM on tiles in memory.

`geomeld_cases.py DATA OUT --twice RECIPE... --once RECIPE...`: each recipe of `--twice` is trained
to its end, and again from its middle; each of `--once` to its end or its refusal, continuing what
is there. Two processes also compare their contrast with that of one.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
import torch.distributed as dist
from made_tiles import MadeTiles
from safetensors.torch import load_file

from adapters.errors import TrainingError
from models.geomeld_losses import contrast
from training import checkpoints, parts
from training.recipe import load_recipe
from training.train import end_process, start_process, train

torch.set_num_threads(1)
parts.DATASETS["tiles"] = MadeTiles


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--twice", nargs="*", type=Path, default=[])
    parser.add_argument("--once", nargs="*", type=Path, default=[])
    given = parser.parse_args()
    start_process()
    found: dict[str, object] = {}
    if dist.get_world_size() == 2:
        found["contrast"] = compare_contrast()
    for path in given.twice:
        found[path.stem] = twice(path, given.data, given.out)
    for path in given.once:
        try:
            found[path.stem] = {"run": str(train(load_recipe(path), given.data, given.out))}
        except TrainingError as error:
            found[path.stem] = {"refused": str(error)}
    if dist.get_rank() == 0:
        (given.out / "found.json").write_text(json.dumps(found))
    end_process()


def twice(path: Path, data: Path, out: Path) -> dict[str, object]:
    """Train to the end, and again from the checkpoint before the last; compare the two."""
    recipe = load_recipe(path)
    run = train(recipe, data, out / "whole")
    again = out / "again" / run.parent.name / run.name
    if dist.get_rank() == 0:
        shutil.copytree(run, again)
        for name in ("meta.json", "model.json", "model.safetensors"):
            (again / name).unlink()
        shutil.rmtree(checkpoints.complete(again)[-1])
    dist.barrier()
    train(recipe, data, out / "again")
    a, b = load_file(run / "model.safetensors"), load_file(again / "model.safetensors")
    return {
        "run": str(run),
        "same_lines": (run / "metrics.jsonl").read_text() == (again / "metrics.jsonl").read_text(),
        "differing": [k for k in a if not torch.equal(a[k], b[k])],
    }


def compare_contrast() -> dict[str, float]:
    """Largest differences between two processes and one, of the loss and of its gradients."""
    generator = torch.Generator().manual_seed(3)
    image = torch.randn(7, 8, generator=generator, dtype=torch.float64)
    text = torch.randn(7, 3, 8, generator=generator, dtype=torch.float64)
    # One tile has no caption, two have the same one.
    sentence = torch.tensor([[0, 7, 3], [1, 8, 0], [-1, -1, -1], [3, 8, 9], [4, 2, 1], [5, 6, 7]])
    sentence = torch.cat([sentence, torch.tensor([[4, 0, 9]])])
    rank = dist.get_rank()
    # Different numbers of rows: the last batch of a validation split.
    own = slice(0, 4) if rank == 0 else slice(4, 7)
    whole = [x.clone().requires_grad_() for x in (image, text)]
    single = gathered_on_one(*whole, sentence)
    single.backward()
    split = [x[own].clone().requires_grad_() for x in (image, text)]
    total, count = contrast(*split, torch.tensor(0.3, dtype=torch.float64), sentence[own])
    total.backward()
    both = torch.stack([total.detach(), count.double()])
    dist.all_reduce(both)
    largest = torch.stack(
        [(a.grad - b.grad[own]).abs().max() for a, b in zip(split, whole, strict=True)]
    ).max()
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return {
        "loss": abs(both[0].item() - single.item()),
        "count": both[1].item(),
        "gradient": largest.item(),
    }


def gathered_on_one(
    image: torch.Tensor, text: torch.Tensor, sentence: torch.Tensor
) -> torch.Tensor:
    """The sum by its definition, one tile after the other."""
    total = torch.zeros((), dtype=image.dtype)
    said = sentence[:, 0].tolist()
    for tile, mine in enumerate(said):
        if mine < 0:
            continue
        own = image[tile] @ text[tile, 0] / 0.3
        texts = [image[tile] @ t / 0.3 for t in text[(sentence != mine) & (sentence >= 0)]]
        images = [
            image[other] @ text[tile, 0] / 0.3
            for other, theirs in enumerate(said)
            if theirs not in (-1, mine)
        ]
        for rest in (texts, images):
            total = total + (torch.stack([own, *rest]).logsumexp(0) - own) / 2
    return total


if __name__ == "__main__":
    main()
