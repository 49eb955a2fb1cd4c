"""A small fused matrix with known relations, and recipes small enough for tests."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import yaml


def write_matrix(folder: Path, rows: int = 600, seed: int = 3) -> Path:
    """Rows of two latent causes; numeric, vector and categorical features follow them.

    `noise` follows nothing; `clay + silt + sand` make an exact sum; `rare` has too few values.
    """
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows))
    jitter = lambda size=None: 0.15 * rng.normal(size=size or rows)  # noqa: E731
    columns = {
        "clay": 30 + 8 * (a + jitter()),
        "sand": 40 - 9 * (a + jitter()),
        "ph_h2o": 6.5 + b + jitter(),
        "ph_cacl2": 6.0 + b + jitter(),
        "organic_carbon": np.exp(2.0 + a - b + jitter()),
        "nitrogen": np.exp(0.5 + a - b + jitter()),
        "noise": rng.normal(size=rows),
        "sum": np.zeros(rows),
        "rare": np.where(np.arange(rows) < 9, 1.0 + np.arange(rows), np.nan),
    }
    columns["sum"] = columns["clay"] + columns["sand"]
    for name in list(columns)[:7]:
        columns[name][rng.random(rows) < 0.25] = np.nan
    spectrum = a[:, None] * np.linspace(0, 1, 4) + b[:, None] + jitter((rows, 4))
    label = np.where(a > 0.5, "C", np.where(a > -0.5, "B", "A")).tolist()
    label = [None if drop else one for one, drop in zip(label, rng.random(rows) < 0.2, strict=True)]
    reaction = np.where(b > 0, "alkaline", "acid").tolist()
    ids = [f"s{i:05d}" for i in range(rows)]
    frame = pl.DataFrame(
        {"sample_id": ids}
        | {name: pl.Series(v).fill_nan(None) for name, v in columns.items()}
        | {"label": label, "reaction": reaction, "remark": ["x"] * rows}
    ).with_columns(
        pl.Series(
            "spectrum",
            [None if i % 5 == 0 else row.tolist() for i, row in enumerate(spectrum)],
            dtype=pl.Array(pl.Float32, 4),
        )
    )
    folder.mkdir(parents=True)
    frame.write_parquet(folder / "matrix.parquet")
    cluster = np.arange(rows) // 4
    side = np.array(["train"] * 6 + ["validation"] + ["test"] * 3)[cluster % 10]
    pl.DataFrame(
        {"sample_id": ids, "cluster": cluster, "block": cluster // 8, "split": side}
    ).write_parquet(folder / "splits.parquet")
    kinds = {"label": "categorical", "reaction": "categorical", "remark": "text"}
    features = [
        {
            "id": name,
            "class": kinds.get(name, "numeric"),
            "unit": "1",
            "array_length": 4 if name == "spectrum" else None,
            "licences": ["CC-BY-SA-4.0" if name == "noise" else "CC-BY-4.0"],
            "redistribute": True,
            "share_alike": name == "noise",
            "minimum": frame[name].min() if frame.schema[name] == pl.Float64 else None,
            "maximum": frame[name].max() if frame.schema[name] == pl.Float64 else None,
            "plausible_minimum": 0.0 if name in ("organic_carbon", "nitrogen") else None,
            "plausible_maximum": None,
            "derived_from": ["clay", "sand"] if name == "sum" else [],
            "adds_up_with": [],
        }
        for name in frame.columns[1:]
    ]
    (folder / "dictionary.json").write_text(
        json.dumps(
            {"schema_version": 1, "group": "synthetic", "origin": "synthetic", "features": features}
        )
    )
    return folder


def write_recipe(path: Path, **changes: object) -> Path:
    """A recipe of a few seconds; keys with a dot reach into parts."""
    recipe = {
        "name": "small",
        "description": "test",
        "dataset": {"name": "matrix", "minimum_observed": 30},
        "model": {
            "name": "soilformer",
            "hidden": 32,
            "layers": 2,
            "heads": 4,
            "kv_heads": 2,
            "head_dim": 8,
            "mlp_ratio": 1.5,
            "dropout": 0.1,
            "init_std": 0.1,
        },
        "loss": {"name": "heteroscedastic"},
        "optimiser": {"learning_rate": 0.005, "final_learning_rate": 0.0002, "warmup_epochs": 0.5},
        "deepspeed": {"zero_stage": 2, "precision": "fp32"},
        "epochs": 2,
        "batch": 16,
        "checkpoint_epochs": 0.4,
        "keep": 3,
        "seed": 1,
        "mask_seed": 2,
    }
    for key, value in changes.items():
        part, _, leaf = key.rpartition("__")
        (recipe[part] if part else recipe)[leaf] = value
    path.write_text(yaml.safe_dump(recipe))
    return path
