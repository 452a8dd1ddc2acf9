"""Js, Fs, Ju, Fu and G against their definition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import write_sequence
from evavos_widget.evaluation.pointvos_benchmark import evaluate_benchmark
from evavos_widget.evaluation.youtube_vos import categories_of, object_score, youtube_scores
from evavos_widget.masks import LabelMaps
from evavos_widget.metrics import boundary_f, jaccard
from evavos_widget.testing.scenes import Scene

SCORES = {("a", 1): (0.9, 0.8), ("a", 2): (0.5, 0.4), ("b", 1): (0.7, 0.6), ("b", 7): (0.1, 0.2)}
CATEGORIES = {("a", 1): "dog", ("a", 2): "cat", ("b", 1): "dog", ("b", 7): "yeti"}


def test_g_is_the_mean_of_four_means_not_of_objects() -> None:
    found = youtube_scores(SCORES, CATEGORIES, {"dog", "cat"})
    expected = {"js": 2.1 / 3, "fs": 1.8 / 3, "ju": 0.1, "fu": 0.2}
    assert {k: found[k] for k in expected} == pytest.approx(expected)
    assert found["g"] == pytest.approx(sum(expected.values()) / 4)
    mean = np.mean(list(SCORES.values()))
    assert found["g"] != pytest.approx(mean)


def test_without_unseen_objects_there_is_no_g() -> None:
    found = youtube_scores(SCORES, CATEGORIES, {"dog", "cat", "yeti"})
    assert found["ju"] is None
    assert found["g"] is None
    with pytest.raises(ValueError, match="object 7 of 'b' is not known"):
        youtube_scores(SCORES, {k: v for k, v in CATEGORIES.items() if k != ("b", 7)}, {"dog"})


def test_an_object_counts_from_the_frame_after_its_first() -> None:
    truth = {f: np.zeros((20, 30), np.uint8) for f in (0, 5, 10, 15)}
    masks = np.zeros((16, 20, 30), np.uint8)
    for f in (5, 10):
        truth[f][4:12, 4:14] = 3
        masks[f, 4:12, 5:14] = 3
    masks[0, :, :] = 3  # before it is there, nobody asks
    masks[15, 0:2, 0:2] = 3  # it is gone, and something was found
    expected = [
        (jaccard(masks[f] == 3, truth[f] == 3), boundary_f(masks[f] == 3, truth[f] == 3))
        for f in (10, 15)
    ]
    assert object_score(LabelMaps.from_array(masks), truth, 3) == pytest.approx(
        tuple(np.mean(expected, axis=0))
    )
    assert object_score(LabelMaps.from_array(masks), {5: truth[5]}, 3) is None


@pytest.mark.parametrize(
    ("files", "error", "said"),
    [
        ({"meta": "meta"}, ValueError, "which categories were seen is not known; give seen"),
        ({"meta": "none", "seen": "meta"}, FileNotFoundError, r"none\.json"),
        ({"meta": "meta", "seen": "none"}, FileNotFoundError, r"none\.json"),
        ({"meta": "part", "seen": "meta"}, ValueError, "category of object 2 of 'last' is not"),
    ],
)
def test_what_lacks_is_told_before_the_first_sequence(
    files: dict[str, str], error: type[Exception], said: str, tmp_path: Path
) -> None:
    scene = Scene(3, 120, 200, (1, 2))
    objects = {obj: {"category": "dog"} for obj in ("1", "2")}
    whole = {name: {"objects": objects} for name in ("first", "last")}
    part = {**whole, "last": {"objects": {"1": objects["1"]}}}
    for name in whole:
        write_sequence(tmp_path, AnnotatedVideo(name, scene.video, dict(enumerate(scene.labels))))
    for name, videos in (("meta", whole), ("part", part)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"videos": videos}))
    with pytest.raises(error, match=said):
        evaluate_benchmark(
            tmp_path,
            list(whole),
            propagator="evavos_widget.testing:NearestCopy",
            predictor="evavos_widget.testing:Disks",
            counts=(1,),
            report=lambda line: pytest.fail(f"a sequence was run: {line}"),
            **{option: tmp_path / f"{name}.json" for option, name in files.items()},
        )


def test_the_benchmark_gives_them(tmp_path: Path) -> None:
    scene = Scene(5, 120, 200, (1, 2))
    write_sequence(tmp_path, AnnotatedVideo("two", scene.video, dict(enumerate(scene.labels))))
    for name, categories in (("meta", {"1": "dog", "2": "yeti"}), ("train", {"1": "dog"})):
        objects = {obj: {"category": c, "frames": []} for obj, c in categories.items()}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"videos": {"two": {"objects": objects}}}))
    result = evaluate_benchmark(
        tmp_path,
        ["two"],
        propagator="evavos_widget.testing:NearestCopy",
        predictor="evavos_widget.testing:Disks",
        counts=(1, 2),
        meta=tmp_path / "meta.json",
        seen=tmp_path / "train.json",
        report=lambda line: None,
    )
    assert set(result["youtube_vos"]) == {"1", "2"}
    for five in result["youtube_vos"].values():
        assert five["g"] == pytest.approx(np.mean([five[k] for k in ("js", "fs", "ju", "fu")]))
    marked = tmp_path / "marked.json"
    marked.write_text("\ufeff" + (tmp_path / "train.json").read_text(), encoding="utf-8")
    assert categories_of(marked) == categories_of(tmp_path / "train.json")
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(ValueError, match=r"bad\.json is no meta\.json"):
        categories_of(tmp_path / "bad.json")
