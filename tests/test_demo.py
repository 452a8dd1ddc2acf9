from __future__ import annotations

import numpy as np
from PIL import Image

from evavos_widget import demo, embedded_clip
from evavos_widget.cli import main
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.video import Video

FRAMES = range(0, 60, 5)


def test_demo_leaves_pictures_masks_and_a_table(tmp_path, capsys, monkeypatch):
    whole = embedded_clip()
    frames = np.stack([whole.video[i] for i in FRAMES])
    truth = {i: whole.ground_truth[frame] for i, frame in enumerate(FRAMES)}
    clip = AnnotatedVideo(whole.name, Video.open(frames, name=whole.name), truth)
    monkeypatch.setattr(demo, "embedded_clip", lambda: clip)
    assert main(["demo", "--output", str(tmp_path / "none"), "--rounds", "-1"]) == 1
    assert "rounds is -1; give a whole number, 0 or more" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["demo", "--output", str(tmp_path / "out"), "--rounds", "1"]) == 0
    table = capsys.readouterr().out
    assert "J&F" in table
    assert len(list((tmp_path / "out/masks").rglob("*.png"))) == len(FRAMES)
    for name in ("before.png", "after.png", "curve.png"):
        Image.open(tmp_path / "out" / name).verify()
    assert (tmp_path / "out/overlay.mp4").stat().st_size > 10_000
