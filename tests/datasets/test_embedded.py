from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from evavos_widget.datasets import embedded
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.synthetic import Clip


@pytest.fixture(scope="module")
def sequence() -> AnnotatedVideo:
    return embedded.embedded_clip()


@pytest.fixture(scope="module")
def rendered() -> Clip:
    return embedded.render()


def test_it_is_480p_with_two_objects_and_ground_truth_on_every_frame(
    sequence: AnnotatedVideo,
) -> None:
    video = sequence.video
    assert (video.n_frames, video.height, video.width) == (60, 480, 854)
    assert list(sequence.ground_truth) == list(range(60))
    assert set(np.unique(sequence.ground_truth[0])) == {0, 1, 2}
    assert all(labels.max() <= 2 for labels in sequence.ground_truth.values())


def test_the_ground_truth_is_what_the_seed_renders(
    sequence: AnnotatedVideo, rendered: Clip
) -> None:
    stored = np.stack(list(sequence.ground_truth.values()))
    assert np.array_equal(stored, rendered.labels)


def test_the_frames_are_what_the_seed_renders(sequence: AnnotatedVideo, rendered: Clip) -> None:
    errors = [
        np.mean((sequence.video.frame(index).astype(np.float32) - frame) ** 2)
        for index, frame in enumerate(rendered.frames)
    ]
    assert 10 * np.log10(255**2 / max(errors)) > 33  # decibels


def test_it_is_hard(rendered: Clip) -> None:
    hidden = rendered.hidden[:, 1]
    longest = max(map(len, "".join("x" if h > 0.3 else " " for h in hidden).split()))
    assert longest >= 5  # the cup is out of sight for several frames
    assert hidden[-5:].max() < 0.1  # and comes back
    at_the_edge = [(labels[:, [0, -1]] == 2).any() for labels in rendered.labels]
    assert not at_the_edge[0]
    assert any(at_the_edge)


def test_what_is_written_is_read_again(
    tmp_path: Path, rendered: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Clip(rendered.frames[:3], rendered.labels[:3], rendered.hidden[:3], rendered.names)
    embedded.write(few, tmp_path)
    monkeypatch.setattr(embedded, "_file", lambda kind: tmp_path / f"{embedded.NAME}.{kind}")
    again = embedded.embedded_clip()
    assert again.video.n_frames == 3
    assert np.array_equal(np.stack(list(again.ground_truth.values())), few.labels)


def test_it_opens_without_scikit_image() -> None:
    code = (
        "import sys, json; sys.modules['skimage'] = None\n"
        "from evavos_widget import embedded_clip\n"
        "clip = embedded_clip()\n"
        "print(json.dumps([clip.name, clip.video.n_frames, clip.video.frame(59).shape[1]]))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert json.loads(output) == ["coffee-break", 60, 854]


def test_the_files_are_small() -> None:
    folder = resources.files("evavos_widget.datasets") / "data"
    assert sum(len(file.read_bytes()) for file in folder.iterdir()) < 1_200_000
