"""The rules between the rooms, checked on the source code itself."""

import ast
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    "adapters",
    "expectations",
    "fusion",
    "models",
    "training",
    "dagster_project",
    "soilmeld",
)
# Room -> rooms that its modules may import, at whatever depth of the code.
ALLOWED = {
    "adapters": set(),
    "expectations": {"adapters"},
    "fusion": {"adapters", "expectations"},
    "models": set(),
    "training": {"adapters", "expectations", "fusion", "models"},
    "dagster_project": {"adapters", "expectations", "fusion", "models", "training"},
    # The face reads specs and published files; its verbs that change state call the rooms below.
    "soilmeld": set(ROOMS),
}
HEAVY = {"torch", "deepspeed", "great_expectations", "lightgbm", "sklearn", "matplotlib"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def at_import_time(tree: ast.Module) -> set[str]:
    """Top-level packages imported when the module is, type checking aside."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found |= imports(node)
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(crossing)
        for path in modules(room)
        if (
            crossing := imports(ast.parse(path.read_text(encoding="utf-8")))
            & set(ROOMS) - ALLOWED[room] - {room}
        )
    }
    assert wrong == {}


@pytest.mark.parametrize("room", ["adapters", "dagster_project", "soilmeld", "fusion"])
def test_heavy_libraries_are_imported_only_where_they_are_used(room: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(heavy)
        for path in modules(room)
        if (heavy := at_import_time(ast.parse(path.read_text(encoding="utf-8"))) & HEAVY)
    }
    assert wrong == {}


@pytest.mark.parametrize("room", [r for r in ROOMS if r != "dagster_project"])
def test_only_the_orchestration_knows_dagster(room: str) -> None:
    # `dagster_pipes` is the small protocol package that training processes speak.
    wrong = [
        str(path.relative_to(ROOT))
        for path in modules(room)
        if "dagster" in imports(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_environment_is_read_only_by_the_settings(room: str) -> None:
    def reads_environment(tree: ast.AST) -> bool:
        return any(
            isinstance(node, ast.Attribute)
            and node.attr in ("environ", "getenv")
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
            for node in ast.walk(tree)
        )

    wrong = [
        str(path.relative_to(ROOT))
        for path in modules(room)
        if reads_environment(ast.parse(path.read_text(encoding="utf-8")))
        and path != ROOT / "adapters" / "settings.py"
    ]
    assert wrong == []


@pytest.mark.parametrize("room", [r for r in ROOMS if r != "soilmeld"])
def test_only_the_face_prints(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules(room)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert wrong == []


def test_every_module_opens_with_what_belongs_in_it() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in modules(room)
        if path.name != "__init__.py"
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def run_python(code: str) -> str:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_importing_adapters_is_light() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "adapters").glob("*.py")
        if path.name != "__init__.py"
    ]
    loaded = run_python(
        f"import sys, importlib; [importlib.import_module(n) for n in {names!r}]\n"
        "print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    ).split()
    assert not set(loaded) & (HEAVY | {"dagster"})


def test_importing_adapters_takes_under_half_a_second() -> None:
    code = "import adapters, adapters.spec, adapters.settings, adapters.errors"
    run_python(code)  # compiles the bytecode

    def seconds(statement: str) -> float:
        """Processor time of a process that runs it: what else the machine does is left out."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run_python(statement)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    took = min(seconds(code) for _ in range(5)) - min(seconds("pass") for _ in range(3))
    assert took < 0.5


def test_definitions_stay_short() -> None:
    lines = (ROOT / "dagster_project" / "definitions.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60
