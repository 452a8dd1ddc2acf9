from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evavos_widget import metrics
from evavos_widget.masks import LabelMaps, read_label_png
from evavos_widget.metrics import (
    SequenceScorer,
    area_under_curve,
    boundary_f,
    j_and_f,
    jaccard,
    score_frame,
    score_sequence,
    time_to_quality,
)

sizes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=80)


@st.composite
def pairs_of_label_maps(draw):
    """Two label maps of one size: noise, one colour, single pixels, rectangles, blobs."""
    height, width = shape = draw(sizes)

    def draw_map():
        kind = draw(st.sampled_from(["noise", "one colour", "rectangles", "blob"]))
        labels = np.zeros(shape, np.uint8)
        if kind == "noise":
            rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
            return rng.integers(0, 3, shape).astype(np.uint8)
        if kind == "one colour":
            labels[:] = draw(st.integers(0, 2))
        elif kind == "rectangles":
            for obj in (1, 2, 1):
                top, bottom = sorted(draw(st.integers(0, height)) for _ in range(2))
                left, right = sorted(draw(st.integers(0, width)) for _ in range(2))
                labels[top : bottom + 1, left : right + 1] = obj
        else:
            y, x = np.ogrid[:height, :width]
            centre = draw(st.integers(0, height)), draw(st.integers(0, width))
            labels[np.hypot(y - centre[0], x - centre[1]) < draw(st.integers(1, 40))] = 1
        return labels

    return draw_map(), draw_map()


def reference_scores(preds, gts):
    """J and F per object as vos-benchmark finds them, fractions of 1."""
    evaluator_of = pytest.importorskip("vos_benchmark.evaluator").Evaluator
    evaluator = evaluator_of()
    for pred, gt in zip(preds, gts, strict=True):
        evaluator.feed_frame(np.asarray(pred), np.asarray(gt))
    j, f = evaluator.conclude()
    return {obj: (j[obj] / 100, f[obj] / 100) for obj in j}


# Two masks


@given(pairs_of_label_maps())
def test_every_frame_scores_as_in_vos_benchmark(maps):
    pred, gt = maps
    objects = sorted(set(np.unique(gt).tolist()) - {0})
    reference = reference_scores([pred], [gt])
    scores = score_frame(pred, gt, objects)
    assert scores.shape == (len(objects), 2)
    for obj, row in zip(objects, scores, strict=True):
        assert row == pytest.approx(reference[obj], abs=1e-12)
        assert j_and_f(pred == obj, gt == obj) == tuple(row)
        assert jaccard(pred == obj, gt == obj) == row[0]


@given(pairs_of_label_maps(), st.integers(1, 90))
def test_boundaries_match_within_a_disk_given_in_pixels(maps, radius):
    cv2 = pytest.importorskip("cv2")
    disk = pytest.importorskip("skimage.morphology").disk(radius)
    utils = pytest.importorskip("vos_benchmark.utils")
    pred, gt = (utils._seg2bmap(labels == 1) for labels in maps)
    near_gt, near_pred = (cv2.dilate(b.astype(np.uint8), disk) > 0 for b in (gt, pred))
    if pred.any() and gt.any():
        precision, recall = near_gt[pred].mean(), near_pred[gt].mean()
        expected = 2 * precision * recall / ((precision + recall) or 1)
    else:
        expected = float(pred.any() == gt.any())
    assert boundary_f(maps[0] == 1, maps[1] == 1, radius) == pytest.approx(expected, abs=1e-12)


def test_the_rules_for_empty_masks():
    empty, full = np.zeros((20, 30), bool), np.ones((20, 30), bool)
    part = empty.copy()
    part[5:9, 5:9] = True
    assert j_and_f(empty, empty) == (1, 1)
    assert j_and_f(empty, part) == (0, 0)
    assert j_and_f(part, empty) == (0, 0)
    assert j_and_f(full, full) == (1, 1)
    assert j_and_f(full, empty) == (0, 1)  # neither has a boundary
    assert j_and_f(part, full) == (16 / 600, 0)


def test_the_radius_is_rounded_up():
    gt = np.zeros((480, 854), bool)  # diagonal 979.6, so 0.008 of it is 7.84: 8 pixels
    gt[:, :400] = True
    for shift, expected in ((8, 1.0), (9, 0.0)):
        assert boundary_f(np.roll(gt, shift, axis=1)[:, 20:], gt[:, 20:]) == expected


def test_maps_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        jaccard(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        score_frame(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), [1])
    with pytest.raises(ValueError, match="bound_th is -1"):
        boundary_f(np.zeros((2, 3)), np.zeros((2, 3)), -1)


# Sequences


@pytest.mark.parametrize("name", ["davis16/blackswan", "davis16/libby", "multi_object/schoolgirls"])
def test_real_masks_score_as_in_vos_benchmark(data_root, name):
    cv2 = pytest.importorskip("cv2")
    folder, sequence = name.split("/")
    middle = "480p" if folder == "davis16" else ""
    files = sorted((data_root / folder / "Annotations" / middle / sequence).iterdir())[::6]
    gt = np.stack([read_label_png(file) for file in files])
    moved = np.roll(gt, (3, -5), axis=(1, 2))
    eroded = np.stack([cv2.erode(m, np.ones((7, 7), np.uint8)) for m in gt])
    late = gt[[0, *range(len(gt) - 1)]]
    for pred in (moved, eroded, late):
        reference = reference_scores(pred[1:-1], gt[1:-1])
        score = score_sequence(LabelMaps.from_array(pred), LabelMaps.from_array(gt))
        assert score.objects == tuple(sorted(reference))
        expected = np.array([reference[o] for o in score.objects])
        assert score.j_per_object == pytest.approx(expected[:, 0], abs=1e-6)
        assert score.f_per_object == pytest.approx(expected[:, 1], abs=1e-6)
        assert score.jf == pytest.approx(expected.mean(), abs=1e-6)
        assert score_sequence(pred, gt).jf == score.jf


@given(
    hnp.arrays(np.uint8, (6, 4, 5), elements=st.integers(0, 2)),
    hnp.arrays(np.uint8, (6, 4, 5), elements=st.integers(0, 2)),
    st.integers(0, 4),
)
def test_objects_that_come_late_score_as_in_vos_benchmark(pred, gt, first):
    gt[0] = 0  # what the first frame has counts throughout, see below
    pred[:first][pred[:first] == 2] = 0
    gt[: first + 1][gt[: first + 1] == 2] = 0
    gt[4, 0, 0] = 1  # one object at least on a frame that counts
    reference = reference_scores(pred[1:-1], gt[1:-1])
    score = score_sequence(pred, gt)
    assert score.objects == tuple(sorted(reference))
    for obj, j, f in zip(score.objects, score.j_per_object, score.f_per_object, strict=True):
        assert (j, f) == pytest.approx(reference[obj], abs=1e-12)


@given(
    hnp.arrays(np.uint8, (6, 4, 5), elements=st.sampled_from([0, 1, 2, 255])),
    hnp.arrays(np.uint8, (6, 4, 5), elements=st.sampled_from([0, 1, 2, 255])),
    st.lists(st.integers(1, 5), max_size=4),
)
def test_objects_of_the_first_frame_score_as_in_davis2017_evaluation(pred, gt, gone):
    """There every frame between the ends counts, 255 is background, and empty is right."""
    gt[0, 0, :2] = 1, 2
    for frame in gone:
        gt[frame][gt[frame] == 2] = 0
        pred[frame][pred[frame] == 2] = 0
    score = score_sequence(pred, gt)
    assert score.objects == (1, 2)
    for k, obj in enumerate(score.objects):
        expected = [j_and_f(p == obj, g == obj) for p, g in zip(pred[1:-1], gt[1:-1], strict=True)]
        assert score.j_per_object[k] == pytest.approx(np.mean([j for j, _ in expected]))
        assert score.f_per_object[k] == pytest.approx(np.mean([f for _, f in expected]))


def square(value: int = 1, n: int = 6) -> np.ndarray:
    labels = np.zeros((n, 32, 40), np.uint8)
    labels[:, 5:25, 5:25] = value
    return labels


def test_void_is_background_and_no_object():
    pred, beside, inside = square(), square(), square()
    beside[:, 25:27, 5:25] = 255
    inside[:, 10:15, 10:15] = 255
    score = score_sequence(pred, beside)
    assert (score.objects, score.jf) == ((1,), 1)
    assert score_sequence(pred, inside).j == pytest.approx(375 / 400)
    assert score_sequence(np.where(inside == 255, 0, inside), inside).jf == 1
    # Only who names it takes it for an object.
    assert score_sequence(inside, inside, objects=[255]).objects == (255,)
    with pytest.raises(ValueError, match=r"no object on the frames to score.*255 is void"):
        score_sequence(square(255), square(255))


@pytest.mark.parametrize("frames", ["davis", "after-first", "all"])
def test_a_right_empty_prediction_scores_1(frames):
    one, two = square(), square(2)
    gt = one.copy()
    gt[0, 26:30, 26:36] = 2  # on the first frame only
    assert score_sequence(gt, gt, frames=frames).objects == (1, 2)
    assert score_sequence(gt, gt, frames=frames, objects=np.array([1, 2])).jf == 1
    stays = np.where(gt[:1] == 2, 2, gt)
    assert score_sequence(stays, gt, frames=frames, objects=[2]).j < 1
    gt = one.copy()
    gt[-1] = two[-1]  # on the last frame only
    assert score_sequence(gt, gt, frames=frames, objects=[1, 2]).jf == 1
    assert score_sequence(gt, gt, frames=frames).objects == ((1,) if frames == "davis" else (1, 2))


def test_an_object_that_comes_late_counts_from_then_on():
    gt = square()
    gt[3:, 26:30, 26:36] = 2
    pred = square()
    score = score_sequence(pred, gt)
    assert score.j_per_frame[:, 1].tolist()[2:] == [0, 0]
    assert np.isnan(score.j_per_frame[:2, 1]).all()
    pred[1, 26:30, 26:36] = 2  # too early is wrong from there on
    assert score_sequence(pred, gt).j_per_frame[:, 1].tolist() == [0, 1, 0, 0]


@pytest.fixture
def clip():
    """Object 1 everywhere but on frame 3; the prediction is half of it, and right on frame 0."""
    gt = np.zeros((5, 8, 8), np.uint8)
    gt[:, 2:6, 2:6] = 1
    gt[3] = 0
    pred = np.zeros_like(gt)
    pred[:, 2:6, 2:4] = 1
    pred[0] = gt[0]
    return pred, gt


@pytest.mark.parametrize(
    ("frames", "scored", "j"),
    [
        ("davis", [1, 2, 3], [0.5, 0.5, 0]),
        ("after-first", [1, 2, 3, 4], [0.5, 0.5, 0, 0.5]),
        ("all", [0, 1, 2, 3, 4], [1, 0.5, 0.5, 0, 0.5]),
        ("evavos", [0, 1, 2, 3, 4], [1, 0.5, 0.5, math.nan, 0.5]),
    ],
)
def test_conventions_say_which_frames_count(clip, frames, scored, j):
    score = score_sequence(*clip, frames=frames)
    assert score.frames.tolist() == scored
    assert score.convention == frames
    np.testing.assert_array_equal(score.j_per_frame[:, 0], j)
    assert score.j == pytest.approx(np.nanmean(j))
    assert score.jf == pytest.approx((score.j + score.f) / 2)


def test_ground_truth_may_leave_frames_out(clip):
    pred, gt = clip
    sparse = {4: gt[4], 0: gt[0], 2: gt[2]}
    score = score_sequence(pred, sparse)
    assert score.frames.tolist() == [2]
    assert score.j == 0.5
    assert score_sequence({i: pred[i] for i in (0, 2, 4)}, sparse, frames="all").j == 2 / 3


def test_objects_count_alike_whatever_their_size():
    gt = np.zeros((3, 10, 10), np.uint8)
    gt[:, :8] = 1
    gt[:, 9, 9] = 4
    pred = np.where(gt == 1, gt, 0)
    score = score_sequence(pred, gt)
    assert score.objects == (1, 4)
    assert score.j_per_object.tolist() == [1, 0]
    assert score.j == 0.5
    assert score_sequence(pred, gt, objects=[4]).j == 0


def test_frames_that_did_not_change_are_not_scored_again(clip, monkeypatch):
    pred, gt = map(LabelMaps.from_array, clip)
    scored = []
    original = metrics._score_runs
    monkeypatch.setattr(
        metrics, "_score_runs", lambda *args: (scored.append(args[0]), original(*args))[1]
    )
    scorer = SequenceScorer(gt, frames="all")
    scorer.score(pred)
    assert len(scored) == 5
    better = pred.replace({2: gt[2]})
    changed = scorer.score(better)
    assert [r is better.runs(2) for r in scored[5:]] == [True]
    fresh = score_sequence(better, gt, frames="all")
    assert (changed.j, changed.f) == (fresh.j, fresh.f)
    scorer.score(better.array())
    assert len(scored) == 6 + 5  # the fresh scorer's; the same pixels came back for free


def test_scoring_that_makes_no_sense_is_refused(clip):
    pred, gt = clip
    empty = np.zeros_like(gt)
    for arguments, sentence in [
        ((pred, gt, "first"), "unknown convention frames='first'"),
        ((pred[:2], gt[:2], "davis"), "leaves none of the 2 frames"),
        ((pred, empty, "davis"), "no object"),
        ((pred[:, :4], gt, "all"), "prediction of frame 0 is 4 x 8"),
        ((pred[:3], gt, "all"), "no mask for frame 3"),
        ((LabelMaps.from_array(pred[:3]), gt, "all"), "no mask for frame 3"),
        ((LabelMaps.empty(5, 4, 4), gt, "all"), "same height x width"),
        ((pred, [gt[0], gt[1][:4], gt[2]], "all"), "ground truth of frame 1 is 4 x 8"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            score_sequence(arguments[0], arguments[1], frames=arguments[2])
    with pytest.raises(ValueError, match="object 9 is on none of the frames"):
        score_sequence(pred, gt, objects=[1, 9])


# Quality over time


def test_time_to_a_quality_is_interpolated():
    seconds, quality = [10, 20, 40, 60], [0.5, 0.7, 0.6, 0.9]
    assert time_to_quality(seconds, quality, 0.6) == pytest.approx(15)
    assert time_to_quality(seconds, quality, 0.7) == 20
    assert time_to_quality(seconds, quality, 0.75) == pytest.approx(50)
    assert time_to_quality(seconds, quality, 0.4) == 10
    assert time_to_quality(seconds, quality, 0.95) is None
    assert time_to_quality([0, 5, 5], [0, 0.2, 0.8], 0.5) == 5


def test_area_under_the_curve_is_the_mean_quality():
    seconds, quality = [0, 10, 20], [0, 1, 1]
    assert area_under_curve(seconds, quality) == pytest.approx(0.75)
    assert area_under_curve(seconds, quality, until=40) == pytest.approx(0.875)
    assert area_under_curve(seconds, quality, until=5) == pytest.approx(0.25)
    assert area_under_curve([7], [0.3]) == 0.3
    # A round that cost nothing: the curve rises where it ends, and has no area there.
    assert area_under_curve([0, 10, 10], [0.5, 0.6, 0.9]) == pytest.approx(0.55)
    assert area_under_curve([0, 10, 10, 20], [0.5, 0.6, 0.9, 1], until=10) == pytest.approx(0.55)
    assert area_under_curve([0, 0], [0.5, 0.6]) == 0.6
    assert area_under_curve([7], [0.3], until=9) == pytest.approx(0.3)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(0, 1),
)
def test_the_time_found_is_the_first_with_that_quality(points, target):
    seconds, quality = zip(*sorted(points, key=lambda p: p[0]), strict=True)
    time = time_to_quality(seconds, quality, target)
    if time is None:
        assert max(quality) < target
    else:
        assert seconds[0] <= time <= seconds[-1]
        assert all(q < target for s, q in zip(seconds, quality, strict=True) if s < time)
    area = area_under_curve(seconds, quality)
    assert min(quality) - 1e-12 <= area <= max(quality) + 1e-12


@pytest.mark.parametrize(
    ("seconds", "quality", "sentence"),
    [
        ([0, 1], [0], "same length"),
        ([], [], "at least 1"),
        ([0, math.nan], [0, 1], "NaN"),
        ([1, 0], [0, 1], "backwards"),
    ],
)
def test_what_is_no_curve_is_refused(seconds, quality, sentence):
    with pytest.raises(ValueError, match=sentence):
        time_to_quality(seconds, quality, 0.5)
    with pytest.raises(ValueError, match=sentence):
        area_under_curve(seconds, quality)
    with pytest.raises(ValueError, match="give a later time"):
        area_under_curve([5, 6], [0, 1], until=4)
