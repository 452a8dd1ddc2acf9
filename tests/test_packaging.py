"""What a user meets before any widget: the import, the version, the command, the metadata."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points, requires, version
from pathlib import Path

import evavos_widget

ROOT = Path(__file__).parents[1]

#: What only an engine, a reader or a widget needs, and whoever asks for it pays for.
HEAVY = (
    "anywidget",
    "av",
    "cv2",
    "ipywidgets",
    "matplotlib",
    "numba",
    "pycocotools",
    "scipy",
    "skimage",
    "torch",
    "torchvision",
)


def modules_after(statement: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter that ran `statement`."""
    code = f"{statement}\nimport json, sys; print(json.dumps([m for m in sys.modules]))"
    result = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    )
    return {name.partition(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


def test_importing_the_package_imports_nothing_heavy():
    assert not modules_after("import evavos_widget").intersection(HEAVY)


def test_every_public_name_resolves():
    missing = [name for name in evavos_widget.__all__ if not hasattr(evavos_widget, name)]
    assert not missing


def test_version_is_the_one_of_the_distribution():
    assert evavos_widget.__version__ == version("evavos-widget")


def test_the_command_answers_for_help_without_the_engines():
    result = subprocess.run(
        [sys.executable, "-m", "evavos_widget", "--help"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    for command in ("demo", "lab", "export", "evaluate"):
        assert command in result.stdout
    assert not modules_after("import evavos_widget.cli").intersection({"torch", "cv2", "skimage"})


def test_the_command_is_installed():
    (script,) = entry_points(group="console_scripts", name="evavos")
    assert script.value == "evavos_widget.cli:main"


def test_requirements_name_no_place():
    assert not [line for line in requires("evavos-widget") or () if "@" in line]
