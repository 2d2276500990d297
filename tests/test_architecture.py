"""The rules of the house, read from the syntax trees: who imports whom, one door a library, a test file a module."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("data_prep", "train", "export", "submission")  # each may import itself and those before it
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
RUN_FILES = sorted(
    str(path.relative_to(ROOT)) for path in FILES if "__main__" in path.read_text() and path.parent.name in PACKAGES
)
# The files that may import each wrapped library.
DOORS = {
    "open_clip": {"train/model/backbones/open_clip_tower.py"},
    "timm": {"train/model/backbones/timm_tower.py"},
    "faiss": {"train/retrieval/knn.py"},
    "kaggle": {"data_prep/kaggle_client.py"},
    "kagglesdk": {"data_prep/kaggle_client.py"},
    "requests": {"data_prep/remote.py"},
    "distributed": {"data_prep/cluster.py"},
    "fsspec": {"data_prep/storage.py"},
    "simplejpeg": {"data_prep/jpeg_codec.py"},
}
# What each run file cannot do without, so that its complaint is about the unknown flag.
REQUIRED_ARGUMENTS = {
    "data_prep/build.py": ["quickstart"], "data_prep/sample_world.py": ["--out", "raw"], "data_prep/fetch.py": ["met"],
    "data_prep/hash_evaluation.py": ["shards/x", "--out", "guard.parquet"],
    "train/fit.py": ["quickstart"], "train/evaluate.py": ["final.ckpt", "--shards", "shards/x"],
    "train/evaluate_specialists.py": ["final.ckpt", "--shards", "shards/x"],
    "train/average.py": ["a.ckpt", "b.ckpt", "--out", "c.ckpt"], "train/estimate.py": ["quickstart", "--images", "1"],
    "train/concatenate.py": ["a.ckpt", "b.ckpt", "--out", "c.ckpt"],
    "train/choose_sources.py": ["quickstart", "--shards", "shards/x"],
    "train/score_labels.py": ["quickstart", "--tower", "ViT-L-14", "--weights", "hub:x"],
    "export/convert.py": ["final.ckpt"], "export/budget.py": ["saved_model.pt"],
    "submission/validate.py": ["saved_model.pt", "--table", "images.csv"],
    "submission/package.py": ["runs/x"], "submission/upload.py": ["runs/x", "--kernel", "owner/name"],
}
HEAVY = ("torch", "torchvision", "timm", "open_clip", "faiss", "kaggle", "albumentations", "matplotlib",
         "pytorch_lightning", "cv2", "scipy", "distributed", "dask", "fsspec")


def imported_modules(path: Path) -> set[str]:
    """Full names of the modules a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"{path}: star import"
            names.add(node.module)
    return names


def test_the_walk_found_the_packages():
    assert len(FILES) > 50
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(PACKAGES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    allowed = PACKAGES[: PACKAGES.index(package) + 1]
    for name in imported_modules(path):
        top = name.split(".")[0]
        assert top not in ("tests", "notebooks", "benchmarks"), f"{path} imports {name}"
        assert top not in PACKAGES or top in allowed, f"{path} imports {name}; allowed: {allowed}"


@pytest.mark.parametrize("library", DOORS)
def test_each_wrapped_library_has_one_door(library):
    found = {
        str(path.relative_to(ROOT)) for path in FILES
        if any(name.split(".")[0] == library for name in imported_modules(path))
    }
    assert found == DOORS[library]


def test_data_prep_knows_no_torch():
    for path in (ROOT / "data_prep").rglob("*.py"):
        assert not any(name.split(".")[0] == "torch" for name in imported_modules(path)), path


def test_project_classes_do_not_inherit_from_each_other():
    bases_by_class = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases_by_class[node.name] = [ast.unparse(base).split(".")[-1] for base in node.bases]
    assert len(bases_by_class) > 20
    for name, bases in bases_by_class.items():
        assert not set(bases) & bases_by_class.keys(), f"{name} inherits from {bases}"


def test_every_module_has_its_test_file():
    modules = [path.relative_to(ROOT) for path in FILES if path.name != "__init__.py"]
    missing = [
        str(path) for path in modules
        if not (ROOT / "tests" / path.parent / f"test_{path.name}").is_file()
    ]
    assert not missing, f"no mirrored test for {missing}"


def test_run_files_are_the_documented_ones():
    assert sorted(REQUIRED_ARGUMENTS) == RUN_FILES


@pytest.mark.parametrize("run_file", RUN_FILES)
def test_help_answers_without_heavy_libraries_and_unknown_flags_are_errors(run_file):
    module = run_file.removesuffix(".py").replace("/", ".")
    code = (
        "import runpy, sys; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module({module!r}, run_name='__main__')\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        f"loaded = [n for n in {HEAVY!r} if n in sys.modules]; assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=60)
    unknown = subprocess.run(
        [sys.executable, "-m", module, *REQUIRED_ARGUMENTS[run_file], "--no-such-flag"], cwd=ROOT, capture_output=True,
        text=True, timeout=60,
    )
    assert unknown.returncode == 2 and "--no-such-flag" in unknown.stderr
