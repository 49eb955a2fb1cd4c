"""A recipe of profiles of a few seconds."""

from pathlib import Path

import yaml


def write_profile_recipe(path: Path, **changes: object) -> Path:
    """Write a recipe; keys with two underscores reach into parts."""
    recipe = {
        "name": path.stem,
        "description": "test",
        "dataset": {
            "name": "profiles",
            "least_seen": 1,
            "light": 0.1,
            "site_drop": 0.2,
            "forcing": {"first": 1.0, "last": 0.2, "passes": 1},
        },
        "model": {
            "name": "soilnet",
            "encoder": {"name": "patch_cnn", "patch": 8, "widths": [8, 8], "pools": [[1, 2]] * 2},
            "depth_head": "cross_attention",
            "site_width": 8,
            "depth_width": 16,
            "segment_width": 16,
            "property_width": 8,
            "told_width": 8,
            "symbol_width": 8,
            "attention_heads": 2,
            "dropout": 0.1,
        },
        "loss": {"name": "profile", "labels": "hierarchical"},
        "optimiser": {
            "learning_rate": 0.002,
            "final_learning_rate": 0.0001,
            "warmup_epochs": 0.2,
            "decay_vectors": False,
        },
        "deepspeed": {"zero_stage": 2, "precision": "fp32"},
        "epochs": 1.5,
        "batch": 8,
        "checkpoint_epochs": 0.5,
        "keep": 3,
        "seed": 1,
        "mask_seed": 2,
    }
    for key, value in changes.items():
        *parts, leaf = key.split("__")
        node = recipe
        for part in parts:
            node = node[part]
        node[leaf] = value
    path.write_text(yaml.safe_dump(recipe))
    return path
