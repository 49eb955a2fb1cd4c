from pathlib import Path

import pytest
from small_matrix import write_matrix


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_matrix(tmp_path_factory.mktemp("fused") / "synthetic" / "v1")
