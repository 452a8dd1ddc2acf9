from __future__ import annotations

import json
import shutil
from shutil import copytree

import cv2
import numpy as np
import pytest
from PIL import Image
from vos_benchmark.benchmark import benchmark

from evavos_widget.cli import main
from evavos_widget.datasets.davis import open_sequence
from evavos_widget.evaluation.calibration import calibrate_quality
from evavos_widget.evaluation.clicks import evaluate_clicks, evaluate_second_object
from evavos_widget.evaluation.propagation import evaluate_propagation
from evavos_widget.evaluation.sequences import all_masks, given_masks, spread
from evavos_widget.metrics import jaccard
from evavos_widget.prompts import Prediction
from evavos_widget.testing import Disks, NearestCopy

N, H, W = 6, 48, 64


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two sequences laid out as DAVIS: a square that moves, and one that stands still."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    background = rng.integers(0, 90, (H, W, 3), dtype=np.uint8)
    texture = rng.integers(150, 255, (16, 16, 3), dtype=np.uint8)
    for name, step in (("moving", 4), ("still", 0)):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for i in range(N):
            frame, mask = background.copy(), np.zeros((H, W), np.uint8)
            x = 8 + step * i
            frame[12:28, x : x + 16] = texture
            mask[12:28, x : x + 16] = 255
            cv2.imwrite(str(root / f"JPEGImages/480p/{name}/{i:05d}.jpg"), frame)
            cv2.imwrite(str(root / f"Annotations/480p/{name}/{i:05d}.png"), mask)
    (root / "list.txt").write_text("moving\nstill\n")
    return root


def quiet(_: str) -> None:
    pass


class TestSpread:
    def test_first_for_one_middles_for_more(self):
        assert spread(range(10), 1) == [0]
        assert spread(range(10), 2) == [2, 7]
        assert spread(range(50), 5) == [5, 15, 25, 35, 45]

    def test_no_more_than_there_are(self):
        assert spread(range(3), 5) == [0, 1, 2]


class TestPropagation:
    def test_scores_are_those_of_the_copied_mask(self, data):
        result = evaluate_propagation(
            data, ["moving", "still"], NearestCopy(), frames="after-first", report=quiet
        )
        first = np.zeros((H, W), bool)
        first[12:28, 8:24] = True
        expected = [jaccard(first, np.roll(first, 4 * i, axis=1)) for i in range(1, N)]
        assert result["sequences"]["moving"]["j"] == pytest.approx(np.mean(expected))
        assert result["sequences"]["still"]["jf"] == 1.0
        jf = [s["jf"] for s in result["sequences"].values()]
        assert result["mean"]["jf"] == pytest.approx(np.mean(jf))
        assert result["standard_error"] == pytest.approx(np.std(jf, ddof=1) / np.sqrt(2))

    def test_the_mean_over_objects_is_not_that_over_sequences(self, data, tmp_path):
        root = copytree(data, tmp_path / "data")
        for file in (root / "Annotations/480p/still").iterdir():
            mask = np.array(Image.open(file))
            mask[mask > 0] = 1
            mask[12:28, 16:24][mask[12:28, 16:24] > 0] = 2  # its right half is another object
            Image.fromarray(mask).save(file)
        result = evaluate_propagation(root, ["moving", "still"], NearestCopy(), report=quiet)
        moving = result["sequences"]["moving"]["jf"]
        assert result["sequences"]["still"]["jf"] == 1.0
        assert result["mean"]["jf"] == pytest.approx((moving + 1) / 2)
        assert result["mean_over_objects"]["jf"] == pytest.approx((moving + 1 + 1) / 3)
        # The package is given the first mask of each as it is, on every frame.
        truth = root / "Annotations/480p"
        for name in ("moving", "still"):
            for i in range(N):
                (tmp_path / "found" / name).mkdir(parents=True, exist_ok=True)
                shutil.copy(truth / f"{name}/00000.png", tmp_path / f"found/{name}/{i:05d}.png")
        theirs = benchmark(
            [str(truth)], [str(tmp_path / "found")], strict=True, num_processes=1, verbose=False,
            skip_first_and_last=True,
        )  # fmt: skip
        ours = [100 * result["mean_over_objects"][k] for k in ("jf", "j", "f")]
        assert [each[0] for each in theirs[:3]] == pytest.approx(ours)

    def test_annotating_every_frame_is_perfect(self, data):
        result = evaluate_propagation(
            data, ["moving"], NearestCopy(), annotated=N, frames="all", report=quiet
        )
        assert result["mean"] == {"j": 1.0, "f": 1.0, "jf": 1.0}


class TestAnObjectThatComesLater:
    """Object 2 is to be seen from frame 1 on."""

    @pytest.fixture(scope="class")
    def late(self, tmp_path_factory):
        root = tmp_path_factory.mktemp("late")
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "late").mkdir(parents=True)
        for i in range(N):
            mask = np.zeros((H, W), np.uint8)
            mask[12:28, 8:24] = 1
            if i >= 1:
                mask[12:28, 40:56] = 2
            cv2.imwrite(str(root / f"JPEGImages/late/{i:05d}.jpg"), 100 * mask)
            cv2.imwrite(str(root / f"Annotations/late/{i:05d}.png"), mask)
        return root

    def test_is_given_where_it_shows_first(self, late):
        result = evaluate_propagation(
            late, ["late"], NearestCopy(), frames="after-first", report=quiet
        )
        assert result["mean"]["jf"] == 1.0

    def test_is_given_alone_there(self, late):
        truth = open_sequence(late, "late").ground_truth
        given = given_masks(truth, [1, 2], [0])
        assert {f: set(a.objects) for f, a in given.items()} == {0: {1, 2}, 1: {2}}
        assert np.array_equal(given[1].labels, np.where(truth[1] == 2, 2, 0))
        assert given_masks(truth, [1, 2], [1]).keys() == {1}

    def test_the_second_cap_comes_when_the_swing_is_half_over(self, data_root):
        if not (data_root / "multi_object").is_dir():
            pytest.skip(f"no multi_object in {data_root}")
        truth = all_masks(
            open_sequence(data_root / "multi_object", "xmem2_caps").ground_truth, "xmem2_caps"
        )
        given = given_masks(truth, [1, 2], [0])
        assert {f: set(a.objects) for f, a in given.items()} == {0: {1, 2}, 33: {2}}
        assert not (given[0].labels == 2).any()
        assert set(np.unique(given[33].labels)) == {0, 2}
        assert (given[33].labels == 2).sum() == (truth[33] == 2).sum() > 5000

    def test_is_not_clicked_where_it_was_given(self, late):
        result = evaluate_clicks(
            late,
            ["late"],
            Disks(),
            clicks=1,
            start="propagated",
            propagator="evavos_widget.testing:NearestCopy",
            frames_per_sequence=N,
            report=quiet,
        )
        assert result["n"] == (N - 1) + (N - 2)
        assert result["iou_after_clicks"][0] == 1.0


class Stubborn(Disks):
    """Leaves every mask as it was."""

    def predict(self, image, prompts, *, key=None):
        mask = prompts.previous_mask
        return Prediction(mask, mask.astype(np.float32), 0.5)


class TestClicks:
    def test_first_value_is_the_start(self, data):
        result = evaluate_clicks(data, ["still"], Disks(), clicks=3, report=quiet)
        assert len(result["iou_after_clicks"]) == 4
        assert result["iou_after_clicks"][0] == 0.0
        assert result["iou_after_clicks"][1] == pytest.approx(29 / 256)  # one disk of 29 pixels

    def test_start_from_the_propagated_mask_and_a_perfect_one_stays(self, data):
        result = evaluate_clicks(
            data, ["still"], Disks(), clicks=2, start="propagated", propagator="flow", report=quiet
        )
        assert result["iou_after_clicks"][0] > 0.8
        assert result["good_start"]["n"] == result["n"] == N - 1
        assert result["bad_start"]["iou_after_clicks"] is None

    def test_same_seed_same_frames(self, data):
        options = {"clicks": 2, "frames_per_sequence": 2, "report": quiet}
        runs = [
            evaluate_clicks(data, ["moving"], Disks(), seed=s, **options)["iou_after_clicks"]
            for s in (0, 0)
        ]
        assert runs[0] == runs[1]

    def test_a_predictor_alone_is_without_what_a_click_does_for_certain(self, tmp_path):
        masks = np.zeros((H, W), np.uint8)
        masks[4:24, 4:24], masks[20:44, 36:60] = 1, 2
        for kind, name in (("JPEGImages", "00000.jpg"), ("Annotations", "00000.png")):
            (tmp_path / kind / "two").mkdir(parents=True)
            Image.fromarray(masks).save(tmp_path / kind / "two" / name)
        told, alone = (
            evaluate_second_object(tmp_path, ["two"], Stubborn(), alone=alone, report=quiet)
            for alone in (False, True)
        )
        assert (told["pairs"], told["removed"], told["kept"]) == (2, 1.0, 1.0)
        assert (alone["pairs"], alone["removed"], alone["kept"]) == (2, 0.0, 1.0)

    def test_unknown_start_is_named(self, data):
        with pytest.raises(ValueError, match="middle"):
            evaluate_clicks(data, ["still"], Disks(), start="middle")


class TestCommand:
    def test_where_figures_cannot_be_written_is_told_before_the_work(self, data, capsys):
        given = ["--data", str(data), "--sequences", "still", "--propagator", "no-such"]
        for wrong in (str(data), str(data / "list.txt" / "a.json")):
            with pytest.raises(SystemExit):
                main(["evaluate", "propagation", *given, "--json", wrong])
            assert f"--json: {wrong!r} cannot be written" in capsys.readouterr().err

    def test_propagation_writes_the_keys_it_promises(self, data, tmp_path, capsys):
        out = tmp_path / "new" / "p.json"
        arguments = ["evaluate", "propagation", "--data", str(data), "--sequences"]
        listed = f"@{data / 'list.txt'}"
        assert main([*arguments, listed, "--annotated", "2", "--json", str(out)]) == 0
        result = json.loads(out.read_text())
        assert set(result["sequences"]) == {"moving", "still"}
        assert set(result["mean"]) == set(result["sequences"]["moving"]) == {"j", "f", "jf"}
        assert result["ms_per_frame"] > 0
        assert result["peak_memory_mb"] > 0
        assert "davis frames" in capsys.readouterr().out

    def test_clicks_writes_the_keys_it_promises(self, data, tmp_path):
        out = tmp_path / "c.json"
        arguments = ["evaluate", "clicks", "--data", str(data), "--sequences", "still"]
        assert main([*arguments, "--clicks", "2", "--json", str(out)]) == 0
        result = json.loads(out.read_text())
        assert len(result["iou_after_clicks"]) == 3
        assert result["ms_per_click"] > 0

    def test_where_nothing_is_to_click_no_time_is_told(self, data, tmp_path, capsys):
        out = tmp_path / "c.json"
        arguments = ["evaluate", "clicks", "--data", str(data), "--sequences", "still"]
        arguments += ["--start", "propagated", "--propagator", "evavos_widget.testing:NearestCopy"]
        assert main([*arguments, "--json", str(out)]) == 0
        assert "nothing to click" in capsys.readouterr().out
        result = json.loads(out.read_text())
        assert result["ms_per_click"] is None
        assert result["iou_after_clicks"] == [1.0] * 11

    def test_a_sequence_that_cannot_be_scored_is_named(self, data, tmp_path, capsys):
        copytree(data, tmp_path / "short")
        for file in (tmp_path / "short/Annotations/480p/still").glob("0000[2-9].png"):
            file.unlink()
        given = ["--data", str(tmp_path / "short"), "--sequences", "moving,still"]
        given += ["--propagator", "evavos_widget.testing:NearestCopy"]
        points = ["pointvos", "benchmark", "--predictor", "evavos_widget.testing:Disks"]
        for command in (["evaluate", "propagation"], points):
            assert main([*command, *given]) == 1
            assert "sequence 'still': frames='davis' leaves none" in capsys.readouterr().err

    @pytest.mark.parametrize("number", ["0", "-1"])
    @pytest.mark.parametrize("what", ["--clicks", "--frames-per-sequence"])
    @pytest.mark.parametrize("options", [[], ["--together"]])
    def test_fewer_than_one_is_refused(self, data, capsys, what, number, options):
        arguments = ["evaluate", "clicks", "--data", str(data), "--sequences", "still", *options]
        assert main([*arguments, what, number]) == 1
        assert f"{what} is {number}; give a whole number, 1 or more" in capsys.readouterr().err

    def test_quality_compares_prediction_with_truth(self, data, tmp_path):
        out = tmp_path / "q.json"
        arguments = ["evaluate", "quality", "--data", str(data), "--sequences", "moving,still"]
        assert main([*arguments, "--json", str(out)]) == 0
        result = json.loads(out.read_text())
        assert 0 <= result["mean_absolute_error"] < 1
        assert len(result["fitted_weights"]) == 3

    @pytest.mark.parametrize("alone", [True, False])
    def test_quality_gives_an_object_that_comes_later_where_it_is_first_shown(
        self, data, tmp_path, alone
    ):
        root = copytree(data, tmp_path / "data")
        for file in (root / "Annotations/480p/still").iterdir():
            mask = np.zeros((H, W), np.uint8)
            mask[12:28, 8:16] = 0 if alone else 1
            mask[12:28, 16:24] = 2 if int(file.stem) >= 2 else mask[12:28, 16:24]
            Image.fromarray(mask).save(file)
        said = []
        calibrate_quality(root, ["still"], "evavos_widget.testing:NearestCopy", report=said.append)
        # What stands still is right wherever it was given since it is there.
        assert [line.split()[-1] for line in said] == ["1.000"] * len(said)
        assert said[0].split()[1:4] == ["K", "=", "1"]

    def test_quality_takes_void_for_no_object_and_few_frames_as_they_are(self, data, tmp_path):
        found = []
        for name, void in (("plain", False), ("void", True)):
            root = tmp_path / name
            shutil.copytree(data, root)
            for file in (root / "Annotations").rglob("*.png"):
                mask = (cv2.imread(str(file), 0) > 0).astype(np.uint8)
                mask[40:] = 255 if void else 0
                cv2.imwrite(str(file), mask)
            found.append(calibrate_quality(root, ["moving", "still"], "flow", report=quiet))
        assert found[0] == found[1]
        assert found[0]["rank_correlation"]["predicted"] is None  # six frames say nothing of ranks
        for file in (tmp_path / "plain" / "Annotations").rglob("*.png"):
            if file.stem != "00000":
                file.unlink()
        with pytest.raises(ValueError, match=r"no frame of \['still'\] is left to predict"):
            calibrate_quality(tmp_path / "plain", ["still"], "flow", report=quiet)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--sequences", "stilt"], "still"),
            (["--sequences", "still", "--propagator", "flaw"], "flow"),
            (["--sequences", "still", "--frames", "odd"], "after-first"),
            (["--sequences", "@nowhere.txt"], "nowhere.txt"),
        ],
    )
    def test_bad_input_is_one_sentence(self, data, capsys, arguments, says):
        status = main(["evaluate", "propagation", "--data", str(data), *arguments])
        error = capsys.readouterr().err
        assert status == 1
        assert says in error
        assert "Traceback" not in error
