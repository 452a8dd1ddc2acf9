from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from evavos_widget.masks import (
    OKABE_ITO,
    LabelMaps,
    as_label_map,
    davis_palette,
    decode_runs,
    default_color,
    encode_runs,
    from_coco,
    from_polygons,
    read_label_png,
    to_coco,
    to_polygons,
    write_label_png,
)

FIXTURE = Path(__file__).parent / "fixtures" / "runs.json"

sizes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)
label_maps = hnp.arrays(np.uint8, sizes, elements=st.sampled_from([0, 1, 2, 255]))
binary_masks = hnp.arrays(bool, sizes)


# Runs


@given(label_maps)
def test_runs_round_trip_and_are_as_short_as_can_be(labels):
    runs = encode_runs(labels)
    assert runs.dtype == np.uint32
    assert np.array_equal(decode_runs(runs, labels.shape), labels)
    assert len(runs) == 1 + np.count_nonzero(np.diff(labels.ravel().astype(int)))


@pytest.mark.parametrize("entry", json.loads(FIXTURE.read_text()), ids=lambda e: e["name"])
def test_runs_of_the_fixture_that_both_languages_share(entry):
    labels = np.array(entry["labels"], np.uint8).reshape(entry["height"], entry["width"])
    assert encode_runs(labels).tolist() == entry["runs"]
    runs = np.array(entry["runs"], np.uint32)
    assert np.array_equal(decode_runs(runs, labels.shape), labels)


def test_runs_of_a_view_with_gaps():
    labels = np.arange(60, dtype=np.uint8).reshape(6, 10)[::2, ::3]
    assert np.array_equal(decode_runs(encode_runs(labels), labels.shape), labels)


def test_a_run_too_long_for_its_24_bits_is_split():
    labels = np.zeros((4097, 4096), np.uint8)
    labels[-1, -1] = 3
    runs = encode_runs(labels)
    assert runs.tolist() == [2**24 - 1, 4096, 3 << 24 | 1]
    assert np.array_equal(decode_runs(runs, labels.shape), labels)


@pytest.mark.parametrize("runs", [[5], [7], []])
def test_runs_must_cover_the_picture(runs):
    with pytest.raises(ValueError, match=r"cover .* 2 x 3 = 6"):
        decode_runs(np.array(runs, np.uint32), (2, 3))


def test_runs_must_be_flat_uint32():
    with pytest.raises(ValueError, match="int64"):
        decode_runs(np.array([6]), (2, 3))
    with pytest.raises(TypeError, match="int64"):
        encode_runs(np.zeros((2, 3), np.int64))


# Label maps


@pytest.mark.parametrize(
    ("labels", "error", "sentence"),
    [
        (np.zeros((3, 4), np.float32), TypeError, "float32; give booleans or integer ids"),
        (np.full((3, 4), np.nan), ValueError, "NaN or infinite"),
        (np.zeros((3, 4, 3), np.uint8), ValueError, r"shape \(3, 4, 3\).*2-D"),
        (np.zeros((4, 3), bool), ValueError, "is 4 x 3 .*3 x 4"),
        (np.full((3, 4), -1), ValueError, "negative label -1"),
        (np.arange(300, 312).reshape(3, 4), ValueError, "label 311.*255 objects"),
        ([["a"] * 4] * 3, TypeError, "give booleans or integer ids"),
    ],
)
def test_what_is_no_label_map_is_refused_in_one_sentence(labels, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        as_label_map(labels, 3, 4, what="the drawing")
    assert str(caught.value).startswith("the drawing ")
    assert str(caught.value).count(". ") == 0


def test_a_label_map_does_not_follow_its_source():
    source = np.zeros((2, 2), np.uint8)
    labels = as_label_map(source, 2, 2)
    source[:] = 9
    assert not labels.any()
    with pytest.raises(ValueError, match="read-only"):
        labels[0, 0] = 1


@pytest.mark.parametrize("index", [4, -5])
def test_a_frame_that_is_not_there_is_named(index):
    with pytest.raises(IndexError, match=f"there is no frame {index} in these masks; give 0 to 3"):
        LabelMaps.empty(4, 3, 5)[index]


@given(hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(0, 3)))
def test_label_maps_give_back_what_they_were_made_of(labels):
    maps = LabelMaps.from_array(labels)
    assert maps.shape == labels.shape
    assert len(maps) == len(labels)
    assert np.array_equal(maps.array(), labels)
    assert all(np.array_equal(a, b) for a, b in zip(maps, labels, strict=True))
    assert maps.ids() == set(np.unique(labels).tolist()) - {0}
    assert maps.ids(0) == set(np.unique(labels[0]).tolist()) - {0}
    for obj in (1, 2, 255, 9):
        assert maps.pixels(obj).tolist() == [int((each == obj).sum()) for each in labels]
    assert maps == LabelMaps(list(map(maps.runs, range(len(maps)))), *labels.shape[1:])
    assert maps == pickle.loads(pickle.dumps(maps))


def test_replacing_makes_new_maps_that_share_the_others():
    before = LabelMaps.empty(4, 3, 5)
    new = np.zeros((3, 5), bool)
    new[1] = True
    after = before.replace({2: new})
    assert not before.array().any()
    assert np.array_equal(after[2], new)
    assert after != before
    assert all(after.runs(i) is before.runs(i) for i in (0, 1, 3))
    assert after.replace({2: new.astype(int)}).runs(2) is after.runs(2)


def test_maps_with_the_same_pixels_are_equal_however_their_runs_were_split():
    whole = LabelMaps([np.array([1 << 24 | 6], np.uint32)], 2, 3)
    split = LabelMaps([np.array([1 << 24 | 2, 1 << 24 | 4], np.uint32)], 2, 3)
    assert whole == split
    assert whole != LabelMaps.empty(1, 3, 2)


def test_label_maps_cannot_be_changed_in_place():
    maps = LabelMaps.empty(1, 2, 2)
    for array in (maps[0], maps.runs(0)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("frame", [-1, 4])
def test_a_frame_outside_the_video_cannot_be_replaced(frame):
    with pytest.raises(IndexError, match=f"frame {frame} .* 0 to 3"):
        LabelMaps.empty(4, 2, 2).replace({frame: np.zeros((2, 2), bool)})


def test_a_wrong_map_among_many_is_named():
    with pytest.raises(ValueError, match="mask 1 holds label 300"):
        LabelMaps.from_array(np.array([0, 300])[:, None, None])
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        LabelMaps.from_array(np.zeros((2, 2), np.uint8))


# COCO


@given(binary_masks)
def test_coco_round_trip(mask):
    rle = json.loads(json.dumps(to_coco(mask)))
    assert np.array_equal(from_coco(rle), mask)


@given(binary_masks)
def test_coco_counts_are_read_as_pycocotools_reads_them(mask):
    coco = pytest.importorskip("pycocotools.mask")
    column_major = mask.ravel(order="F")
    turns = np.flatnonzero(np.diff(column_major, prepend=False, append=not column_major[-1]))
    counts = np.diff(turns, prepend=0).tolist()
    rle = {"size": list(mask.shape), "counts": counts}
    assert np.array_equal(from_coco(rle), mask)
    compressed = coco.frPyObjects(rle, *mask.shape)
    assert np.array_equal(from_coco(compressed), mask)
    assert np.array_equal(coco.decode(to_coco(mask)), mask)


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [3, 3], "counts": [1, 2]},
        {"size": [3, 3], "counts": [12, -3]},
        {"size": [3, 3], "counts": "0"},
        {"size": [3, 3], "counts": "o"},
        {"size": [3, 3], "counts": "é"},
        {"size": [3, 3], "counts": None},
        {"size": 9, "counts": [9]},
        {"counts": [9]},
    ],
)
def test_a_broken_coco_rle_is_refused(rle):
    with pytest.raises(ValueError, match="not a COCO RLE"):
        from_coco(rle)


# Polygons


@given(binary_masks)
def test_polygons_round_trip_with_holes_and_touching_corners(mask):
    polygons = to_polygons(mask)
    assert np.array_equal(from_polygons(polygons, *mask.shape), mask)
    for polygon in polygons:
        edges = np.roll(polygon, -1, axis=0) - polygon
        assert (np.count_nonzero(edges, axis=1) == 1).all()  # along the pixel grid


def test_a_square_with_a_hole_is_two_polygons():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    outer, inner = sorted(to_polygons(mask), key=np.ptp, reverse=True)
    assert sorted(map(tuple, outer)) == [(0, 0), (0, 5), (5, 0), (5, 5)]
    assert sorted(map(tuple, inner)) == [(2, 2), (2, 3), (3, 2), (3, 3)]


def test_the_empty_mask_has_no_polygon():
    assert to_polygons(np.zeros((3, 4), bool)) == []
    assert not from_polygons([], 3, 4).any()


def test_polygons_take_the_pixels_whose_centres_are_inside():
    triangle = [0, 0, 3.5, 0, 0, 3.5]
    x, y = np.meshgrid(np.arange(4) + 0.5, np.arange(4) + 0.5)
    expected = x + y < 3.5
    assert np.array_equal(from_polygons([triangle], 4, 4), expected)
    assert np.array_equal(from_polygons([np.reshape(triangle, (3, 2))], 4, 4), expected)


def test_polygons_are_cut_at_the_edge_of_the_picture():
    around = [[-5, -5], [20, -5], [20, 1], [-5, 1]]
    assert np.array_equal(from_polygons([around], 3, 4), [[True] * 4, [False] * 4, [False] * 4])


@pytest.mark.parametrize(
    "polygon", [[[0, 0], [1, 1]], [0, 0, 1, 1, 2], [[0, 0], [1, np.nan], [2, 2]]]
)
def test_what_is_no_polygon_is_refused(polygon):
    with pytest.raises(ValueError, match="polygon 0 has"):
        from_polygons([polygon], 3, 3)


# Colours and PNG


def test_davis_palette_starts_as_documented():
    first = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128)]
    assert list(map(tuple, davis_palette()[:6].tolist())) == first
    assert len({tuple(c) for c in davis_palette().tolist()}) == 256


def test_davis_palette_is_that_of_its_annotations(data_root):
    folder = data_root / "multi_object" / "Annotations" / "schoolgirls"
    with Image.open(min(folder.iterdir())) as image:
        assert davis_palette()[:8].ravel().tolist() == image.getpalette()[:24]


def test_default_colors_start_with_okabe_ito_and_never_repeat():
    colors = [default_color(i) for i in range(1, 256)]
    assert len(set(colors)) == 255
    assert colors[0] == "#e69f00"
    assert [tuple(bytes.fromhex(c[1:])) for c in colors[:8]] == list(map(tuple, OKABE_ITO.tolist()))
    for bad in (0, 256):
        with pytest.raises(ValueError, match=f"object id {bad}"):
            default_color(bad)


@given(labels=label_maps)
def test_png_round_trip(labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("png") / "mask.png"
    write_label_png(path, labels)
    assert np.array_equal(read_label_png(path), labels)
    with Image.open(path) as image:
        assert image.mode == "P"
        assert image.getpalette()[3:6] == [128, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_binary_pictures_are_one_object(tmp_path, mode):
    mask = np.eye(4, 6, dtype=bool)
    Image.fromarray(mask).convert(mode).save(tmp_path / "mask.png")
    assert np.array_equal(read_label_png(tmp_path / "mask.png"), mask)


def test_grey_ids_are_kept(tmp_path):
    labels = np.array([[0, 255], [1, 7]], np.uint8)
    Image.fromarray(labels).save(tmp_path / "mask.png")
    assert np.array_equal(read_label_png(tmp_path / "mask.png"), labels)


def test_pictures_that_are_no_masks_are_refused(tmp_path):
    color = np.zeros((2, 2, 3), np.uint8)
    color[0, 0] = 255, 0, 0
    Image.fromarray(color).save(tmp_path / "color.png")
    Image.fromarray(np.full((2, 2), 300, np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, sentence in {
        "color": "colour picture",
        "deep": "label 300",
        "text": "cannot be read as a mask",
    }.items():
        with pytest.raises(ValueError, match=rf"{name}\.png.*{sentence}"):
            read_label_png(tmp_path / f"{name}.png")
    with pytest.raises(FileNotFoundError):
        read_label_png(tmp_path / "missing.png")


@pytest.mark.parametrize("shape", [(5,), (4, 5, 3)])
def test_only_maps_are_written_as_png(tmp_path, shape):
    with pytest.raises(ValueError, match=r"labels has shape .* 2-D"):
        write_label_png(tmp_path / "mask.png", np.zeros(shape, np.uint8))
    assert not os.listdir(tmp_path)


def test_a_png_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    write_label_png(path, np.ones((2, 2), bool))

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_label_png(path, np.zeros((2, 2), bool))
    assert os.listdir(tmp_path) == ["mask.png"]
    assert read_label_png(path).all()
