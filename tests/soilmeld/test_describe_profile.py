"""`soilmeld describe-profile` and its guide: from the shell, Python and other programs."""

import base64
import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient
from good_profile import a_set
from PIL import Image
from profile_runs import export
from typer.testing import CliRunner

from adapters.settings import Settings
from fusion.profiles.store import ProfileSet
from soilmeld import describe_profile
from soilmeld.cli import app
from soilmeld.profile_descriptions import MODEL, model_in_use
from soilmeld.reader import Dataset, NotFoundError
from soilmeld.server import http_app

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, a model in use and a photograph."""
    home = tmp_path_factory.mktemp("home")
    (home / "soilmeld.toml").write_text('data_root = "data"\n')
    held = ProfileSet(a_set(home / "sets"))
    runs = home / "data" / "runs" / f"{MODEL}-synthetic"
    export(runs / "run", held.folder)
    (runs / "CURRENT").write_text("run\n")
    pixels = held.picture(0)[:, held.soil(0).all(0)]
    Image.fromarray(pixels).save(home / "wall.jpg", quality=95)
    return home


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def shell(line: str) -> str:
    done = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_guide_does_what_it_says(home: Path) -> None:
    text = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    section = text[text.index("## Describing a photograph") :]
    (command,) = re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    (code,) = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    said = shell(command)
    assert "main symbol" in said
    assert "predicted by a model that learnt from synthetic photographs" in said
    known: dict = {}
    exec(compile(code, "profiles.md", "exec"), known)  # noqa: S102
    found = known["described"]
    assert known["table"].height == len(found.horizons)
    folder = home / "described"
    with Image.open(folder / "wall_described.png") as drawn:
        assert min(drawn.size) > 500
    written = json.loads((folder / "wall_described.json").read_text())
    assert written == found.as_dict()
    assert pl.read_csv(folder / "wall_described.csv")["bottom_cm"].to_list()[-1] == 100
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_json_is_printed_and_facts_of_the_site_are_taken() -> None:
    said = json.loads(shell("soilmeld describe-profile wall.jpg --json --site slope=3"))
    assert "slope" not in said["site_unknown"]
    assert "longitude" in said["site_unknown"]
    assert said["origin"] == "synthetic"
    refused = CliRunner().invoke(app, ["describe-profile", "wall.jpg", "--site", "slope"])
    assert refused.exit_code == 2
    assert "NAME=VALUE" in refused.output


def test_other_programs_get_the_same(home: Path) -> None:
    client = TestClient(http_app(Dataset(Settings(data_root=home / "data"))))
    content = base64.b64encode((home / "wall.jpg").read_bytes()).decode()
    body = {"photograph": content, "longitude": 8.5, "latitude": 50.1, "drawing": True}
    answer = client.post("/describe_profile", json=body).json()
    own = describe_profile("wall.jpg", 8.5, 50.1).as_dict()
    assert answer["horizons"] == json.loads(json.dumps(own["horizons"]))
    assert base64.b64decode(answer["drawing"]).startswith(b"\x89PNG")
    for photograph, why in (
        ("?", "not base64"),
        (base64.b64encode(b"text").decode(), "no picture"),
    ):
        refused = client.post("/describe_profile", json={"photograph": photograph})
        assert refused.status_code == 400
        assert why in refused.json()["message"]


def test_the_model_in_use_is_found_or_what_there_is_is_said(home: Path, tmp_path: Path) -> None:
    settings = Settings(data_root=home / "data")
    assert model_in_use(settings).name == "run"
    with pytest.raises(NotFoundError, match="'synthetic'"):
        model_in_use(settings, "user")
    with pytest.raises(NotFoundError, match="soilmeld run"):
        model_in_use(Settings(data_root=tmp_path))
    with pytest.raises(NotFoundError, match="no model of profiles"):
        describe_profile("wall.jpg", settings=settings, group="open")
