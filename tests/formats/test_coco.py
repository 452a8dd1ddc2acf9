from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from evavos_widget.formats import export, import_masks
from evavos_widget.masks import LabelMaps
from evavos_widget.video import Video

OBJECTS = [
    {"id": np.int64(1), "name": "cat", "color": "#ff0000"},  # ids as NumPy gives them
    {"id": np.uint8(7), "name": "dog", "color": "#0000ff"},
    {"id": 9, "name": "cat", "color": "#00ff00"},
]
N, HEIGHT, WIDTH = 4, 31, 45


@pytest.fixture
def masks() -> LabelMaps:
    labels = np.zeros((N, HEIGHT, WIDTH), np.uint8)
    labels[:3, 3:17, 4:20] = 1  # one leaves, one comes late, one is never there
    labels[2:, 12:28, 30:] = 7
    return LabelMaps.from_array(labels)


def frame_folder(folder, name: str, start: int = 0):
    folder.mkdir(parents=True)
    for i in range(N):
        Image.new("RGB", (WIDTH, HEIGHT), (40 * i, 0, 0)).save(folder / name.format(i + start))
    return folder


@pytest.fixture
def video(tmp_path) -> Video:
    return Video.open(frame_folder(tmp_path / "clip", "f{:03d}.png", start=1))


def test_pycocotools_opens_it_and_finds_every_mask(video, masks, tmp_path):
    from pycocotools.coco import COCO

    path = export(video, masks, OBJECTS, {np.int64(2)}, "coco", tmp_path / "out")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    assert len(coco.imgs) == N
    for image in coco.loadImgs(coco.getImgIds()):
        frame = image["frame_index"]
        assert (tmp_path / image["file_name"]).is_file()
        assert (image["height"], image["width"]) == (HEIGHT, WIDTH)
        assert image["annotated"] == (frame == 2)
        seen = np.zeros((HEIGHT, WIDTH), np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            mask = coco.annToMask(annotation)
            assert annotation["area"] == mask.sum()
            x, y, w, h = map(int, annotation["bbox"])
            assert mask[y : y + h, x : x + w].sum() == mask.sum()
            seen[mask > 0] = annotation["object_id"]
        assert np.array_equal(seen, masks[frame])
    names = {c["name"] for c in coco.loadCats(coco.getCatIds())}
    assert names == {"cat", "dog"}
    (dog,) = coco.getCatIds(catNms=["dog"])
    assert sorted(coco.getImgIds(catIds=[dog])) == [3, 4]


@pytest.mark.parametrize("format", ["coco", "youtube-vis"])
def test_frames_of_several_folders_are_told_apart(tmp_path, masks, format):
    places = [
        frame_folder(tmp_path / "r" / cam, "{}.png") / "0.png" for cam in ("a", "b", "c", "d")
    ]
    video = Video.open(places)
    made = export(video, masks, OBJECTS, [0], format, tmp_path / "out.json")
    read = import_masks(made, video)
    assert all(np.array_equal(read[f], masks[f]) for f in range(N))


@pytest.mark.parametrize("name", ["f{:03d}.png", "f{:03d}.jpeg", "F{}.JPG"])
@pytest.mark.parametrize("format", ["coco", "youtube-vis"])
def test_file_names_are_those_of_the_frames(tmp_path, masks, format, name):
    folder = frame_folder(tmp_path / "some clip", name)
    # However the frames were given, and whatever the video is called.
    for source in (folder, f"{folder}/*", sorted(folder.iterdir())):
        video = Video.open(source, name="other/name")
        path = export(video, masks, OBJECTS, [], format, tmp_path / "out", overwrite=True)
        listed = json.loads(path.read_text())["videos"][0]["file_names"]
        assert len(listed) == N
        assert all((tmp_path / file).is_file() for file in listed)


@pytest.mark.parametrize("name", ["f{:03d}.png", "take\\{}.png", "größe {}.png"])
@pytest.mark.parametrize("format", ["coco", "youtube-vis"])
def test_what_was_exported_comes_back(masks, tmp_path, format, name):
    video = Video.open(frame_folder(tmp_path / "clip", name))
    path = export(video, masks, OBJECTS, [], format, tmp_path / "out")
    found = import_masks(path, video)
    assert list(found) == list(range(N))
    assert LabelMaps.from_array(list(found.values())) == masks


def test_other_tools_coco(video, tmp_path):
    """Polygons, runs that are not compressed, categories only, images of other videos."""
    runs = {"size": [HEIGHT, WIDTH], "counts": [0, 2, HEIGHT * WIDTH - 2]}
    content = {
        "images": [
            {"id": 5, "file_name": "x/clip/f002.png"},
            {"id": 8, "file_name": "x\\clip\\f004.png"},
            {"id": 9, "file_name": "x/another/f001.png"},
        ],
        "annotations": [
            {"image_id": 5, "category_id": 3, "segmentation": [[10, 5, 20, 5, 20, 15, 10, 15]]},
            {"image_id": 5, "category_id": 4, "segmentation": runs},
            {"image_id": 9, "category_id": 4, "segmentation": runs},
            {"image_id": 8, "category_id": 4, "segmentation": []},
            # Of the other video, whatever is wrong with it here.
            {"image_id": 9, "category_id": 4, "segmentation": runs},
            {"image_id": 9, "category_id": 300, "segmentation": {"size": [9, 9], "counts": [81]}},
        ],
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    found = import_masks(path, video)
    assert list(found) == [1, 3]
    assert (found[1] == 3).sum() == 100
    assert (found[1][5:15, 10:20] == 3).all()
    assert np.argwhere(found[1] == 4).tolist() == [[0, 0], [1, 0]]  # column by column
    assert not found[3].any()
    content["annotations"].append({"image_id": 5, "category_id": 3, "segmentation": runs})
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"several objects of category 3 .* track_id"):
        import_masks(path, video)
    for i, annotation in enumerate(content["annotations"]):
        annotation["track_id"] = i + 1
    path.write_text(json.dumps(content))
    assert set(np.unique(import_masks(path, video)[1])) == {0, 1, 7}


@pytest.mark.parametrize("names", [["f001.png"] * 2, ["a/clip/f001.png", "b/clip/f001.png"]])
def test_images_that_are_called_alike_are_not_laid_over_each_other(video, tmp_path, names):
    images = [{"id": i, "file_name": name, "video_id": i} for i, name in enumerate(names)]
    square = [[10, 5, 20, 5, 20, 15, 10, 15]]
    annotations = [{"image_id": i, "category_id": i + 1, "segmentation": square} for i in (0, 1)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    with pytest.raises(ValueError, match=r"two of its images are called 'clip/f001\.png'.*folder"):
        import_masks(path, video)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[" * 100_000, "RecursionError|JSONDecodeError"),
        ("[]", "it is a list"),
        ("{}", "KeyError: 'videos'"),
        ('{"images": 3, "annotations": []}', "TypeError"),
        ('{"images": [{"id": 1, "file_name": "q.png"}], "annotations": []}', "are no frames"),
        (
            '{"images": [{"id": 1, "file_name": "clip/f001.png"}], "annotations": [{"image_id": 1, '
            '"category_id": 1, "segmentation": {"size": [99999999, 99999999], "counts": [0]}}]}',
            r"a mask is \[99999999, 99999999\]",
        ),
        (
            '{"images": [{"id": 1, "file_name": "clip/f001.png"}], "annotations": [{"image_id": 1, '
            '"category_id": 300, "segmentation": [[0, 0, 1, 1, 2, 2]]}]}',
            "it has an object 300; number objects from 1",
        ),
        (
            '{"images": [{"id": 1, "file_name": "clip/f001.png", "width": 90, "height": 62}], '
            '"annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 9, 9, 2, '
            "2]]}]}",
            r"its pictures are 90 x 62 and the video \d+ x \d+; make it of",
        ),
        (
            '{"videos": [{"id": 1, "file_names": ["clip/f001.png"], "width": 90, "height": 62}], '
            '"annotations": []}',
            r"its pictures are 90 x 62 and the video",
        ),
        (
            '{"images": [{"id": 1, "file_name": "clip/f001.png"}], "annotations": [{"image_id": 1, '
            '"category_id": 1, "bbox": [1, 2, 3, 4]}]}',
            "boxes without masks; give one with segmentations",
        ),
        (
            '{"images": [{"id": 1, "file_name": "clip/f001.png"}], "annotations": [{"image_id": 9, '
            '"category_id": 1, "segmentation": [[0, 0, 1, 1, 2, 2]]}]}',
            "an annotation of image 9 and no such image",
        ),
        (
            '{"images": [{"id": 1, "file_name": "clip/f001.png"}], "annotations": [{"image_id": 1, '
            '"category_id": 1, "track_id": "dog-1", "segmentation": [[0, 0, 1, 1, 2, 2]]}]}',
            "an annotation of clip/f001.png has the track_id 'dog-1'; give whole numbers",
        ),
    ],
)
def test_files_that_are_no_coco_of_this_video_are_refused(video, tmp_path, content, sentence):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=sentence) as caught:
        import_masks(path, video)
    assert str(caught.value).startswith(f"{path} holds no masks of 'clip'")
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(("ours", "frames"), [(False, [1]), (True, [0, 1, 2])])
def test_an_image_that_nothing_is_said_of_says_nothing(video, tmp_path, ours, frames):
    """Tools list all images, also those that nobody has come to."""
    images = [{"id": i, "file_name": f"clip/f00{i}.png"} for i in (1, 2, 3)]
    if ours:
        images = [image | {"annotated": False} for image in images]
    triangle = {"category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
    content = {"images": images, "annotations": [{"image_id": 2, **triangle}]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert list(import_masks(tmp_path / "a.json", video)) == frames


@pytest.mark.parametrize("frames", [(1, 2), (1, 1)])  # one after the other, and side by side
def test_tracks_of_cvat_are_objects(video, tmp_path, frames):
    def shown(i, track, x):
        outline = [x, 2, x + 6, 2, x + 6, 8, x, 8]
        attributes = {"occluded": False, "track_id": track, "keyframe": True}
        return {
            "image_id": i,
            "category_id": 1,
            "segmentation": [outline],
            "attributes": attributes if track is not None else {"occluded": False},
        }

    images = [{"id": i + 1, "file_name": video.frame_files[i]} for i in range(N)]
    annotations = [shown(frames[0], 0, 2), shown(frames[1], 1, 30)]
    path = tmp_path / "instances_default.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    found = import_masks(path, video)
    assert found[frames[0] - 1][5, 5] == 1
    assert found[frames[1] - 1][5, 33] == 2
    annotations.append(shown(3, None, 10))  # a shape that is of no track
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    with pytest.raises(ValueError, match="some of its annotations have a track_id and some have"):
        import_masks(path, video)


def test_a_track_that_is_null_is_none(video, tmp_path):
    (tmp_path / "a.json").write_text(
        '{"images": [{"id": 1, "file_name": "clip/f001.png"}], "annotations": [{"image_id": 1, '
        '"category_id": 3, "track_id": null, "segmentation": [[0, 0, 9, 0, 9, 9]]}]}'
    )
    (found,) = import_masks(tmp_path / "a.json", video).values()
    assert set(np.unique(found)) == {0, 3}


def test_a_video_without_frames_in_files_names_what_ffmpeg_would_write(masks, tmp_path):
    video = Video.open(np.zeros((N, HEIGHT, WIDTH, 3), np.uint8), name="../up")
    path = export(video, masks, OBJECTS, [], "coco", tmp_path / "out")
    names = [image["file_name"] for image in json.loads(path.read_text())["images"]]
    assert names == [f"up/{i:05d}.jpg" for i in range(N)]
