import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_matrix import write_recipe

from adapters.errors import TrainingError
from training.launch import JobSpec, command, environment, launch, render
from training.recipe import RECIPES, Optimiser, load_recipe
from training.runs import run_folder
from training.train import learning_rate

JOB = JobSpec("soilformer", Path("/shared/fused/v1"), Path("/shared/runs"), ranks=8, nodes=2)


@pytest.mark.parametrize("file", sorted(RECIPES.glob("*.yaml")), ids=lambda file: file.stem)
def test_recipes_load_under_their_own_name(file: Path) -> None:
    assert load_recipe(file.stem).name == file.stem


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="zero_stag"):
        load_recipe(write_recipe(tmp_path / "r.yaml", deepspeed__zero_stag=2))
    with pytest.raises(TrainingError, match="soilformer_large"):
        load_recipe("unheard_of")


def test_the_run_is_named_by_recipe_and_data(tmp_path: Path, matrix: Path) -> None:
    a = load_recipe(write_recipe(tmp_path / "a.yaml"))
    same = load_recipe(write_recipe(tmp_path / "b.yaml", description="other words"))
    other = load_recipe(write_recipe(tmp_path / "c.yaml", seed=9))
    folder = run_folder(a, matrix, tmp_path)
    assert folder == run_folder(same, matrix, tmp_path)
    assert folder != run_folder(other, matrix, tmp_path)
    assert folder.parent.name == "small-synthetic"


def test_slurm_file_is_a_shell_script_that_runs_the_job(tmp_path: Path) -> None:
    text = render(JOB, "slurm", gpus=8)
    assert "#SBATCH --nodes=2" in text
    assert "--nproc-per-node 8" in text
    assert "-m training.train --recipe soilformer --data /shared/fused/v1" in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_kubernetes_file_has_a_pod_for_each_machine() -> None:
    service, job = yaml.safe_load_all(render(JOB, "kubernetes", gpus=8))
    assert job["spec"]["completions"] == 2
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 8
    assert "--rdzv-endpoint soilmeld-soilformer-0.soilmeld-soilformer:29500" in container["args"][0]
    assert service["metadata"]["name"] == job["spec"]["template"]["spec"]["subdomain"]


def test_ray_file_is_for_one_machine() -> None:
    one = JobSpec("soilformer", JOB.data, JOB.out, ranks=4)
    assert yaml.safe_load(render(one, "ray", gpus=4))["spec"]["entrypointNumGpus"] == 4
    with pytest.raises(TrainingError, match="one machine"):
        render(JOB, "ray")
    with pytest.raises(TrainingError, match="render"):
        command(JOB)


def test_environment_shares_cores_out_and_finds_ninja() -> None:
    added = environment(JobSpec("soilformer", JOB.data, JOB.out, ranks=64))
    assert added["OMP_NUM_THREADS"] == "1"
    assert added["PATH"].startswith(str(Path(sys.executable).parent))


def test_a_job_that_leaves_no_model_is_an_error(tmp_path: Path, matrix: Path) -> None:
    seen = []
    with pytest.raises(TrainingError, match="without a model"):
        launch(
            write_recipe(tmp_path / "r.yaml"),
            matrix,
            tmp_path,
            2,
            pipes=lambda command, variables: seen.append((command, variables)),
        )
    assert "training.train" in seen[0][0]


def test_learning_rate_warms_up_and_falls() -> None:
    o = Optimiser(learning_rate=1.0, final_learning_rate=0.2, warmup_epochs=5, warmup_start=0.1)
    assert learning_rate(o, 0, 105) == pytest.approx(0.1)
    assert learning_rate(o, 2.5, 105) == pytest.approx(0.55)
    assert learning_rate(o, 5, 105) == pytest.approx(1.0)
    assert learning_rate(o, 55, 105) == pytest.approx(0.6)
    assert learning_rate(o, 105, 105) == pytest.approx(0.2)


def test_inference_needs_neither_deepspeed_nor_dagster() -> None:
    code = (
        "import sys, training.predict, training.evaluate, training.launch, training.tile_features; "
        "print([m for m in ('deepspeed', 'dagster', 'dagster_pipes') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
