"""The sdist and the wheel, built from the tracked files alone, opened and installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUNDLES = tuple(
    f"evavos_widget/widgets/static/{name}"
    for widget in ("annotator", "campaign", "curves", "policy", "verifier")
    for name in (f"{widget}.js", f"{widget}.css")
)

pytestmark = pytest.mark.wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git tracks, so that nothing built earlier can help."""
    if not (ROOT / ".git").exists():
        pytest.skip("the wheel is tested from a git checkout")
    folder = tmp_path_factory.mktemp("source")
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, names.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return folder


@pytest.fixture(scope="module")
def distributions(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel built from it, where the machine's own Node does not work."""
    broken = tmp_path_factory.mktemp("broken-node")
    for name in ("node", "npm"):
        (broken / name).write_text("#!/bin/sh\nexit 1\n")
        (broken / name).chmod(0o755)
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", "dist"],
        cwd=source,
        env=os.environ | {"PATH": f"{broken}{os.pathsep}{os.environ['PATH']}"},
        check=True,
    )
    (sdist,) = (source / "dist").glob("*.tar.gz")
    (wheel,) = (source / "dist").glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def test_wheel_carries_the_bundles_and_every_tracked_file_of_the_package(distributions, source):
    with zipfile.ZipFile(distributions["wheel"]) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
    for name in BUNDLES:
        assert 0 < sizes[name] < 200 * 1024
    package = {
        path.relative_to(source).as_posix()
        for path in (source / "evavos_widget").rglob("*")
        if path.is_file()
    }
    carried = {name for name in sizes if ".dist-info/" not in name}
    assert carried == package
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in sizes)


def test_sdist_carries_the_front_ends_sources_and_its_bundles(distributions):
    with tarfile.open(distributions["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {*BUNDLES, "js/package.json", "js/package-lock.json", "pyproject.toml"} <= names
    assert any(name.startswith("js/src/") for name in names)
    assert not any("node_modules" in name for name in names)


def test_wheel_works_in_a_clean_environment(distributions, tmp_path):
    # The dependencies are this environment's: installing them again would test only them.
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--no-deps", "--no-index", distributions["wheel"]]
    subprocess.run(pip, check=True)
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    probe = (
        "import json\n"
        "from evavos_widget import Annotator, Curves, __file__, embedded_clip\n"
        "annotator = Annotator(embedded_clip().video)\n"
        "bundles = [len(annotator._esm), len(Curves()._esm)]\n"
        "print(json.dumps([__file__, min(bundles), annotator.session.video.n_frames]))\n"
        "annotator.session.close()\n"
    )
    result = subprocess.run(
        [python, "-c", probe], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
    )
    file, bundle, frames = json.loads(result.stdout)
    assert Path(file).is_relative_to(tmp_path)
    assert bundle > 0
    assert frames > 1
    script = tmp_path / "venv" / "bin" / "evavos"
    subprocess.run([script, "--help"], check=True, stdout=subprocess.DEVNULL)
