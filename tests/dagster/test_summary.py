"""What the summary of a run says of an evaluation."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from dagster_project.summary import _evaluation


@pytest.mark.parametrize(
    ("clusters", "low", "high", "said"),
    [
        (1, None, None, "model 1.079 (no interval: 1 cluster)"),
        (4, None, None, "model 1.079 (no interval: 4 clusters)"),
        (22, 0.9, 1.2, "model 1.079 [0.900, 1.200]"),
    ],
)
def test_a_mean_without_interval_says_why(
    tmp_path: Path, clusters: int, low: float | None, high: float | None, said: str
) -> None:
    value = {"value": 1.079, "low": low, "high": high, "clusters": clusters}
    report = {
        "recipe": "soilformer",
        "origin": "open",
        "protocol": {
            "test_rows": 102,
            "test_clusters": clusters,
            "interval": "95 %",
            "measure": {"numeric": "error"},
        },
        "all_features": {"numeric": {"methods": {"model": value}}},
        "lightgbm_features": {},
    }
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps(report), encoding="utf-8")
    console = Console(width=160, record=True, highlight=False)
    _evaluation(console, file)
    text = console.export_text()
    assert said in text
    assert f"in {clusters} cluster{'s' if clusters > 1 else ''} of sites (OPEN data" in text
