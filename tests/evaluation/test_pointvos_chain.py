"""The Point-VOS chain from a localisation to a file, on the generated clip."""

from __future__ import annotations

import numpy as np
import pytest

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.evaluation.pointvos import LOCALISATIONS, evaluate_points
from evavos_widget.formats.pointvos import read
from evavos_widget.loop import PointSelector
from evavos_widget.testing.scenes import Scene


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    scene = Scene(12, 120, 200, (1, 2))
    truth = dict(enumerate(scene.labels))
    write_sequence(folder, AnnotatedVideo("two", scene.video, truth))
    return folder


@pytest.mark.parametrize("localisation", LOCALISATIONS)
def test_every_localisation_leads_to_points(root, tmp_path, localisation):
    found = evaluate_points(
        root, ["two"], localisation=localisation, export=tmp_path, report=lambda line: None
    )
    objects = list(read(tmp_path / "two.json", pytest.fail))
    assert len(objects) == len(found["sequences"]) == 2
    assert sum(len(o.points) for o in objects) == sum(
        r["points"] for r in found["sequences"].values()
    )
    assert found["seconds"] == pytest.approx(0.95 * found["points"])
    assert found["regions"]["foreground"]["inside"] > found["regions"]["background"]["inside"]
    for region in found["regions"].values():
        assert region["label_accuracy"] in (None, 1.0)


def test_an_error_rate_shows_and_the_seed_settles_the_rest(root):
    def run(**options):
        return evaluate_points(
            root, ["two"], localisation="mask", report=lambda line: None, **options
        )

    noisy = run(error_rate=0.3)
    right = [r["label_accuracy"] for r in noisy["regions"].values() if r["points"] > 20]
    assert np.mean(right) == pytest.approx(0.7, abs=0.15)
    assert run(error_rate=0.3) == noisy
    assert run(error_rate=0.3, seed=1)["regions"] != noisy["regions"]
    ordered = run(selector="largest-effect")
    assert list(ordered["found"].values()) == sorted(ordered["found"].values())
    with pytest.raises(ValueError, match="choose from"):
        evaluate_points(root, ["two"], localisation="shout", report=lambda line: None)


def test_objects_that_look_alike_have_points_of_their_own(tmp_path):
    scene = Scene(3, 120, 200, (1, 2))
    labels = np.zeros((120, 200), np.uint8)
    labels[10:80, 10:80], labels[10:80, 110:180] = 1, 2
    write_sequence(tmp_path, AnnotatedVideo("alike", scene.video, dict.fromkeys(range(3), labels)))
    evaluate_points(
        tmp_path,
        ["alike"],
        propagator="evavos_widget.testing:NearestCopy",
        localisation="mask",
        export=tmp_path / "out",
        report=lambda line: None,
    )
    left, right = (
        [(p.x % 100, p.y) for p in of.points if p.is_fg_candidate]
        for of in read(tmp_path / "out" / "alike.json", pytest.fail)
    )
    assert left != right


def test_a_sequence_without_objects_is_named(tmp_path):
    scene = Scene(3, 120, 200, (1, 2))
    nothing = dict(enumerate(np.zeros_like(scene.labels)))
    write_sequence(tmp_path, AnnotatedVideo("empty", scene.video, nothing))
    with pytest.raises(ValueError, match="'empty' show no object; leave it out"):
        evaluate_points(tmp_path, ["empty"], report=lambda line: None)


@pytest.mark.parametrize("known", [(2, 3), (0, 5, 10)])
def test_points_are_on_frames_with_truth(tmp_path, known):
    scene = Scene(12, 120, 200, (1, 2))
    truth = {f: scene.labels[f] for f in known}
    write_sequence(tmp_path, AnnotatedVideo("sparse", scene.video, truth))
    found = evaluate_points(
        tmp_path, ["sparse"], localisation="mask", export=tmp_path / "out", report=lambda line: None
    )
    for obj in read(tmp_path / "out" / "sparse.json", pytest.fail):
        assert {int(str(p.frame_id)) for p in obj.points} == set(known)
    assert 1 < found["masks_over_points"] < 1000


class Nothing(PointSelector):
    """Proposes no point."""

    name = "nothing"

    def select(self, video, probabilities):
        return []


def test_objects_without_points_do_not_count_in_the_times(root):
    found = evaluate_points(
        root, ["two"], localisation="mask", selector=f"{__name__}:Nothing", report=lambda line: None
    )
    assert found["points"] == 0
    assert found["masks_over_points"] is None
