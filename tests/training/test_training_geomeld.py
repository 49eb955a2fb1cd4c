"""GeoMeld-FM in the one training loop: two processes, ZeRO stages, resume, teacher, collapse."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_tiles import SCHEMA, MadeTiles, write_tile_recipe, write_tiles
from safetensors.torch import load_file
from typer.testing import CliRunner

from adapters.errors import TrainingError
from soilmeld.cli import app
from training import checkpoints
from training.launch import JobSpec, command, environment
from training.masks import visible_patches
from training.monitors import below, spread
from training.parts import AFTER_STEP, MODELS
from training.recipe import Limits, load_recipe
from training.runs import run_folder

LIMITS = {"least_deviation": 0.0, "least_rank": 500.0, "from_epoch": 0.5}
STAGES = {
    "zero2": {"limits": LIMITS | {"action": "warn"}},
    "zero1": {"deepspeed__zero_stage": 1, "deepspeed__precision": "bf16"},
    "zero3": {"deepspeed__zero_stage": 3},
}
STOPPING = {"limits": LIMITS | {"action": "stop"}, "model__contrast_width": 0}
EVERY_STAGE = pytest.mark.parametrize(
    "name", ["zero2", *(pytest.param(k, marks=pytest.mark.long) for k in ("zero1", "zero3"))]
)
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiles(tmp_path_factory.mktemp("tiles") / "v1")


@pytest.fixture(scope="session")
def tile_recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recipes")
    wanted = STAGES | {"stopping": STOPPING}
    return {k: write_tile_recipe(folder / f"{k}.yaml", **v) for k, v in wanted.items()}


def start(ranks: int, *arguments: object) -> dict:
    job = JobSpec("", HERE, HERE, ranks)
    torchrun = command(job)[: command(job).index("-m", 3)]
    done = subprocess.run(
        [*torchrun, str(HERE / "geomeld_cases.py"), *map(str, arguments)],
        env=os.environ | environment(job),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads((Path(arguments[1]) / "found.json").read_text())


@pytest.fixture(scope="session")
def two(
    tmp_path_factory: pytest.TempPathFactory, tiles: Path, tile_recipes: dict[str, Path]
) -> dict:
    """All of the default tests in one start of two processes: starting costs more than training."""
    zero2, stopping = (tile_recipes[name] for name in ("zero2", "stopping"))
    out = tmp_path_factory.mktemp("runs")
    return start(2, tiles, out, "--twice", zero2, "--once", stopping)


@pytest.fixture(scope="session")
def other_stages(
    tmp_path_factory: pytest.TempPathFactory, tiles: Path, tile_recipes: dict[str, Path]
) -> dict:
    twice = [tile_recipes[name] for name in ("zero1", "zero3")]
    return start(2, tiles, tmp_path_factory.mktemp("runs"), "--twice", *twice)


@pytest.fixture
def case(name: str, request: pytest.FixtureRequest) -> dict:
    """What became of a stage's recipe."""
    return request.getfixturevalue("two" if name == "zero2" else "other_stages")[name]


@EVERY_STAGE
def test_a_resumed_run_ends_where_a_whole_one_ends(case: dict) -> None:
    """To the bit, the teacher's weights too."""
    assert case["differing"] == []
    assert case["same_lines"]


def test_two_processes_contrast_as_one(two: dict) -> None:
    assert two["contrast"]["count"] == 6
    assert two["contrast"]["loss"] < 1e-9
    assert two["contrast"]["gradient"] < 1e-9


@EVERY_STAGE
def test_the_exported_teacher_is_one_that_followed(
    case: dict, tile_recipes: dict[str, Path], name: str
) -> None:
    recipe = load_recipe(tile_recipes[name])
    weights = load_file(Path(case["run"]) / "model.safetensors")
    torch.manual_seed(recipe.seed)
    first = MODELS["geomeld_fm"](recipe.model, SCHEMA).state_dict()
    assert weights.keys() == first.keys()
    key = "encoder.stages.2.0.expand.weight"
    start_, teacher, student = first[key], weights[f"teacher.{key}"], weights[key]
    assert teacher.dtype == torch.float32
    assert not torch.equal(teacher, start_)
    between = (teacher - start_).norm() / (student - start_).norm()
    assert 0.05 < between < 0.95


@pytest.mark.parametrize(("done", "momentum"), [(0.0, 0.9), (0.25, 0.925), (1.0, 1.0)])
def test_the_teacher_follows_the_slower_the_more_is_done(
    tile_recipes: dict[str, Path], done: float, momentum: float
) -> None:
    recipe, asked = load_recipe(tile_recipes["zero2"]), []
    assert recipe.model.teacher_momentum == 0.9
    AFTER_STEP["geomeld_fm"](SimpleNamespace(follow=asked.append), recipe.model, done)
    assert asked == [pytest.approx(momentum)]


def test_what_a_run_reports(two: dict) -> None:
    run = Path(two["zero2"]["run"])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    validation = [line for line in lines if line["split"] == "validation"]
    for term in ("sentinel2", "relief", "worldcover", "jepa"):
        assert validation[-1][term] < validation[0][term]
    terms = {"sentinel2", "relief", "worldcover", "soil", "jepa", "contrast"}
    for line in lines:
        assert terms <= line.keys()
        assert line["loss"] == pytest.approx(sum(line[t] for t in terms), rel=1e-6)
        assert {"sentinel2_unweighted", "soil_weight", "temperature"} <= line.keys()
        assert 0 < line["features_deviation"] <= 1
        assert 1 <= line["teacher_effective_rank"] <= 12
    weighted = lines[-1]["relief"]
    raw, weight = lines[-1]["relief_unweighted"], lines[-1]["relief_weight"]
    assert weighted == pytest.approx(weight * raw - np.log(weight), abs=1e-4)
    described = json.loads((run / "model.json").read_text())
    assert described["schema"]["patch"] == 8
    assert "calibration" not in described


def test_the_command_line_takes_a_recipe_of_tiles(
    two: dict, tiles: Path, tile_recipes: dict[str, Path], tmp_path: Path
) -> None:
    """It finds the run that is finished, and starts nothing."""
    whole = Path(two["zero2"]["run"])
    shutil.copytree(whole, tmp_path / "data" / "runs" / whole.parent.name / whole.name)
    (tmp_path / "soilmeld.toml").write_text('data_root = "data"\n')
    asked = ["train", "--data", str(tiles), "--settings", str(tmp_path / "soilmeld.toml")]
    said = CliRunner().invoke(app, [*asked, "--recipe", str(tile_recipes["zero2"])])
    assert said.exit_code == 0, said.output
    assert "72 samples seen" in said.output
    assert "origin of the data: synthetic" in said.output
    assert whole.name in said.output
    refused = CliRunner().invoke(app, [*asked, "--recipe", "no_such"])
    assert isinstance(refused.exception, TrainingError)
    assert "geomeld_fm_atto" in str(refused.exception)


def test_shipped_recipes_are_of_the_six_targets(tiles: Path) -> None:
    for name, size in (("geomeld_fm_atto", "atto"), ("geomeld_fm_base", "base")):
        recipe = load_recipe(name)
        assert (recipe.name, recipe.model.size) == (name, size)
        targets = {"sentinel2", "sentinel1", "relief", "canopy_height"}
        assert set(recipe.model.targets) == targets | {"worldcover", "dynamic_world"}
        assert recipe.model.predictor_width
        assert recipe.model.contrast_width
        assert recipe.limits
        assert run_folder(recipe, tiles, tiles).parent.name == f"{name}-synthetic"


@pytest.mark.long
@pytest.mark.parametrize("name", STAGES)
def test_another_number_of_processes_continues(
    case: dict, tiles: Path, tile_recipes: dict[str, Path], tmp_path: Path, name: str
) -> None:
    whole = Path(case["run"])
    run = shutil.copytree(whole, tmp_path / whole.parent.name / whole.name)
    for file in ("meta.json", "model.json", "model.safetensors"):
        (run / file).unlink()
    shutil.rmtree(checkpoints.complete(run)[-1])
    assert start(1, tiles, tmp_path, "--once", tile_recipes[name])[name] == {"run": str(run)}
    described = json.loads((run / "meta.json").read_text())
    assert described["processes"] == 1
    a, b = load_file(run / "model.safetensors"), load_file(whole / "model.safetensors")
    tolerance = 2e-2 if name == "zero1" else 1e-4  # bfloat16 sums differently over one process
    assert max((a[k] - b[k]).abs().max().item() for k in a) < tolerance
    before = json.loads((whole / "meta.json").read_text())["metrics"]["validation"]
    assert described["metrics"]["validation"]["loss"] == pytest.approx(before["loss"], rel=1e-2)


def test_collapse_stops_the_run_or_warns(two: dict) -> None:
    assert "the features have collapsed after 24 samples" in two["stopping"]["refused"]
    warned = Path(two["zero2"]["run"])
    stopped = next((warned.parents[2] / "stopping-synthetic").glob("*/metrics.jsonl")).parent
    assert checkpoints.complete(stopped) == []
    assert not (stopped / "meta.json").exists()
    for run, count in ((stopped, 1), (warned, 3)):
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        told = [line["warning"] for line in lines if line["split"] == "validation"]
        assert len(told) == count
        assert all("features_effective_rank is" in warning for warning in told)
        assert all("less than 500" in warning for warning in told)
        assert not any("warning" in line for line in lines if line["split"] == "train")


def test_spread_by_hand() -> None:
    alike = spread(torch.ones(10, 4))
    assert alike == pytest.approx({"deviation": 0.0, "effective_rank": 1.0}, abs=1e-6)
    even = spread(torch.eye(4))
    assert even["effective_rank"] == pytest.approx(4.0)
    assert even["deviation"] == pytest.approx(np.sqrt(3 / 4))
    opposite = spread(torch.cat([torch.eye(4), -torch.eye(4)]))
    assert opposite["deviation"] == pytest.approx(1.0)
    # Their size says nothing: a network may shrink all features, or blow them up.
    drawn = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    assert spread(1e3 * drawn) == pytest.approx(spread(drawn))
    limits = Limits(least_deviation=0.1, least_rank=2.0, from_epoch=0, action="warn")
    values = {"features_deviation": 0.05, "features_effective_rank": 3.0, "loss": 0.0}
    assert below(values, limits) == ["features_deviation is 0.05, less than 0.1"]


def test_masks_see_as_many_patches_in_every_draw() -> None:
    seen = visible_patches(64, 26, 7, np.arange(500))
    assert (seen.sum(1) == 26).all()
    assert np.abs(seen.mean(0) - 26 / 64).max() < 0.08
    assert len(np.unique(seen, axis=0)) == 500
    assert (visible_patches(64, 26, 7, np.arange(100, 103)) == seen[100:103]).all()


def test_a_recipe_that_the_tiles_cannot_serve_is_refused(tmp_path: Path) -> None:
    recipe = load_recipe(write_tile_recipe(tmp_path / "r.yaml", model__targets=["sentinel1"]))
    with pytest.raises(TrainingError, match="lack modalities"):
        MODELS["geomeld_fm"](recipe.model, SCHEMA)
    recipe = load_recipe(write_tile_recipe(tmp_path / "r.yaml"))
    with pytest.raises(TrainingError, match="have none"):
        MODELS["geomeld_fm"](recipe.model, SCHEMA.model_copy(update={"caption_width": 0}))


def test_made_tiles_hold_rubbish_where_absent(tiles: Path, tile_recipes: dict[str, Path]) -> None:
    """What the other tests rest on: reading an absent value would be found out."""
    made = MadeTiles(tiles, load_recipe(tile_recipes["zero2"]).dataset)
    assert all(not p.all() for p in made.present.values())
    assert np.isnan(made.values["relief"][~made.present["relief"]]).all()
    assert (made.sentence < 0).any()
