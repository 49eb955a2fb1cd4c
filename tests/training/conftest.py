from collections.abc import Iterator
from pathlib import Path

import pytest
from small_matrix import write_matrix


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_matrix(tmp_path_factory.mktemp("fused") / "synthetic" / "v1")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small networks: threads would wait for each other, and for all others who use the machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
