"""SoilNet in the training loop: two processes, ZeRO stages, resume, recipes that are shipped."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from few_profiles import write_profile_recipe
from good_profile import a_set
from safetensors.torch import load_file

from adapters.errors import TrainingError
from training.launch import JobSpec, command, environment
from training.parts import LOSSES, MODELS
from training.profiles import load
from training.recipe import RECIPES, ProfilesDataset, load_recipe
from training.runs import is_finished, run_folder

HERE = Path(__file__).parent
torch.set_num_threads(1)
CASES = {
    "end2end": {},
    "crop": {
        "model__segments": "crop",
        "model__depth_head": "lstm",
        "model__symbol_head": "embedding",
        "loss__labels": "embedding",
        "deepspeed__zero_stage": 1,
    },
    "zero3": {"deepspeed__zero_stage": 3, "model__tasks": ["depths", "symbols"]},
    "backbone": {"deepspeed__precision": "bf16"},  # with weights of a folder
}
LONG = tuple(CASES)[1:]
EVERY_CASE = pytest.mark.parametrize(
    "name", ["end2end", *(pytest.param(k, marks=pytest.mark.long) for k in LONG)]
)


@pytest.fixture(scope="session")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_set(tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="session")
def profile_recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from transformers import ConvNextV2Backbone, ConvNextV2Config

    folder = tmp_path_factory.mktemp("recipes")
    size = ConvNextV2Config(hidden_sizes=[8, 8], depths=[1, 1], num_stages=2)
    ConvNextV2Backbone(size).save_pretrained(folder / "weights")
    encoder = {"name": "transformers", "folder": str(folder / "weights")}
    of_folder = CASES["backbone"] | {"model__encoder": encoder}
    cases = CASES | {"backbone": of_folder}
    return {k: write_profile_recipe(folder / f"{k}.yaml", **v) for k, v in cases.items()}


def start(out: Path, data: Path, *recipes: Path) -> dict:
    job = JobSpec("", data, out, 2)
    torchrun = command(job)[: command(job).index("-m", 3)]
    done = subprocess.run(
        [*torchrun, str(HERE / "zero_cases.py"), str(data), str(out), *map(str, recipes)],
        env=os.environ | environment(job),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads((out / "found.json").read_text())


@pytest.fixture(scope="session")
def two(
    tmp_path_factory: pytest.TempPathFactory, profiles: Path, profile_recipes: dict[str, Path]
) -> dict:
    return start(tmp_path_factory.mktemp("runs"), profiles, profile_recipes["end2end"])


@pytest.fixture(scope="session")
def others(
    tmp_path_factory: pytest.TempPathFactory, profiles: Path, profile_recipes: dict[str, Path]
) -> dict:
    wanted = [profile_recipes[name] for name in LONG]
    return start(tmp_path_factory.mktemp("runs"), profiles, *wanted)


@EVERY_CASE
def test_a_resumed_run_ends_where_a_whole_one_ends(
    name: str, request: pytest.FixtureRequest
) -> None:
    """To the bit: what was forced, turned, lit and withheld is the same."""
    case = request.getfixturevalue("two" if name == "end2end" else "others")[name]
    assert 0 < case["resumed_from"] < case["samples"]
    assert case["largest_difference"] == 0
    assert case["same_lines"]
    assert case["left_behind"] == 0


def test_what_a_run_reports(two: dict, profiles: Path, profile_recipes: dict[str, Path]) -> None:
    run = Path(two["end2end"]["run"])
    assert is_finished(run)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    classes = {"texture", "colour", "carbonate", "humus", "roots"}
    for line in lines:
        terms = {"depth", "pointing", "stop", "stones", "symbol"} | classes
        assert line["loss"] == pytest.approx(sum(line[term] for term in terms), rel=1e-6)
    described = json.loads((run / "model.json").read_text())
    recipe = load_recipe(profile_recipes["end2end"])
    dataset = load(profiles, recipe.dataset)
    assert described["schema"] == dataset.schema.model_dump(mode="json")
    model = MODELS["soilnet"](recipe.model, dataset.schema)
    model.load_state_dict(load_file(run / "model.safetensors"))
    found = model.eval()(dataset.whole(dataset.rows("test")))
    assert torch.isfinite(found["symbol"]).all()
    assert json.loads((run / "meta.json").read_text())["data"]["licences"] == ["CC0-1.0"]


def test_eight_photographs_can_be_learned_by_heart(profiles: Path, tmp_path: Path) -> None:
    path = write_profile_recipe(
        tmp_path / "heart.yaml",
        dataset__horizons=4,
        model__encoder={
            "name": "patch_cnn",
            "patch": 4,
            "widths": [12, 16],
            "pools": [[1, 2], [1, 2]],
        },
        model__dropout=0.0,
        model__segment_width=32,
        model__symbol_width=24,
        model__property_width=24,
    )
    recipe = load_recipe(path)
    dataset = load(profiles, recipe.dataset)
    rows = dataset.rows("train")[:24:3]
    batch = dataset.whole(rows)
    # A strip of each picture is enough, and every second row.
    batch["picture"] = batch["picture"][:, :, ::2, 60:76]
    batch["soil"] = batch["soil"][:, ::2, 60:76]
    torch.manual_seed(0)
    model = MODELS["soilnet"](recipe.model, dataset.schema)
    loss_of = LOSSES["profile"](recipe.loss, dataset.schema)
    optimiser = torch.optim.AdamW(model.parameters(), lr=8e-3)
    for step in range(100):
        batch["force_depths"][:] = batch["force_properties"][:] = step < 75
        terms = loss_of(model(batch), batch)
        loss = sum(total / count for total, count in terms.values())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    batch["force_depths"][:] = batch["force_properties"][:] = False
    found = model.eval()(batch)
    assert (found["bounds"] - batch["bounds"]).abs().max() < 0.05
    known = batch["symbol"] >= 0
    assert torch.equal(found["symbol"].argmax(-1)[known], batch["symbol"][known])
    known = batch["classes"]["colour"] >= 0
    colours = found["classes"]["colour"].argmax(-1)[known]
    assert torch.equal(colours, batch["classes"]["colour"][known])


def test_shipped_recipes_are_of_the_families(profiles: Path) -> None:
    """Each makes a model of this set, whose tasks are those of its family."""
    tasks = {
        "soilnet_simple_depth": {"depths"},
        "soilnet_simple_tabulars": {"properties"},
        "soilnet_simple_horizon": {"symbols"},
        "soilnet_end2end": {"depths", "properties", "symbols"},
        "soilnet_end2end_large": {"depths", "properties", "symbols"},
    }
    assert {path.stem for path in RECIPES.glob("soilnet_*.yaml")} == tasks.keys()
    schema = load(profiles, ProfilesDataset(least_seen=1)).schema
    for name, told in tasks.items():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert set(recipe.model.tasks) == told
        with torch.device("meta"):
            model = MODELS["soilnet"](recipe.model, schema)
        assert sum(p.numel() for p in model.parameters()) > 10_000
        assert run_folder(recipe, profiles, profiles).parent.name == f"{name}-synthetic"


def test_what_does_not_go_together_is_refused(profiles: Path, tmp_path: Path) -> None:
    def refused(match: str, **changes: object) -> None:
        with pytest.raises(TrainingError, match=match):
            load_recipe(write_profile_recipe(tmp_path / "wrong.yaml", **changes))

    refused("go together", loss__labels="embedding")
    refused("go together", model__symbol_head="embedding")
    refused("as many", model__encoder__pools=[[1, 2]])
    refused("configuration or a folder", model__encoder={"name": "transformers"})
    path = write_profile_recipe(
        tmp_path / "wrong.yaml",
        model__encoder={"name": "transformers", "folder": str(tmp_path / "nowhere")},
    )
    recipe = load_recipe(path)
    with pytest.raises(TrainingError, match="no such backbone"):
        MODELS["soilnet"](recipe.model, load(profiles, recipe.dataset).schema)


def test_the_embedding_of_labels_is_that_of_the_taxonomy(profiles: Path) -> None:
    """It travels with the schema: a model needs no codebook."""
    schema = load(profiles, ProfilesDataset(least_seen=1)).schema
    vectors = dict(zip(schema.labels, np.array(schema.embedding), strict=True))
    assert vectors["Sw-Bv"] @ vectors["Bv"] == pytest.approx(0.897, abs=5e-4)
    assert vectors["C"] @ vectors["elC"] == pytest.approx(0.5)
    assert vectors["Ap"] @ vectors["elC"] == pytest.approx(0, abs=1e-9)
