"""Run under torchrun: several recipes in one start, each to its end and again from its middle."""

import json
import shutil
import sys
from pathlib import Path

import torch.distributed as dist
from safetensors.torch import load_file

from training import checkpoints
from training.recipe import load_recipe
from training.train import end_process, start_process, train


def main() -> None:
    data, out, *recipes = map(Path, sys.argv[1:])
    start_process()
    found = {}
    for path in recipes:
        recipe = load_recipe(path)
        run = train(recipe, data, out / "whole")
        again = out / "again" / run.parent.name / run.name
        if dist.get_rank() == 0:
            shutil.copytree(run, again)
            for name in ("meta.json", "model.json", "model.safetensors"):
                (again / name).unlink()
            *_, middle, _ = checkpoints.complete(again)
            shutil.rmtree(checkpoints.complete(again)[-1])
            # What a killed write leaves behind.
            shutil.copytree(middle, again / "checkpoints" / ".writing-000000099999")
        dist.barrier()
        train(recipe, data, out / "again")
        if dist.get_rank() == 0:
            a, b = load_file(run / "model.safetensors"), load_file(again / "model.safetensors")
            whole, resumed = (json.loads((r / "meta.json").read_text()) for r in (run, again))
            found[recipe.name] = {
                "run": str(run),
                "whole": whole["metrics"],
                "resumed": resumed["metrics"],
                "resumed_from": int(middle.name),
                "samples": whole["samples"],
                "largest_difference": max((a[k] - b[k]).abs().max().item() for k in a),
                "same_lines": (run / "metrics.jsonl").read_text()
                == (again / "metrics.jsonl").read_text(),
                "left_behind": len(list((again / "checkpoints").glob(".writing-*"))),
            }
    if dist.get_rank() == 0:
        (out / "found.json").write_text(json.dumps(found))
    end_process()


if __name__ == "__main__":
    main()
