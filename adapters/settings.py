"""The one settings file, `soilmeld.toml`, and the places that follow from it.

No other module reads the environment or the settings file.
"""

import os
import sys
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from adapters.errors import SettingsError

SETTINGS_FILE = "soilmeld.toml"


class Settings(BaseModel):
    """Contents of `soilmeld.toml`; `SOILMELD_<KEY>` in the environment overrides a key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_root: Path = Field(
        Path("data"), description="Folder that holds everything soilmeld reads and writes."
    )
    truth_root: Path = Field(
        Path("truth"),
        description="Where the twin keeps the truth it was written from; read by the audit alone.",
    )
    memory_limit: str = Field("4GB", description="DuckDB memory limit of one step.")
    threads: int = Field(
        2, ge=1, description="Threads of one step (DuckDB, polars, raster overlay)."
    )
    processes: int = Field(
        2, ge=1, description="Processes that sources are standardised in, when there are many."
    )
    ui_host: str = Field("127.0.0.1", description="Address the Dagster UI listens on.")
    ui_port: int = Field(3333, ge=1, le=65535, description="Port of the Dagster UI.")
    docs_port: int = Field(
        3334, ge=1, le=65535, description="Port of the validation reports beside the UI."
    )
    serve_host: str = Field("127.0.0.1", description="Address `soilmeld serve` listens on.")
    serve_port: int = Field(8700, ge=1, le=65535, description="Port of `soilmeld serve`.")
    twin: bool = Field(
        True, description="Write the synthetic twin for sources that have no real file."
    )
    twin_size: str = Field(
        "demo", pattern="^(tiny|demo|full)$", description="Size of the synthetic twin."
    )
    twin_photographs: str = Field(
        "tiny",
        pattern="^(tiny|demo|full)$",
        description="Size of the twin's photographs of soil profiles: 60, 400 or 3,347.",
    )
    twin_seed: int = Field(20090401, description="Seed of the synthetic twin.")
    training_ranks: int = Field(
        2, ge=1, description="Processes that a training job is launched with."
    )
    recipes: Path = Field(
        Path("recipes"),
        description="Folder of own training recipes: `<name>.yaml` takes the place of the recipe "
        "of that name.",
    )
    soilnet_families: bool = Field(
        False,
        description="Train SoilNet's models of single tasks by themselves, too, beside the one of "
        "all tasks.",
    )
    tiles_per_kind: int = Field(
        4,
        ge=0,
        description="Tiles between soil samples: at most so many of each land cover, spread over "
        "climates, where scenes are.",
    )
    caption_url: str = Field(
        "",
        description="Base address of an OpenAI-compatible chat model that captions are written by, "
        "such as http://localhost:8000/v1; empty: written offline.",
    )
    caption_model: str = Field("", description="Name that its server knows the model by.")
    caption_key: SecretStr = Field(
        SecretStr(""),
        description="Key for its server: set it as SOILMELD_CAPTION_KEY, not in a file.",
    )
    caption_at_once: int = Field(
        16,
        ge=1,
        description="Captions that its server is asked for at once; 1 where it refuses more.",
    )
    lock_timeout_s: float = Field(
        120.0, gt=0, description="How long a commit waits for the store's lock."
    )
    keep_versions: int = Field(
        3,
        ge=1,
        description="Versions of each raw source, matrix and checkpoint that `soilmeld gc` keeps.",
    )
    keep_event_days: int = Field(
        30, ge=1, description="Days of run history that `soilmeld gc` keeps."
    )

    @property
    def raw(self) -> Path:
        """Inbox: `<raw>/<source_id>/`; soilmeld alters none but the twin's own files."""
        return self.data_root / "raw"

    @property
    def downloads(self) -> Path:
        """Files that soilmeld fetched itself: `<download>/<source_id>/<set>/`."""
        return self.data_root / "download"

    @property
    def scenes(self) -> Path:
        """Scenes of satellites and their static catalogues: `<scenes>/<catalogue>/catalog.json`."""
        return self.data_root / "scenes"

    @property
    def archive(self) -> Path:
        """Content-addressed raw versions and their lock files."""
        return self.data_root / "archive"

    @property
    def std(self) -> Path:
        """Standardised pixels: `<std>/<source_id>/<version>/*.tif`."""
        return self.data_root / "std"

    @property
    def store(self) -> Path:
        """The DuckDB file that steps commit to."""
        return self.data_root / "store" / "soilmeld.duckdb"

    @property
    def published(self) -> Path:
        """The read-only copy that readers open, and what is published beside it."""
        return self.data_root / "published"

    @property
    def fused(self) -> Path:
        """Feature matrices: `<fused>/<origin group>/<version>/`."""
        return self.data_root / "fused"

    @property
    def tiles(self) -> Path:
        """Tile sets: `<tiles>/<origin group>/<version>/`."""
        return self.data_root / "tiles"

    @property
    def answers(self) -> Path:
        """Captions that a chat model wrote, by what it was asked: `<answers>/<2 digits>/*.json`."""
        return self.data_root / "answers"

    @property
    def captions(self) -> Path:
        """The same tile sets with captions: `<captions>/<origin group>/<version>/`."""
        return self.data_root / "captions"

    @property
    def profiles(self) -> Path:
        """Sets of photographed soil profiles: `<profiles>/<origin group>/<version>/`."""
        return self.data_root / "profiles"

    @property
    def runs(self) -> Path:
        """Training runs: `<runs>/<recipe>/<run id>/`."""
        return self.data_root / "runs"

    @property
    def docs(self) -> Path:
        """Great Expectations Data Docs."""
        return self.data_root / "data_docs"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage."""
        return self.data_root / "dagster"

    @property
    def scratch(self) -> Path:
        """Temporary files, on the same file system so that a rename is atomic."""
        return self.data_root / "tmp"


def load_settings(path: Path | None = None) -> Settings:
    """Read `soilmeld.toml` and the environment.

    Args:
        path: The settings file; by default `SOILMELD_SETTINGS`, else `soilmeld.toml` in the
            working folder, else the defaults. Relative folders in it are relative to the file.

    Raises:
        SettingsError: The named file is missing, does not parse, or has an unknown or wrong value.
    """
    named = path or os.environ.get("SOILMELD_SETTINGS")
    file = Path(named) if named else Path(SETTINGS_FILE)
    values: dict[str, object] = {}
    if file.is_file():
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"not valid TOML: {error}", file=str(file), remedy="correct that line"
            ) from error
    elif named:
        raise SettingsError("no such settings file", file=str(file), remedy="check the path")
    for key in Settings.model_fields:
        if (value := os.environ.get(f"SOILMELD_{key.upper()}")) is not None:
            values[key] = value
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            first["msg"],
            file=str(file),
            where=".".join(str(part) for part in first["loc"]),
            samples=[first.get("input")],
            remedy=f"known settings: {', '.join(Settings.model_fields)}",
        ) from error
    base = file.parent.resolve()
    folders = ("data_root", "truth_root", "recipes")
    return settings.model_copy(update={name: base / getattr(settings, name) for name in folders})


def process_environment(**changes: str) -> dict[str, str]:
    """Environment for a child process: this one's, this interpreter's programs first, and changes.

    Build tools such as ninja are looked up on PATH alone, and a virtual environment that was not
    activated is not on it.
    """
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, **changes}
