"""A small network of profiles, taught for a moment without the training loop, and exported."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from training.parts import LOSSES, MODELS
from training.profile_calibrate import calibrate_profiles
from training.profiles import load
from training.recipe import Forcing, ProfileLoss, ProfilesDataset, Recipe, SoilNetModel
from training.runs import write_json

MODEL = {
    "encoder": {
        "name": "patch_cnn",
        "patch": 4,
        "widths": (16, 32),
        "pools": ((2, 4), (1, 4)),
    },
    "depth_head": "lstm",
    "site_width": 16,
    "depth_width": 32,
    "segment_width": 32,
    "property_width": 16,
    "told_width": 8,
    "symbol_width": 32,
    "attention_heads": 2,
    "dropout": 0.0,
}


def recipe(**changes: object) -> Recipe:
    """A recipe of that network."""
    return Recipe(
        name="small",
        description="For tests.",
        dataset=ProfilesDataset(least_seen=1, forcing=Forcing(first=1.0, last=0.5, passes=2)),
        model=SoilNetModel(**{**MODEL, **changes}),
        loss=ProfileLoss(),
        optimiser={"learning_rate": 0.01, "final_learning_rate": 0.001, "warmup_epochs": 0},
        deepspeed={"zero_stage": 1, "precision": "fp32"},
        epochs=1,
        batch=8,
        checkpoint_epochs=1,
        keep=1,
        seed=0,
        mask_seed=1,
    )


def export(run: Path, data: Path, *, steps: int = 0, **changes: object) -> Path:
    """The folder of a run that ended after so many steps.

    Args:
        run: The folder.
        data: Version of a profile set.
        steps: Of Adam, 16 photographs each.
        changes: Of the model.
    """
    said = recipe(**changes)
    dataset = load(data, said.dataset)
    torch.manual_seed(0)
    model = MODELS["soilnet"](said.model, dataset.schema)
    loss_of = LOSSES["profile"](said.loss, dataset.schema)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    rows = dataset.rows("train")
    for step in range(steps):
        draws = step * 16 + np.arange(16)
        batch = dataset.draw(rows[draws % len(rows)], draws, 0)
        terms = loss_of(model(batch), batch).values()
        loss = sum(total / count.clamp(min=1) for total, count in terms)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    run.mkdir(parents=True)
    save_file(model.state_dict(), run / "model.safetensors")
    origin = dataset.described["origin"]
    exported = {
        "origin": origin,
        "model": said.model.model_dump(mode="json"),
        "schema": dataset.schema.model_dump(mode="json"),
        "calibration": calibrate_profiles(model, dataset, 0).model_dump(mode="json"),
    }
    write_json(run / "model.json", exported)
    described = {
        "origin": origin,
        "data": dataset.described,
        "recipe": said.model_dump(mode="json"),
        "code_version": "none",
    }
    (run / "meta.json").write_text(json.dumps(described))
    return run
