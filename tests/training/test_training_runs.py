"""Real training jobs: two processes, ZeRO stages, kills, another number of processes."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from safetensors.torch import load_file
from small_matrix import write_recipe

from adapters.errors import TrainingError
from training import checkpoints
from training.data import load
from training.evaluate import evaluate
from training.launch import JobSpec, command, environment, launch
from training.predict import Predictor
from training.recipe import load_recipe
from training.runs import run_folder

STAGES = {
    "zero1": {"deepspeed__zero_stage": 1},
    "zero2": {"deepspeed__zero_stage": 2, "epochs": 6, "checkpoint_epochs": 0.5},
    "zero3": {"deepspeed__zero_stage": 3},
    "bf16": {"deepspeed__precision": "bf16", "epochs": 0.6, "checkpoint_epochs": 0.2},
}


EVERYDAY = ("zero2", "zero3")
EVERY_STAGE = pytest.mark.parametrize(
    "name", [n if n in EVERYDAY else pytest.param(n, marks=pytest.mark.long) for n in STAGES]
)


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recipes")
    return {
        name: write_recipe(folder / f"{name}.yaml", name=name, **changes)
        for name, changes in STAGES.items()
    }


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory, matrix: Path, recipes: dict[str, Path]) -> dict:
    """Stages that are run each time."""
    chosen = [recipes[name] for name in EVERYDAY]
    return _cases(tmp_path_factory.mktemp("runs"), matrix, chosen)


@pytest.fixture(scope="session")
def others(
    tmp_path_factory: pytest.TempPathFactory, matrix: Path, recipes: dict[str, Path]
) -> dict:
    """The other stages."""
    chosen = [path for name, path in recipes.items() if name not in EVERYDAY]
    return _cases(tmp_path_factory.mktemp("others"), matrix, chosen)


def _cases(out: Path, matrix: Path, recipes: list[Path]) -> dict:
    """Several stages in one start of two processes: starting costs more than training."""
    job = JobSpec("", matrix, out, 2)
    script = [str(Path(__file__).with_name("zero_cases.py")), str(matrix), str(out)]
    start = command(job)[: command(job).index("-m", 3)]
    done = subprocess.run(
        [*start, *script, *map(str, recipes)],
        env=os.environ | environment(job),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads((out / "found.json").read_text())


@pytest.fixture
def case(request: pytest.FixtureRequest, name: str) -> dict:
    """What was found of one stage."""
    return request.getfixturevalue("cases" if name in EVERYDAY else "others")[name]


@EVERY_STAGE
def test_a_resumed_run_ends_where_a_whole_one_ends(case: dict) -> None:
    assert 0 < case["resumed_from"] < case["samples"]
    for split in ("train", "validation"):
        assert case["resumed"][split]["loss"] == pytest.approx(
            case["whole"][split]["loss"], abs=1e-4
        )
    assert case["largest_difference"] < 1e-4
    assert case["same_lines"]
    assert case["left_behind"] == 0


@pytest.mark.long
def test_stages_agree(cases: dict, others: dict) -> None:
    found = (others["zero1"], cases["zero3"])
    losses = [stage["whole"]["validation"]["loss"] for stage in found]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_the_run_says_what_it_is(cases: dict, matrix: Path) -> None:
    run = Path(cases["zero2"]["run"])
    described = json.loads((run / "meta.json").read_text())
    assert described["origin"] == "synthetic"
    assert described["data"]["version"] == "v1"
    assert described["data"]["share_alike"] == ["noise"]
    assert described["data"]["licences"] == ["CC-BY-4.0", "CC-BY-SA-4.0"]
    assert described["processes"] == 2
    kept = checkpoints.complete(run)
    assert len(kept) == 3
    assert checkpoints.meta(kept[-1]) == described
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (run.parent / "CURRENT").read_text().strip() == run.name


def test_a_finished_run_is_found(
    cases: dict, matrix: Path, recipes: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(cases["zero2"]["run"])
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started a job"))
    assert launch(recipes["zero2"], matrix, run.parent.parent, 2) == run


def _kill_when(
    recipe: Path, data: Path, out: Path, moment: Callable[[Path], bool], only_launcher: bool
) -> Path:
    """Start the job, SIGKILL it at a moment, and wait until every process of it is gone."""
    job = JobSpec(str(recipe), data, out, 2)
    run = run_folder(load_recipe(recipe), data, out)
    process = subprocess.Popen(
        command(job),
        env=os.environ | environment(job),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    parent = psutil.Process(process.pid)
    workers: list[psutil.Process] = []
    while not moment(run):
        assert process.poll() is None, "the job ended before the moment came"
        if len(workers) < 2:
            workers = parent.children(recursive=True)
        time.sleep(0.0005)
    assert len(workers) >= 2
    for one in [parent] if only_launcher else [*workers, parent]:
        one.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == [], "processes outlived their launcher"
    return run


@pytest.mark.long
def test_killed_at_any_moment_it_ends_the_same(
    cases: dict, matrix: Path, recipes: dict[str, Path], tmp_path: Path
) -> None:
    """Killed in mid-epoch and in the middle of writing a checkpoint."""

    def in_mid_epoch(run: Path) -> bool:
        if not checkpoints.complete(run):
            return False
        lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
        return lines[-1].endswith("\n") and '"train"' in lines[-1]

    run = _kill_when(recipes["zero2"], matrix, tmp_path, in_mid_epoch, only_launcher=True)
    first = checkpoints.meta(checkpoints.complete(run)[-1])["samples"]

    def writing(run: Path) -> bool:
        return any((run / "checkpoints").glob(".writing-*/state/*"))

    _kill_when(recipes["zero2"], matrix, tmp_path, writing, only_launcher=False)
    assert list((run / "checkpoints").glob(".writing-*")), "the kill came after the write"
    second = checkpoints.meta(checkpoints.complete(run)[-1])["samples"]
    assert first <= second < cases["zero2"]["samples"]

    assert launch(recipes["zero2"], matrix, tmp_path, 2) == run
    assert list((run / "checkpoints").glob(".writing-*")) == []
    whole = Path(cases["zero2"]["run"])
    described = json.loads((run / "meta.json").read_text())
    assert described["metrics"]["validation"]["loss"] == pytest.approx(
        cases["zero2"]["whole"]["validation"]["loss"], abs=1e-4
    )
    a, b = load_file(run / "model.safetensors"), load_file(whole / "model.safetensors")
    assert max((a[k] - b[k]).abs().max().item() for k in a) < 1e-4
    assert (run / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()


def test_it_beats_the_mean_and_finds_no_signal_in_noise(cases: dict, matrix: Path) -> None:
    run = Path(cases["zero2"]["run"])
    report = evaluate(run, matrix)
    for kind, constant in (("numeric", "mean"), ("categorical", "majority")):
        assert report["all_features"][kind]["model_minus"][constant]["verdict"] == (
            "the model is better"
        )
        constants = {"mean", "majority"} & report["all_features"][kind]["methods"].keys()
        assert constants == {constant}
        assert "lightgbm" in report["lightgbm_features"][kind]["methods"]
        assert "neighbours" in report["all_features"][kind]["methods"]
    noise = report["features"]["noise"]["model_minus"]["mean"]
    assert noise["verdict"] != "the model is better"
    value = report["all_features"]["numeric"]["methods"]["model"]
    assert value["low"] < value["value"] < value["high"]
    assert value["clusters"] == report["protocol"]["test_clusters"] == 45
    coverage = report["interval_coverage"]
    assert 0.84 < coverage["value"] < 0.96
    assert json.loads((run / "evaluation.json").read_text()) == report
    text = (run / "evaluation.md").read_text()
    assert "synthetic" in text
    assert "say nothing of real soils" in text


def test_other_data_than_trained_on_is_refused(cases: dict, matrix: Path, tmp_path: Path) -> None:
    other = shutil.copytree(matrix, tmp_path / "v2")
    splits = pl.read_parquet(other / "splits.parquet")
    splits.sort("sample_id", descending=True).write_parquet(other / "splits.parquet")
    with pytest.raises(TrainingError, match="trained on other data"):
        evaluate(Path(cases["zero2"]["run"]), other)


def test_predicted_intervals_hold_what_they_say(
    cases: dict, matrix: Path, recipes: dict[str, Path]
) -> None:
    run = Path(cases["zero2"]["run"])
    dataset = load(matrix, load_recipe(recipes["zero2"]).dataset)
    rows = pl.read_parquet(matrix / "matrix.parquet")[dataset.rows("test")]
    truth = rows.select("sample_id", "organic_carbon").drop_nulls()
    blanked = rows.with_columns(pl.lit(None, dtype=pl.Float64).alias("organic_carbon"))
    predictor = Predictor(run)
    found = predictor.predict(blanked, ["organic_carbon"]).join(truth, on="sample_id")
    inside = found.filter(pl.col("organic_carbon").is_between("lower", "upper")).height
    assert 0.8 < inside / truth.height <= 1.0
    assert found["lower"].min() >= 0
    wide = predictor.predict(blanked, ["organic_carbon"], level=0.95)
    narrow = predictor.predict(blanked, ["organic_carbon"], level=0.5)
    assert ((wide["upper"] - wide["lower"]) > (narrow["upper"] - narrow["lower"])).all()
    assert np.corrcoef(np.log(found["mean"]), np.log(found["organic_carbon"]))[0, 1] > 0.5


def test_what_is_there_is_not_predicted(cases: dict, matrix: Path) -> None:
    predictor = Predictor(Path(cases["zero2"]["run"]))
    rows = pl.DataFrame({"sample_id": ["a", "b"], "clay": [25.0, None], "sand": [40.0, 41.0]})
    found = predictor.predict(rows, ["clay", "label", "spectrum"])
    assert found.filter(feature="clay")["sample_id"].to_list() == ["b"]
    assert found.filter(feature="spectrum")["element"].to_list() == [0, 1, 2, 3] * 2
    labels = found.filter(feature="label")
    assert labels["codes"].list.contains(labels["code"]).all()
    with pytest.raises(TrainingError, match="exact sum"):
        predictor.predict(rows, ["sum"])


@pytest.mark.long
@pytest.mark.parametrize("name", ["zero1", "zero2", "zero3"])
def test_another_number_of_processes_continues(
    case: dict, matrix: Path, recipes: dict[str, Path], tmp_path: Path, name: str
) -> None:
    whole = Path(case["run"])
    run = shutil.copytree(whole, tmp_path / whole.parent.name / whole.name)
    for file in ("meta.json", "model.json", "model.safetensors"):
        (run / file).unlink()
    shutil.rmtree(checkpoints.complete(run)[-1])
    assert launch(recipes[name], matrix, tmp_path, 1) == run
    described = json.loads((run / "meta.json").read_text())
    assert described["processes"] == 1
    assert described["samples"] == case["samples"]
    # Dropout is drawn by each process, so the losses agree closely but not exactly.
    assert described["metrics"]["validation"]["loss"] == pytest.approx(
        case["whole"]["validation"]["loss"], abs=0.05
    )


@pytest.mark.long
def test_under_dagster_the_loss_streams_to_the_asset(
    matrix: Path, tmp_path: Path, recipes: dict[str, Path]
) -> None:
    import dagster as dg

    job = JobSpec(str(recipes["bf16"]), matrix, tmp_path, 2)
    custom = []

    @dg.asset
    def model(
        context: dg.AssetExecutionContext, client: dg.PipesSubprocessClient
    ) -> dg.MaterializeResult:
        done = client.run(command=command(job), context=context, env=environment(job))
        custom.extend(done.get_custom_messages())
        return done.get_materialize_result()

    result = dg.materialize([model], resources={"client": dg.PipesSubprocessClient()})
    metadata = result.asset_materializations_for_node("model")[0].metadata
    assert metadata["origin"].value == "synthetic"
    assert metadata["loss"].value.startswith("![loss](data:image/png;base64,")
    assert {line["split"] for line in custom} == {"train", "validation"}
