"""The guides do what they say: every block of shell and Python in them is executed, in order."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.settings import Settings
from adapters.twin import write

DOCS = Path(__file__).parent.parent.parent / "docs"


def blocks(guide: str) -> list[tuple[str, str]]:
    text = (DOCS / guide).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert {language for language, _ in found} <= {"sh", "python"}, "a block that is not executed"
    return found


def follow(guide: str, folder: Path, home: Path | None = None) -> str:
    """Run all shell blocks as one script, then all Python blocks as another; what they print."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home or folder),
        "COLUMNS": "200",
        "SOILMELD_TWIN_SIZE": "tiny",
    }
    said = ""
    for language, command in (("sh", ["bash", "-euo", "pipefail"]), ("python", [sys.executable])):
        script = "\n".join(text for kind, text in blocks(guide) if kind == language)
        if not script:
            continue
        done = subprocess.run(
            [*command, "-"] if language == "python" else [*command, "-s"],
            input=script,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        said += done.stdout + done.stderr
    return said


def test_quick_start(whole: tuple[Settings, object], tmp_path: Path) -> None:
    folders = ("data_root", "truth_root", "recipes")
    told = [f'{name} = "{getattr(whole[0], name)}"\n' for name in folders]
    (tmp_path / "soilmeld.toml").write_text("".join(told))
    said = follow("quickstart.md", tmp_path)
    assert "CC BY-SA 4.0" in said
    assert "sha256" in said
    assert (tmp_path / "cropland_ph.gpkg").is_file()
    assert (tmp_path / "sampled.csv").is_file()
    assert list((tmp_path / "tile").glob("*_sentinel2.tif"))
    assert "predicted by a model that learnt from synthetic photographs" in said
    assert {p.suffix for p in (tmp_path / "described").iterdir()} == {".png", ".csv", ".json"}


@pytest.mark.long
def test_first_esdac_file(tmp_path: Path) -> None:
    downloads = tmp_path / "home" / "Downloads" / "LUCAS-SOIL-2018-v2"
    downloads.mkdir(parents=True)
    twin = Settings(data_root=tmp_path / "twin", truth_root=tmp_path / "truth")
    for path in write(twin, sources=["lucas_2018_topsoil"], size="tiny"):
        path.rename(downloads / path.name)
    said = follow("first_esdac_file.md", tmp_path, home=tmp_path / "home")
    assert "is a web page" in said
    assert "(user)" in said
    assert (tmp_path / "my_soils" / "my_soils.csv").is_file()


@pytest.mark.long
def test_checking_a_file(tmp_path: Path) -> None:
    downloads = tmp_path / "Downloads" / "LUCAS-SOIL-2018-v2"
    downloads.mkdir(parents=True)
    twin = Settings(data_root=tmp_path / "twin", truth_root=tmp_path / "truth")
    for path in write(twin, sources=["lucas_2018_topsoil"], size="tiny"):
        path.rename(downloads / path.name)
    said = follow("checking_a_file.md", tmp_path)
    assert "meets its specification (lucas_2018_topsoil" in said
    assert "lucas_2018_topsoil: has 100% of its headers" in said
    assert json.loads((tmp_path / "check.json").read_text())["meets"] is True

    table = downloads / "LUCAS-SOIL-2018.csv"
    table.write_text(table.read_text().replace(",OC,", ",Org_C,", 1))
    done = subprocess.run(
        [sys.executable, "-m", "soilmeld", "check", "lucas_2018_topsoil", str(downloads)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    text = (DOCS / "checking_a_file.md").read_text(encoding="utf-8")
    example = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert len(example) == 4
    assert "\n".join(example) in done.stdout
