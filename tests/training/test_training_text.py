"""Captions as vectors by a real sentence encoder that needs no network."""

import importlib.metadata
import re
import socket
from pathlib import Path

import numpy as np
import pytest

from training import text
from training.text import PACKAGE, WIDTH, caption_embeddings

ROOT = Path(__file__).parents[2]
LAKE, WATER, TOWN = (
    "A lake covers a third of the tile, in its west.",
    "Open water lies in the western part of the square and takes up about 33 % of it.",
    "Dense buildings and roads fill the whole square; there is hardly any vegetation.",
)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_captions_become_vectors_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError, match="asked for the network"):
        socket.create_connection(("localhost", 80))
    captions = [LAKE, None, WATER, TOWN]
    vectors = caption_embeddings(captions, tmp_path)
    assert vectors.shape == (4, WIDTH)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1, 1], abs=1e-5)
    alike, apart = vectors[0] @ vectors[2], vectors[0] @ vectors[3]
    assert alike > apart + 0.2

    # Kept: read back without the encoder, and not for other captions.
    (kept,) = tmp_path.glob("*.npy")
    monkeypatch.setattr(text, "_encode", lambda _: pytest.fail("encoded again"))
    assert np.array_equal(caption_embeddings(captions, tmp_path), vectors)
    monkeypatch.setattr(text, "_encode", lambda listed: np.ones((len(listed), WIDTH)))
    caption_embeddings([LAKE, "", WATER, TOWN], tmp_path)
    caption_embeddings([LAKE, None, TOWN, WATER], tmp_path)
    caption_embeddings([None], tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 4
    assert kept.is_file()


def test_the_encoder_is_pinned_and_is_what_is_installed() -> None:
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    for name in (PACKAGE, "sentence-transformers", "transformers", "tokenizers"):
        assert pins[name] == importlib.metadata.version(name)
