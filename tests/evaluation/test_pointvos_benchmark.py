"""The Point-VOS benchmark: its point sets, its pseudo-masks, its figures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from small_weights import write_small_weights

from evavos_widget import cli
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.datasets.point_sets import simulated_set
from evavos_widget.evaluation.pointvos_benchmark import (
    draw_points,
    evaluate_benchmark,
    point_annotations,
    pseudo_masks,
)
from evavos_widget.formats.pointvos import NAMESPACE, read, write
from evavos_widget.testing import Disks
from evavos_widget.testing.scenes import Scene

DISKS, COPY = "evavos_widget.testing:Disks", "evavos_widget.testing:NearestCopy"


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def scene():
    return Scene(6, 120, 200, (1, 2))


@pytest.fixture(scope="module")
def root(tmp_path_factory, scene):
    folder = tmp_path_factory.mktemp("data")
    truth = dict(enumerate(scene.labels))
    write_sequence(folder, AnnotatedVideo("two", scene.video, truth))
    return folder


def test_points_are_on_the_object_where_it_first_appears_and_sets_are_nested(scene):
    truth = {
        f: np.where((labels == 2) & (f < 3), 0, labels) for f, labels in enumerate(scene.labels)
    }
    drawn = draw_points("two", scene.video, truth, [1, 2], 0)
    for of, frame in zip(drawn, (0, 3), strict=True):
        obj = of.extra[NAMESPACE]["object"]
        assert {p.frame_id for p in of.points} == {scene.video.frame_names[frame]}
        assert all(truth[frame][p.y, p.x] == obj for p in of.points)
    given = pseudo_masks(scene.video, drawn, 1, Disks())
    assert {f: a.objects for f, a in given.items()} == {0: {1}, 3: {2}}
    for frame, of in ((0, drawn[0]), (3, drawn[1])):
        p = of.points[0]
        assert given[frame].labels[p.y, p.x] == of.extra[NAMESPACE]["object"]


def test_videos_that_look_alike_have_points_of_their_own(scene, tmp_path):
    truth = dict(enumerate(scene.labels))
    for name in ("one", "other"):
        write_sequence(tmp_path, AnnotatedVideo(name, scene.video, truth))

    def places(sets):
        return {of.video_name: [(p.x, p.y) for p in of.points] for of in sets}

    drawn = [of for n in ("one", "other") for of in draw_points(n, scene.video, truth, [1], 0)]
    simulated = [
        of for of in simulated_set(tmp_path, ["one", "other"]) if of.extra[NAMESPACE]["object"] == 1
    ]
    for sets in (places(drawn), places(simulated)):
        assert sets["one"] != sets["other"]
    assert places(drawn) == places(
        of for n in ("one", "other") for of in draw_points(n, scene.video, truth, [1], 0)
    )


def test_figures_and_point_sets_that_are_kept(root, tmp_path):
    file = tmp_path / "sets" / "points.jsonl"
    options = {"propagator": COPY, "predictor": DISKS, "report": quiet, "points": file}
    first = evaluate_benchmark(root, ["two"], seed=3, **options)
    assert list(first["jf"]) == ["1", "2", "5", "10", "mean"]
    assert first["jf"]["mean"] == pytest.approx(
        np.mean([first["jf"][n] for n in ("1", "2", "5", "10")])
    )
    assert all(0 < v < 1 for v in first["jf"].values())
    kept = file.read_bytes()
    again = evaluate_benchmark(root, ["two"], seed=3, **options)
    assert again["jf"] == first["jf"]
    with pytest.raises(ValueError, match=r"drawn with the seed 3, and the seed is 99; give that"):
        evaluate_benchmark(root, ["two"], seed=99, **options)
    assert file.read_bytes() == kept
    file.write_text(kept.decode().replace('"seed": 3', '"by": "hand"'))  # such have no seed
    by_hand = evaluate_benchmark(root, ["two"], seed=99, **options)
    assert by_hand["jf"] == first["jf"]
    drawn_anew = evaluate_benchmark(root, ["two"], seed=99, **{**options, "points": None})
    assert drawn_anew["jf"] != first["jf"]
    file.write_text(kept.decode().splitlines()[0])
    with pytest.raises(ValueError, match=r"objects \[1\] of 'two'"):
        evaluate_benchmark(root, ["two"], seed=3, **options)
    file.write_text(kept.decode().replace("ACCEPTED", "MAYBE", 1))
    with pytest.raises(ValueError, match="Mend the file"):
        evaluate_benchmark(root, ["two"], **options)


def test_the_command_line(root, tmp_path, capsys):
    given = ["--data", str(root), "--sequences", "two", "--propagator", COPY]
    out = tmp_path / "out.json"
    command = ["pointvos", "benchmark", *given, "--predictor", DISKS, "--json", str(out)]
    for seed in (1, 2):  # what was written beside the first figures is not taken for the second
        assert cli.main([*command, "--seed", str(seed)]) == 0
        assert set(json.loads(out.read_text())["jf"]) == {"1", "2", "5", "10", "mean"}
        drawn = list(read(tmp_path / "out.points.jsonl", pytest.fail))
        assert [of.extra[NAMESPACE]["seed"] for of in drawn] == [seed] * 2
    given += ["--localisation", "mask", "--out", str(tmp_path / "points")]
    assert cli.main(["pointvos", "verify", *given]) == 0
    assert "times as long" in capsys.readouterr().out
    assert len(list(read(tmp_path / "points" / "two.json", pytest.fail))) == 2
    assert cli.main(["pointvos", "verify", *given]) == 1  # they may be answers of people
    assert "not empty" in capsys.readouterr().err


def test_points_go_straight_into_a_propagator_that_accepts_them(root, tmp_path):
    weights = write_small_weights(tmp_path)
    options = {"propagator": f"compact:{weights}", "report": quiet, "counts": (1, 5)}
    result = evaluate_benchmark(root, ["two"], method="points", **options)
    assert list(result["jf"]) == ["1", "5", "mean"]
    assert result["predictor"] is None
    with pytest.raises(ValueError, match="'flow' does not accept points"):
        evaluate_benchmark(root, ["two"], method="points", propagator="flow", report=quiet)
    with pytest.raises(ValueError, match="no method 'clicks'"):
        evaluate_benchmark(root, ["two"], method="clicks", report=quiet)


def test_with_true_masks_nothing_is_left_to_the_predictor(root):
    result = evaluate_benchmark(root, ["two"], method="mask", propagator=COPY, report=quiet)
    assert list(result["jf"]) == ["mask", "mean"]
    guessed = evaluate_benchmark(
        root, ["two"], propagator=COPY, predictor=DISKS, counts=(1,), report=quiet
    )
    assert result["jf"]["mask"] > guessed["jf"]["1"]


def test_points_as_they_are_given(scene):
    truth = dict(enumerate(scene.labels))
    drawn = draw_points("two", scene.video, truth, [1, 2], 0)
    given = point_annotations(scene.video, drawn, 2)
    (annotation,) = given.values()
    assert not annotation.labels.any()
    for obj, points in annotation.points.items():
        assert 1 <= len(points) <= 2
        assert all(scene.labels[0][p.y, p.x] == obj for p in points)


def test_points_beside_an_object_on_other_frames_or_outside_are_no_point_set(root, scene, tmp_path):
    truth = dict(enumerate(scene.labels))
    first, second = draw_points("two", scene.video, truth, [1, 2], 0)
    file = tmp_path / "points.jsonl"

    def score(*points, **options):
        write([replace(first, points=points, **options), second], file)
        return evaluate_benchmark(
            root, ["two"], propagator=COPY, predictor=DISKS, points=file, counts=(1,), report=quiet
        )

    point = first.points[0]
    for status in ("REJECTED", "AMBIGUOUS"):
        with pytest.raises(ValueError, match=r"'object 1' of 'two' that are not on it"):
            score(point, replace(first.points[1], status=status))
    with pytest.raises(ValueError, match="several frames"):
        score(point, replace(first.points[1], frame_id=scene.video.frame_names[1]))
    for outside in ({"x": 200}, {"y": 120}):
        with pytest.raises(ValueError, match="outside the 200 x 120 picture"):
            score(replace(point, **outside))
    with pytest.raises(ValueError, match=r"objects \[0, 2\]"):  # of another tool
        score(point, extra={NAMESPACE: 3})
    assert score(point, video_name="val/two")["points"] == {"1": 1.0}
