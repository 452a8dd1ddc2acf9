from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from evavos_widget.cli import main
from evavos_widget.evaluation.together import evaluate_together
from evavos_widget.prompts import Prediction
from evavos_widget.testing import Disks

H, W = 60, 90


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two squares side by side that touch, on three frames; and a sequence with one of them."""
    root = tmp_path_factory.mktemp("data")
    for name, ids in (("two", (1, 2)), ("one", (1,))):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / name).mkdir(parents=True)
        for i in range(3):
            mask = np.zeros((H, W), np.uint8)
            for obj in ids:
                mask[10:40, 10 + 30 * (obj - 1) : 10 + 30 * obj] = obj
            cv2.imwrite(str(root / f"JPEGImages/{name}/{i:05d}.jpg"), 100 * mask)
            cv2.imwrite(str(root / f"Annotations/{name}/{i:05d}.png"), mask)
    return root


class Nearest(Disks):
    """Each pixel near a click belongs to whoever clicked nearest, if all are known."""

    name = "nearest"
    together = True

    def predict(self, image, prompts, *, key=None):
        return self.predict_together(image, {0: prompts})[0]

    def predict_together(self, image, prompts, *, key=None):
        y, x = np.indices(image.shape[:2])
        none = np.full(image.shape[:2], 31.0)
        distances = [none]
        behind = [c for p in prompts.values() for c in p.clicks if not c.positive]
        for clicks in (behind, *([c for c in p.clicks if c.positive] for p in prompts.values())):
            apart = [np.maximum(abs(x - c.x), abs(y - c.y)) for c in clicks]
            distances.append(np.min([none, *apart], 0) if clicks else none + 1)
        whose = np.argmin(distances, 0) - 2
        return {
            obj: Prediction(whose == k, (whose == k).astype(np.float32), 0.5)
            for k, obj in enumerate(prompts)
        }


def quiet(_: str) -> None:
    pass


def test_together_a_click_for_one_takes_from_the_other(data):
    result = evaluate_together(data, ["two"], [Nearest()], clicks=2, report=quiet)
    alone, together = (result["rows"][f"nearest, {how}"] for how in ("one by one", "together"))
    assert result["frames"] == 3
    assert result["objects"] == 6
    # After one click each, the border between the two is where it should be only together.
    assert together["iou_after_clicks"][0] > 1.3 * alone["iou_after_clicks"][0]
    assert together["apart"] > 0
    assert alone["apart"] == 0
    assert together["iou_interval"][0] == pytest.approx(0, abs=1e-12)  # all frames are alike


def test_an_error_that_is_another_object_is_that_ones_click(data):
    asked = []

    class Watched(Nearest):
        def predict_together(self, image, prompts, *, key=None):
            if len(prompts) > 1:
                asked.append({obj: given.clicks for obj, given in prompts.items()})
            return super().predict_together(image, prompts, key=key)

    evaluate_together(data, ["two"], [Watched()], clicks=6, frames_per_sequence=1, report=quiet)
    for clicks in asked:
        for obj, given in clicks.items():
            for click in given:
                inside = 10 <= click.y < 40 and 10 <= click.x < 70
                whose = 1 + int(click.x >= 40) if inside else 0
                # What is on an object is told of that object, and never as the background.
                assert (whose == obj) if click.positive else (whose == 0)


def test_who_answers_one_by_one_has_one_row_and_is_compared_by_frame(data):
    first, second = Disks(), Disks()
    second.name, second.radius = "wide disks", 12.0
    result = evaluate_together(data, ["two"], [first, second], clicks=3, report=quiet)
    assert list(result["rows"]) == ["disks, one by one", "wide disks, one by one"]
    by_frame = [
        np.array(list(rows.values())).mean(1)[:, -1] for rows in result["by_frame"].values()
    ]
    row = result["rows"]["wide disks, one by one"]
    assert row["apart"] == pytest.approx((by_frame[1] - by_frame[0]).mean())
    assert row["noc"] <= 3


def test_there_must_be_several_objects(data):
    with pytest.raises(ValueError, match=r"no frame of .* has two objects"):
        evaluate_together(data, ["one"], [Disks()], report=quiet)


def test_the_command_prints_every_row(data, tmp_path, capsys):
    out = tmp_path / "together.json"
    arguments = ["evaluate", "clicks", "--data", str(data), "--sequences", "two", "--together"]
    arguments += ["--clicks", "2", "--frames-per-sequence", "2", "--json", str(out)]
    assert main([*arguments, "--predictor", "classical", "evavos_widget.testing:Disks"]) == 0
    printed = capsys.readouterr().out
    assert "2 frames, 4 objects" in printed
    assert "classical, one by one" in printed
    assert "evavos_widget.testing:Disks, one by one" in printed
    assert json.loads(out.read_text())["clicks"] == 2
    single = ["evaluate", "clicks", "--data", str(data), "--sequences", "two"]
    assert main([*single, "--predictor", "classical", "compact"]) == 1
    assert "--together" in capsys.readouterr().err
