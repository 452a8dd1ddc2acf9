"""Made videos with narratives: repeatable, their words true, their sides apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evavos_widget import cli
from evavos_widget.datasets.captions import PHRASES, Subject, narrate
from evavos_widget.datasets.narrated import (
    SHARES,
    embedded_cast,
    photographed_cast,
    render_narrated,
)
from evavos_widget.datasets.narrated_set import vng_video, with_pseudo_masks, write_narrated
from evavos_widget.datasets.point_sets import object_key
from evavos_widget.formats.vng import read, write
from evavos_widget.masks import write_label_png

SIZE = {"height": 96, "width": 160}


def test_every_noun_stands_where_its_span_says_beside_what_sets_it_apart():
    random = np.random.default_rng(0)
    for by, values in PHRASES.items():
        subjects = [Subject("dog", by, value) for value in values]
        for _ in range(20):
            said = narrate(random, subjects)
            assert len(set(said.spans)) == len(subjects)
            for subject, (start, stop) in zip(subjects, said.spans, strict=True):
                assert said.text[start:stop] == "dog"
                around = said.text[max(0, start - 30) : stop + 30].lower()
                told = [p.format("dog") for p in PHRASES[by][subject.value]]
                assert any(phrase in around for phrase in told)
    with pytest.raises(ValueError, match="'pink'"):
        narrate(random, [Subject("dog", "colour", "pink")])
    with pytest.raises(ValueError, match="needs a subject"):
        narrate(random, [])


@pytest.mark.parametrize("by", SHARES)
def test_what_is_said_is_so(by: str):
    cast = embedded_cast()
    for seed in range(3):
        clip = render_narrated(cast, seed, n_frames=8, by=by, **SIZE)
        again = render_narrated(cast, seed, n_frames=8, by=by, **SIZE)
        assert np.array_equal(clip.labels, again.labels)
        assert clip.narratives == again.narratives
        assert {s.by for s in clip.subjects} == {by}
        pairs = [(s.noun, s.value) for s in clip.subjects]
        assert len(set(pairs)) == len(pairs) >= 3
        rows, columns, areas = {}, {}, {}
        for i, subject in enumerate(clip.subjects):
            ys, xs = zip(
                *(np.argwhere(labels == i + 1).mean(0) for labels in clip.labels), strict=True
            )
            value = subject.value
            rows[value], columns[value] = np.array(ys), np.array(xs)
            areas[value] = (clip.labels[0] == i + 1).any(1).sum()
        if by == "motion":
            for value, axis, sign in (
                ("left", columns, -1), ("right", columns, 1), ("up", rows, -1), ("down", rows, 1)
            ):  # fmt: skip
                if value in axis:
                    assert sign * (axis[value][-1] - axis[value][0]) > 15
        elif by == "place":
            assert columns["left"].max() < columns["right"].min()
            if "top" in rows:
                assert rows["top"].max() < rows["bottom"].min()
        elif by == "size":
            assert areas["small"] < areas["middle-sized"] < areas["large"]


def test_one_frame_tells_of_no_motion():
    cast = embedded_cast()
    assert all(
        subject.by != "motion"
        for seed in range(12)
        for subject in render_narrated(cast, seed, n_frames=1, **SIZE).subjects
    )
    with pytest.raises(ValueError, match="no motion"):
        render_narrated(cast, 0, n_frames=1, by="motion", **SIZE)
    with pytest.raises(ValueError, match="'smell' sets nothing apart"):
        render_narrated(cast, 0, by="smell", **SIZE)


def test_a_set_is_what_was_rendered_and_is_not_written_over(tmp_path: Path):
    cast = embedded_cast()
    write_narrated(tmp_path / "set", cast, [3, 4], n_frames=3, report=lambda _: None, **SIZE)
    clip = render_narrated(cast, 3, n_frames=3, **SIZE)
    video = read(tmp_path / "set")[0]
    expected = vng_video(clip, video.name)
    assert video.expressions == expected.expressions
    for e in video.expressions:
        for frame in range(3):
            found = video.mask(e, frame)
            assert found is not None
            assert np.array_equal(found, clip.labels[frame] == int(e.object))
    with pytest.raises(FileExistsError, match="not empty"):
        write_narrated(tmp_path / "set", cast, [5], n_frames=3, **SIZE)


def test_masks_of_points_take_the_place_of_the_true_ones(tmp_path: Path):
    write_narrated(
        tmp_path / "set", embedded_cast(), [3], n_frames=3, report=lambda _: None, **SIZE
    )
    name = read(tmp_path / "set")[0].name
    with pytest.raises(FileNotFoundError, match="no mask of an object"):
        with_pseudo_masks(tmp_path / "set", tmp_path / "none", tmp_path / "new")
    guess = np.zeros((96, 160), np.uint8)
    guess[4:9, 5:20] = 1
    folder = tmp_path / "masks" / object_key(name, 2)
    folder.mkdir(parents=True)
    write_label_png(folder / "00001.png", guess)
    with_pseudo_masks(tmp_path / "set", tmp_path / "masks", tmp_path / "new", lambda _: None)
    made = read(tmp_path / "new")[0]
    assert {e.object for e in made.expressions} == {"2"}
    assert made.annotated(made.expressions[0]) == [1]
    found = made.mask(made.expressions[0], 1)
    assert found is not None
    assert np.array_equal(found, guess > 0)
    before = {file: file.read_bytes() for file in (tmp_path / "set").glob("*.json")}
    for taken in ("set", "new"):
        with pytest.raises(FileExistsError, match="not empty"):
            with_pseudo_masks(tmp_path / "set", tmp_path / "masks", tmp_path / taken)
    assert before == {file: file.read_bytes() for file in (tmp_path / "set").glob("*.json")}


@pytest.mark.parametrize("names", [{"1": "cat", "2": "dog"}, {"1": "007", "2": "é"}])
def test_objects_may_have_any_names(tmp_path: Path, names: dict[str, str]):
    clip = render_narrated(embedded_cast(), 3, n_frames=2, **SIZE)
    video = vng_video(clip, "one")
    renamed = replace(
        video,
        masks={names[obj]: of for obj, of in video.masks.items() if obj in names},
        expressions=tuple(
            replace(e, object=names[e.object]) for e in video.expressions if e.object in names
        ),
    )
    write([renamed], tmp_path / "set")
    path = tmp_path / "masks" / object_key("one", names["1"]) / "00000.png"
    path.parent.mkdir(parents=True)
    write_label_png(path, np.ones((96, 160), np.uint8))
    (made,) = with_pseudo_masks(tmp_path / "set", tmp_path / "masks", tmp_path / "new")
    assert {e.object for e in made.expressions} == {names["1"]}


def test_seeds_that_are_none_make_no_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for seeds in ("9-0", "a-b", "3-"):
        assert cli.main(["vng", "make", "--seeds", seeds, "--out", str(tmp_path / "set")]) == 1
        assert f"{seeds!r} is no list of numbers" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_things_are_named_by_a_noun_and_a_folder(tmp_path: Path):
    with pytest.raises(ValueError, match="NOUN=FOLDER"):
        photographed_cast(["pets"], [], "train")


def test_the_sides_share_no_photograph(data_root: Path):
    stills = data_root / "stills"
    if not stills.is_dir():
        pytest.skip(f"no photographs at {stills}")
    given = [f"dog={stills}/pets:00400-00599"], [str(stills / "coco128seg")]
    sides = [photographed_cast(*given, side) for side in ("train", "test")]
    clips = [render_narrated(cast, 1, n_frames=1, **SIZE) for cast in sides]
    assert not np.array_equal(clips[0].frames, clips[1].frames)
    assert {s.noun for s in clips[0].subjects} == {"dog"}
