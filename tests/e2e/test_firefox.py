"""The widgets in Firefox, which `js/harness/firefox.mjs` drives."""

from __future__ import annotations

import os
import shutil
import subprocess

import nbformat
from conftest import unavailable
from harness import JS
from lab import Lab

from evavos_widget import Session, embedded_clip

CELL = """\
from evavos_widget import Verifier, embedded_clip

clip = embedded_clip()
Verifier(
    clip.video,
    "astronaut",
    localisation={"frame": 0, "mask": clip.ground_truth[0] == 1},
    path="firefox.evavos",
    propagator="flow",
    predictor="classical",
)"""


def drive(story: str, address: str) -> None:
    """Go through a story of `firefox.mjs`; whatever went wrong in it fails the test."""
    firefox = os.environ.get("FIREFOX") or next(
        filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None
    )
    if firefox is None:
        unavailable("no Firefox; install Debian's firefox-esr or point FIREFOX to one")
    if not (JS / "node_modules" / "puppeteer-core").is_dir():
        unavailable("Firefox is driven by puppeteer-core; run `npm --prefix js ci`")
    command = ["node", JS / "harness" / "firefox.mjs", shutil.which(firefox), story, address]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr


def test_an_annotation_in_firefox(address: str) -> None:
    drive("annotator", address)


def test_answers_of_a_verifier_in_jupyterlab_in_firefox(lab: Lab) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, lab.work / "firefox.ipynb")
    drive("verifier", f"{lab.url}/lab/workspaces/firefox/tree/firefox.ipynb?reset")
    clip = embedded_clip()
    with Session.open(lab.work / "firefox.evavos", video=clip.video, read_only=True) as session:
        labels = [point.label for points in session.points.values() for point in points]
    assert sorted(labels) == ["negative"] * 2 + ["positive"] * 3 + ["unknown"]
