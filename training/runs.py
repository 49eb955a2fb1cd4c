"""Where a run lives and what identifies it.

Belongs here: the run's folder, fingerprints, the files that say how far it is; light to import.
Never here: torch, DeepSpeed, Dagster.
"""

import hashlib
import json
from pathlib import Path

from adapters.errors import TrainingError
from training.recipe import Recipe

DATA_FILES = {
    "matrix": ("matrix.parquet", "dictionary.json", "splits.parquet"),
    # The index of a tile set holds the checksum of every shard, and the splits.
    "tiles": ("index.parquet", "set.json"),
    # The dictionary holds the checksums of the pictures.
    "profiles": ("index.parquet", "dictionary.json"),
}
"""Files that identify the data of each kind of dataset."""
_SAYS_GROUP = {
    "matrix": "dictionary.json",
    "tiles": "set.json",
    "profiles": "dictionary.json",
}
_ROOT = Path(__file__).parent.parent
_CODE = (
    "models/*.py",
    *(f"training/{name}.py" for name in ("calibrate", "data", "masks", "parts", "recipe", "train")),
    *(f"training/{name}.py" for name in ("text", "tiles", "tile_schema")),
    *(f"training/{name}.py" for name in ("profiles", "profile_schema")),
    # What an export says of chances and of usual pictures.
    *(f"training/profile_{name}.py" for name in ("calibrate", "calibration", "likeness")),
    *(f"training/profile_{name}.py" for name in ("forms", "predict", "scores")),
    # What labels are, and their vectors.
    *(f"fusion/profiles/{name}.py" for name in ("symbols", "taxonomy")),
    "adapters/codebooks/horizon_symbols.csv",
)


def fingerprint(folder: Path, kind: str = "matrix") -> str:
    """sha256 over the files of a data version that training uses.

    Args:
        folder: Folder of the version.
        kind: Name of the dataset in recipes.

    Raises:
        TrainingError: One of the files is missing.
    """
    digest = hashlib.sha256()
    for name in DATA_FILES[kind]:
        if not (folder / name).is_file():
            raise TrainingError(
                f"this is no data version of the kind {kind!r}",
                file=str(folder / name),
                remedy="build it first, and give the folder of one version",
            )
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def code_version() -> str:
    """sha256 over the source files that decide what a trained model is."""
    digest = hashlib.sha256()
    for pattern in _CODE:
        for file in sorted(_ROOT.glob(pattern)):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def run_folder(recipe: Recipe, data: Path, out: Path) -> Path:
    """`<out>/<recipe>-<group>/<run>`, the run named by recipe, data and code.

    The same three give the same folder, so that a run started again continues or is found finished.
    """
    identity = "\n".join((recipe.digest, fingerprint(data, recipe.dataset.name), code_version()))
    described = json.loads((data / _SAYS_GROUP[recipe.dataset.name]).read_text(encoding="utf-8"))
    # Tiles that belong to no group of this project are named by their origin.
    group = described.get("group", described["origin"])
    run = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return out / f"{recipe.name}-{group}" / run


def is_finished(run: Path) -> bool:
    """Whether the run's model was exported; `meta.json` is written last."""
    return (run / "meta.json").is_file()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that it is seen whole or not at all."""
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    temporary.replace(path)


def write_json(path: Path, content: dict) -> None:
    """Write readable JSON atomically."""
    write_atomically(
        path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )
