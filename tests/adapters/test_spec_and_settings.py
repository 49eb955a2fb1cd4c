"""Files that a person writes, and writes wrongly: source folders and soilmeld.toml."""

import shutil
from pathlib import Path

import pytest

from adapters.errors import SettingsError, SpecError
from adapters.settings import load_settings
from adapters.spec import SOURCES_DIR, load_spec


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("source.yaml", b"", "holds no keys"),
        ("source.yaml", b"- a\n", "holds no keys"),
        ("source.yaml", b"id: [", "not valid YAML"),
        ("source.yaml", b"id: x\n# caf\xe9\n", "not UTF-8 text"),
        ("columns.csv", b"name,table\ncaf\xe9,main\n", "not UTF-8 text"),
        ("columns.csv", b"name,table\na,main,3\n", "line 2: more cells than headers"),
        ("columns.csv", b"name,table\nabc,main\n", "columns.abc.native: Field required"),
    ],
)
def test_faulty_source_folder_is_told(tmp_path: Path, file: str, content: bytes, told: str) -> None:
    shutil.copytree(SOURCES_DIR / "spade_m", tmp_path / "spade_m")
    (tmp_path / "spade_m" / file).write_bytes(content)
    with pytest.raises(SpecError, match=told) as caught:
        load_spec("spade_m", tmp_path)
    assert "source spade_m" in str(caught.value)
    assert "remedy: " in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"data_root = 'caf\xe9'", "not valid TOML"),
        (b"threads = ", "not valid TOML"),
        (b"threads = 'many'", "at threads"),
        (b"data_rot = 'x'", "at data_rot"),
    ],
)
def test_faulty_settings_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "soilmeld.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=told) as caught:
        load_settings(file)
    assert f"file {file}" in str(caught.value)
    assert "remedy: " in str(caught.value)
