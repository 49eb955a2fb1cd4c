"""Writing a small file whole or not at all.

Belongs here: that, and nothing else.
"""

import uuid
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a text beside its place and rename it there, so that no reader meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
