from __future__ import annotations

import json
import os
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evavos_widget.formats import FORMATS, export, import_masks
from evavos_widget.masks import LabelMaps, from_coco
from evavos_widget.overlay import overlay
from evavos_widget.session import Session
from evavos_widget.testing import Disks, NearestCopy
from evavos_widget.video import Video

OBJECTS = [
    {"id": 1, "name": "cat", "color": "#ff0000"},
    {"id": 7, "name": "dog", "color": "#0000ff"},
    {"id": 9, "name": "cat", "color": "#00ff00"},
]


@pytest.fixture
def video() -> Video:
    frames = np.random.default_rng(0).integers(100, 130, (5, 31, 45, 3), dtype=np.uint8)
    return Video.open(frames, name="clip")


@pytest.fixture
def masks() -> LabelMaps:
    labels = np.zeros((5, 31, 45), np.uint8)
    labels[:, 3:17, 4:20] = 1
    labels[2:, 12:28, 30:] = 7
    return LabelMaps.from_array(labels)


@pytest.fixture
def named_video(tmp_path) -> Video:
    """Frames in files whose names do not count from 0."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("a8", "a9", "a10"):
        Image.new("RGB", (45, 31)).save(folder / f"{name}.png")
    return Video.open(folder)


def names_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_written_to_its_place_with_progress(video, masks, tmp_path, format):
    progress = []
    path = export(
        video,
        masks,
        OBJECTS,
        {3, 0},
        format,
        tmp_path / "new" / "v1.2",
        progress=lambda *step: progress.append(step),
    )
    assert path == tmp_path / "new" / f"v1.2{FORMATS[format].suffix}"
    assert path.is_dir() == (FORMATS[format].suffix == "")
    assert os.listdir(path.parent) == [path.name]
    assert progress == [(i, 5) for i in range(1, 6)]


@pytest.mark.parametrize("format", ["davis", "youtube-vos", "numpy"])
def test_what_was_exported_can_be_imported(video, masks, tmp_path, format):
    path = export(video, masks, OBJECTS, [0], format, tmp_path / "out")
    found = import_masks(path, video)
    assert list(found) == list(range(5))
    assert LabelMaps.from_array(list(found.values())) == masks


def test_masks_carry_the_names_of_the_frames(named_video, masks, tmp_path):
    few = LabelMaps.from_array(masks.array()[:3])
    folder = export(named_video, few, OBJECTS, [0], "davis", tmp_path / "out")
    assert names_below(folder) == ["a10.png", "a8.png", "a9.png"]
    (folder / "a9.png").unlink()
    found = import_masks(folder, named_video)
    assert list(found) == [0, 2]
    assert np.array_equal(found[2], masks[2])


def test_frames_of_the_same_name_are_numbered(named_video, masks, tmp_path):
    file = named_video.source + "/a8.png"
    video = Video.open([file, file])
    two = LabelMaps.from_array(masks.array()[:2])
    assert names_below(export(video, two, OBJECTS, [], "davis", tmp_path / "out")) == [
        "00000.png",
        "00001.png",
    ]


def test_youtube_vos_lists_where_each_object_is_seen(video, masks, tmp_path):
    folder = export(video, masks, OBJECTS, [0], "youtube-vos", tmp_path / "out")
    assert names_below(folder) == [f"Annotations/clip/{i:05d}.png" for i in range(5)] + [
        "meta.json"
    ]
    assert json.loads((folder / "meta.json").read_text()) == {
        "videos": {
            "clip": {
                "objects": {
                    "1": {"category": "cat", "frames": [f"{i:05d}" for i in range(5)]},
                    "7": {"category": "dog", "frames": ["00002", "00003", "00004"]},
                    "9": {"category": "cat", "frames": []},
                }
            }
        }
    }


def test_youtube_vis_holds_every_mask(video, masks, tmp_path):
    path = export(video, masks, OBJECTS, [3], "youtube-vis", tmp_path / "out")
    content = json.loads(path.read_text())
    (info,) = content["videos"]
    assert (info["width"], info["height"], info["length"]) == (45, 31, 5)
    assert len(info["file_names"]) == 5
    assert info["annotated_frames"] == [3]
    names = {c["id"]: c["name"] for c in content["categories"]}
    assert sorted(names.values()) == ["cat", "dog"]
    tracks = {a["object_id"]: a for a in content["annotations"]}
    assert {o: names[a["category_id"]] for o, a in tracks.items()} == {1: "cat", 7: "dog", 9: "cat"}
    for obj, track in tracks.items():
        for i, (rle, box, area) in enumerate(
            zip(track["segmentations"], track["bboxes"], track["areas"], strict=True)
        ):
            mask = masks[i] == obj
            if rle is None:
                assert not mask.any()
                assert box is None
                assert area is None
            else:
                assert np.array_equal(from_coco(rle), mask)
                assert area == mask.sum()
                assert box == ([4, 3, 16, 14] if obj == 1 else [30, 12, 15, 16])
    assert tracks[7]["segmentations"][:2] == [None, None]


def test_numpy_can_be_read_without_this_package(video, masks, tmp_path):
    path = export(video, masks, OBJECTS, {3, 0}, "numpy", tmp_path / "out")
    with np.load(path, allow_pickle=False) as found:
        assert np.array_equal(found["masks"], masks.array())
        assert found["masks"].dtype == np.uint8
        assert found["object_ids"].tolist() == [1, 7, 9]
        assert found["object_names"].tolist() == ["cat", "dog", "cat"]
        assert found["object_colors"].tolist() == ["#ff0000", "#0000ff", "#00ff00"]
        assert found["annotated_frames"].tolist() == [0, 3]
        assert found["frame_names"][4] == "00004"


def test_the_overlay_video_is_h264_at_the_speed_of_the_video(masks, tmp_path):
    av = pytest.importorskip("av")
    video = Video.open(np.full((5, 31, 45, 3), 128, np.uint8), name="clip")
    video.fps = 30000 / 1001
    path = export(video, masks, OBJECTS, [], "overlay", tmp_path / "out")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == Fraction(30000, 1001)
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert len(frames) == 5
    assert frames[0].shape == (32, 46, 3)  # one line more each way, because 31 x 45 is odd
    red, green, blue = frames[4][10, 10].astype(int)
    assert red > 160 > 100 > max(green, blue)
    red, green, blue = frames[4][20, 38].astype(int)
    assert blue > 160 > 100 > max(red, green)
    assert np.abs(frames[4][28, 10].astype(int) - 128).max() < 12


# What is there already


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_replaces_another_only_when_asked(video, masks, tmp_path, format):
    def write(**options):
        return export(video, masks, OBJECTS, [0], format, tmp_path / "out", **options)

    path = write()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write()
    assert write(overwrite=True) == path
    assert os.listdir(tmp_path) == [path.name]


def test_an_old_export_leaves_no_file_behind(video, masks, tmp_path, named_video):
    export(video, masks, OBJECTS, [0], "davis", tmp_path / "out")
    few = LabelMaps.from_array(masks.array()[:3])
    path = export(named_video, few, OBJECTS, [0], "davis", tmp_path / "out", overwrite=True)
    assert names_below(path) == ["a10.png", "a8.png", "a9.png"]


def test_a_folder_with_other_things_is_never_replaced(video, masks, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"more than masks \(thesis\.tex\)"):
        export(video, masks, OBJECTS, [0], "davis", tmp_path, overwrite=True)
    (tmp_path / "out.json").mkdir()
    with pytest.raises(FileExistsError, match="is a folder and the export would be a file"):
        export(video, masks, OBJECTS, [0], "coco", tmp_path / "out", overwrite=True)
    with pytest.raises(FileExistsError, match="is a file and the export would be a folder"):
        export(video, masks, OBJECTS, [0], "davis", tmp_path / "thesis.tex", overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_fails_leaves_everything_as_it_was(video, masks, tmp_path, format):
    path = export(video, masks, OBJECTS, [0], format, tmp_path / "out")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def fail(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(video, masks, OBJECTS, [0], format, path, overwrite=True, progress=fail)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_folder_that_cannot_be_moved_in_leaves_the_old_one(video, masks, tmp_path, monkeypatch):
    path = export(video, masks, OBJECTS, [0], "davis", tmp_path / "out")
    move = os.replace

    def fail_on_new_folder(source, target):
        if str(target) == str(path) and ".new" in str(source):
            raise OSError("disk full")
        move(source, target)

    monkeypatch.setattr(os, "replace", fail_on_new_folder)
    with pytest.raises(OSError, match="disk full"):
        export(video, LabelMaps.empty(5, 31, 45), OBJECTS, [], "davis", path, overwrite=True)
    assert os.listdir(tmp_path) == ["out"]
    assert LabelMaps.from_array(list(import_masks(path, video).values())) == masks


def test_what_cannot_be_exported_is_refused(video, masks, tmp_path):
    with pytest.raises(ValueError, match="unknown format 'gif'"):
        export(video, masks, OBJECTS, [], "gif", tmp_path / "out")
    with pytest.raises(ValueError, match=r"\(5, 31, 44\) and the video is \(5, 31, 45\)"):
        export(video, LabelMaps.empty(5, 31, 44), OBJECTS, [], "davis", tmp_path / "out")
    assert not os.listdir(tmp_path)


# Import


def test_masks_come_from_arrays_and_mappings(video, masks):
    for source in (masks, masks.array(), list(masks), {i: m for i, m in enumerate(masks)}):
        assert LabelMaps.from_array(list(import_masks(source, video).values())) == masks
    assert list(import_masks({3: masks[3], 1: masks[1] > 0}, video)) == [1, 3]


def test_numbered_files_may_be_written_otherwise(video, masks, tmp_path):
    Image.fromarray(masks[2]).save(tmp_path / "2.png")
    assert np.array_equal(import_masks(tmp_path, video)[2], masks[2])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (np.zeros((4, 31, 45), np.uint8), "4 frames and the video has 5"),
        (np.zeros((5, 31, 44), np.uint8), "mask for frame 0 is 31 x 44"),
        ({5: np.zeros((31, 45), np.uint8)}, "frame 5, outside the video"),
        ({-1: np.zeros((31, 45), np.uint8)}, "frame -1, outside the video"),
    ],
)
def test_masks_that_do_not_fit_the_video_are_refused(video, source, sentence):
    with pytest.raises(ValueError, match=sentence):
        import_masks(source, video)


def test_an_export_that_has_no_place_is_told(video, masks, tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in ("file/out", "file/deep/out"):
        with pytest.raises(FileExistsError, match="is a file, or lies in one, and cannot hold an"):
            export(video, masks, OBJECTS, [0], "davis", tmp_path / path)
    with pytest.raises(TypeError, match="path is 3; give where"):
        export(video, masks, OBJECTS, [0], "davis", 3)  # type: ignore[arg-type]
    assert (tmp_path / "file").read_text() == "mine"


def test_files_that_hold_no_masks_are_refused(video, tmp_path):
    with pytest.raises(ValueError, match="holds no PNG"):
        import_masks(tmp_path, video)
    own = tmp_path / "video"
    own.mkdir()
    Image.new("RGB", (45, 31)).save(own / "00000.png")
    with pytest.raises(ValueError, match="video holds the video's own frames, and no masks; give"):
        import_masks(own, Video.open(own))
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    for name in ("text.npz", "other.npz"):
        with pytest.raises(ValueError, match=f"{name} holds no masks"):
            import_masks(tmp_path / name, video)
    with pytest.raises(FileNotFoundError):
        import_masks(tmp_path / "missing.npz", video)
    Image.new("L", (45, 31)).save(tmp_path / "00007.png")
    with pytest.raises(ValueError, match=r"00007\.png belongs to no frame.*00000 \.\.\. 00004"):
        import_masks(tmp_path, video)


@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".png"])
def test_the_pages_of_one_file_are_the_masks_of_the_frames(video, tmp_path, suffix):
    maps = [np.zeros((31, 45), np.uint8) for _ in range(5)]
    for i, labels in enumerate(maps):
        labels[3:9, i : i + 9], labels[15:25, 20:40] = 1, 7
    file = tmp_path / f"cells{suffix}"
    first, *others = (Image.fromarray(labels) for labels in maps)
    kind = "PNG" if suffix == ".png" else "TIFF"
    first.save(file, kind, save_all=True, append_images=others)
    found = pickle.loads(pickle.dumps(import_masks(file, video)))
    assert list(found) == list(range(5))
    assert all(np.array_equal(found[i], maps[i]) for i in range(5))
    with Session(video, path=None, propagator=NearestCopy(), predictor=Disks()) as session:
        assert session.import_masks(file) == list(range(5))
        assert [o.id for o in session.objects] == [1, 7]
    # Of a video of one frame, a picture is such a file.
    first.save(tmp_path / "one.png")
    one = import_masks(tmp_path / "one.png", Video.open(np.zeros((1, 31, 45, 3), np.uint8)))
    assert np.array_equal(one[0], maps[0])


def test_pages_that_do_not_fit_are_refused_in_words(video, tmp_path):
    mask = Image.new("L", (45, 31))
    mask.save(tmp_path / "three.tif", save_all=True, append_images=[mask, mask])
    mask.save(tmp_path / "one.png")
    (tmp_path / "none.tif").write_bytes(b"II*\0 nothing")
    small = [Image.new("L", (45, 30))] * 4
    mask.save(tmp_path / "small.tif", save_all=True, append_images=small)
    (tmp_path / "folder").mkdir()
    mask.save(tmp_path / "folder" / "00000.tif", save_all=True, append_images=[mask])
    mask.save(tmp_path / "moving.gif")
    for name, said in (
        ("three.tif", r"three.tif holds 3 masks and the video has 5 frames; give a TIFF with"),
        ("one.png", r"one.png holds 1 mask and the video has 5 frames; give"),
        ("none.tif", r"page 1 of .*none.tif cannot be read as a mask"),
        ("folder", r"00000.tif holds several pictures; give one mask per file"),
        ("moving.gif", r"moving.gif holds no masks \(it is no array that NumPy saved\); give"),
    ):
        with pytest.raises(ValueError, match=said):
            dict(import_masks(tmp_path / name, video))
    masks = import_masks(tmp_path / "small.tif", video)
    with pytest.raises(ValueError, match=r"page 2 of .*small.tif is 45 x 30, its frame is 45 x 31"):
        masks[1]
    for given in ({0: "00000.png"}, [Path("a.png")] * 5):
        with pytest.raises(TypeError, match=r"the mask for frame 0 is a path, .*png'; give what"):
            import_masks(given, video)


# Overlay


def test_overlay_blends_inside_and_paints_the_contour():
    image = np.full((6, 6, 3), 100, np.uint8)
    labels = np.zeros((6, 6), np.uint8)
    labels[1:4, 1:4] = 2
    painted = overlay(image, labels, {2: "#c80032"}, opacity=0.25)
    assert painted[2, 2].tolist() == [125, 75, 88]
    assert painted[1, 1].tolist() == [200, 0, 50]
    assert (painted[labels == 0] == 100).all()
    assert (image == 100).all()
    flat = overlay(image, labels, {2: "#c80032"}, opacity=0.25, contour=False)
    assert flat[1, 1].tolist() == [125, 75, 88]
    assert overlay(image, labels, opacity=1)[2, 2].tolist() == [86, 180, 233]


def test_overlay_refuses_what_it_cannot_paint():
    image = np.zeros((4, 4, 3), np.uint8)
    labels = np.ones((4, 4), np.uint8)
    with pytest.raises(ValueError, match="'red' is not a colour"):
        overlay(image, labels, {1: "red"})
    with pytest.raises(ValueError, match="opacity is 2"):
        overlay(image, labels, opacity=2)
    with pytest.raises(ValueError, match="give RGB uint8"):
        overlay(image[..., 0], labels)
