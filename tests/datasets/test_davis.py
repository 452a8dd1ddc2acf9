from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evavos_widget.datasets import davis
from evavos_widget.datasets.annotated_video import AnnotatedVideo
from evavos_widget.datasets.davis import open_sequence, read_sequence_names, sequence_names
from evavos_widget.video import Video

HEIGHT, WIDTH = 6, 8


def write_sequence(
    root: Path, name: str, *, n: int = 3, masked: tuple[int, ...] = (0, 1, 2), resolution: str = ""
) -> None:
    frames = root / "JPEGImages" / resolution / name
    labels = root / "Annotations" / resolution / name
    frames.mkdir(parents=True)
    labels.mkdir(parents=True)
    for i in range(n):
        Image.new("RGB", (WIDTH, HEIGHT), (10 * i, 0, 0)).save(frames / f"{i:05d}.jpg")
    for i in masked:
        grey = np.zeros((HEIGHT, WIDTH), np.uint8)
        grey[:2, : i + 1] = 255
        Image.fromarray(grey).save(labels / f"{i:05d}.png")


@pytest.mark.parametrize("resolution", ["", "480p", "Full-Resolution"])
def test_a_sequence_opens_with_and_without_a_resolution_folder(
    tmp_path: Path, resolution: str
) -> None:
    write_sequence(tmp_path, "bear", resolution=resolution)
    sequence = open_sequence(tmp_path, "bear")
    assert sequence.name == sequence.video.name == "bear"
    assert len(sequence.video) == 3
    assert list(sequence.ground_truth) == [0, 1, 2]
    assert sequence.ground_truth[1].dtype == np.uint8
    assert sequence.ground_truth[1].tolist()[0] == [1, 1, 0, 0, 0, 0, 0, 0]


def test_every_so_many_frames_are_a_video_of_their_own(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear", n=8, masked=(0, 2, 3, 6))
    whole, thin = open_sequence(tmp_path, "bear"), open_sequence(tmp_path, "bear", every=3)
    assert thin.video.n_frames == 3
    assert [Path(file).stem for file in thin.video.frame_files] == ["00000", "00003", "00006"]
    assert list(thin.ground_truth) == [0, 1, 2]  # and not that of frame 2
    for frame in range(3):
        assert np.array_equal(thin.video.frame(frame), whole.video.frame(3 * frame))
        assert np.array_equal(thin.ground_truth[frame], whole.ground_truth[3 * frame])


@pytest.mark.parametrize("resolution", ["", "480p"])
def test_all_sequences_with_masks_are_named_whatever_their_resolution(
    tmp_path: Path, resolution: str
) -> None:
    for name in ("boat", "bear"):
        write_sequence(tmp_path, name, resolution=resolution)
    assert sequence_names(tmp_path) == ["bear", "boat"]


@pytest.mark.parametrize("resolution", ["", "480p"])
def test_a_folder_beside_the_pictures_makes_no_resolution(tmp_path: Path, resolution: str) -> None:
    write_sequence(tmp_path, "bear", resolution=resolution)
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind / resolution / "bear" / "@eaDir").mkdir()
    assert sequence_names(tmp_path) == ["bear"]
    assert len(open_sequence(tmp_path, "bear").video) == 3


def test_480p_is_opened_among_resolutions(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear", resolution="1080p", n=5, masked=())
    write_sequence(tmp_path, "bear", resolution="480p", n=2, masked=(0,))
    assert len(open_sequence(tmp_path, "bear").video) == 2


def test_masks_belong_to_the_frames_of_their_name(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear", n=12, masked=(0, 4, 11))
    (tmp_path / "JPEGImages/bear/00002.jpg").unlink()
    truth = open_sequence(tmp_path, "bear").ground_truth
    assert list(truth) == [0, 3, 10]
    assert len(truth) == 3
    assert 1 not in truth
    assert truth[10].sum() == 2 * WIDTH
    with pytest.raises(KeyError):
        truth[1]


def test_label_maps_are_kept_in_memory_and_cannot_be_changed(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear")
    truth = open_sequence(tmp_path, "bear").ground_truth
    assert truth[0] is truth[0]
    with pytest.raises(ValueError, match="read-only"):
        truth[0][0, 0] = 1


def test_a_sequence_can_be_pickled(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear")
    sequence = open_sequence(tmp_path, "bear")
    copy = pickle.loads(pickle.dumps(sequence))
    assert copy.video.fingerprint() == sequence.video.fingerprint()
    assert np.array_equal(copy.ground_truth[2], sequence.ground_truth[2])


def test_a_mask_without_a_frame_is_named(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear", n=2, masked=(0, 1, 2))
    with pytest.raises(ValueError, match=r"00002\.png belongs to no frame"):
        open_sequence(tmp_path, "bear")


def test_a_mask_of_another_size_is_named_when_it_is_read(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear")
    Image.new("1", (5, 4)).save(tmp_path / "Annotations/bear/00001.png")
    truth = open_sequence(tmp_path, "bear").ground_truth
    assert truth[0].shape == (HEIGHT, WIDTH)
    with pytest.raises(ValueError, match=r"00001\.png is 5 x 4, its frame is 8 x 6"):
        truth[1]


@pytest.mark.parametrize("name", ["baer", "480p", "../JPEGImages/480p/bear", ""])
def test_an_unknown_sequence_is_answered_with_near_names(tmp_path: Path, name: str) -> None:
    for known in ("bear", "boat"):
        write_sequence(tmp_path, known, resolution="480p")
    with pytest.raises(FileNotFoundError, match=r"no sequence '.*'.*; there is bear"):
        open_sequence(tmp_path, name)
    if name:
        with pytest.raises(ValueError, match=r"no sequence '.*'.*; there is bear"):
            read_sequence_names(name, tmp_path)


def test_a_folder_without_the_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*JPEGImages"):
        open_sequence(tmp_path, "bear")
    with pytest.raises(FileNotFoundError, match=r"no folder .*JPEGImages"):
        read_sequence_names("bear", tmp_path)


def test_names_keep_their_order_and_come_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in ("bear", "boat", "cows", "my clip"):
        write_sequence(tmp_path, known)
    assert read_sequence_names("cows, bear,cows,", tmp_path) == ["cows", "bear"]
    (tmp_path / "val.txt").write_text("boat\n\n  bear \nboat\n")
    assert read_sequence_names("@val.txt", tmp_path) == ["boat", "bear"]
    assert read_sequence_names("my clip,bear", tmp_path) == ["my clip", "bear"]
    (tmp_path / "val.txt").write_text("bear\nmy clip\n", encoding="utf-8-sig")
    assert read_sequence_names("@val.txt", tmp_path) == ["bear", "my clip"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "val.txt").write_text(
        "/JPEGImages/480p/cows/00000.jpg /Annotations/480p/cows/00000.png\n"
        "/JPEGImages/480p/cows/00001.jpg /Annotations/480p/cows/00001.png\n"
        "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n"
        "/JPEGImages/480p/my clip/00000.jpg /Annotations/480p/my clip/00000.png\n"
    )
    monkeypatch.chdir(elsewhere)
    assert read_sequence_names("@val.txt", tmp_path) == ["cows", "bear", "my clip"]


def test_lists_that_name_nothing_are_refused(tmp_path: Path) -> None:
    write_sequence(tmp_path, "bear")
    with pytest.raises(FileNotFoundError, match=r"no list of sequences nowhere\.txt"):
        read_sequence_names("@nowhere.txt", tmp_path)
    with pytest.raises(ValueError, match="names no sequence"):
        read_sequence_names(" , ", tmp_path)


def test_davis_2016(davis_root: Path) -> None:
    names = read_sequence_names("@ImageSets/val.txt", davis_root)
    assert len(names) == 14
    sequence = open_sequence(davis_root, "blackswan")
    assert (len(sequence.video), sequence.video.height, sequence.video.width) == (50, 480, 854)
    assert list(sequence.ground_truth) == list(range(50))
    assert set(np.unique(sequence.ground_truth[0])) == {0, 1}


def test_training_sequences_have_a_mask_of_their_size_for_every_frame(davis_root: Path) -> None:
    for name in read_sequence_names("@ImageSets/train.txt", davis_root):
        sequence = open_sequence(davis_root, name)
        assert len(sequence.ground_truth) == len(sequence.video)
        assert sequence.ground_truth[0].max() == 1


@pytest.mark.parametrize(
    ("name", "frames", "ids"),
    [
        ("schoolgirls", range(80), 7),
        ("xmem2_caps", [0, 14, 33, 43, 66], 2),
        ("xmem2_chair", range(60), None),
    ],
)
def test_several_objects_and_sparse_masks(
    data_root: Path, name: str, frames: range | list[int], ids: int | None
) -> None:
    if not (data_root / "multi_object").is_dir():
        pytest.skip(f"no multi_object in {data_root}")
    sequence = open_sequence(data_root / "multi_object", name)
    assert isinstance(sequence.video, Video)
    assert list(sequence.ground_truth) == list(frames)
    if ids is not None:
        assert max(sequence.ground_truth[f].max() for f in frames) == ids


def test_a_written_sequence_is_opened_again(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shades = np.array([20, 90, 160, 230], np.uint8).reshape(4, 1, 1, 1)
    video = Video.open(np.tile(shades, (1, 24, 32, 3)))
    truth = {f: random.integers(0, 3, (24, 32), np.uint8) for f in (0, 1, 2)}
    davis.write_sequence(tmp_path, AnnotatedVideo("clip", video, truth), frames=(2, 1, 3))
    again = open_sequence(tmp_path, "clip")
    assert again.video.n_frames == 3
    assert list(again.ground_truth) == [0, 1], "a frame without a mask stays without"
    np.testing.assert_array_equal(again.ground_truth[0], truth[2])
    np.testing.assert_array_equal(again.ground_truth[1], truth[1])
    assert [round(again.video.frame(i).mean(), -1) for i in range(3)] == [160, 90, 230]


def test_a_written_sequence_replaces_a_longer_one(tmp_path: Path) -> None:
    video = Video.open(np.zeros((4, 24, 32, 3), np.uint8))
    truth = {f: np.full((24, 32), f, np.uint8) for f in (0, 1, 3)}
    davis.write_sequence(tmp_path, AnnotatedVideo("clip", video, truth))
    (tmp_path / "JPEGImages" / "clip" / "notes.txt").write_text("by hand")
    davis.write_sequence(tmp_path, AnnotatedVideo("clip", video, truth), frames=(3, 2))
    again = open_sequence(tmp_path, "clip")
    assert again.video.n_frames == 2
    assert list(again.ground_truth) == [0], "the second frame has no mask any more"
    assert (again.ground_truth[0] == 3).all()
    assert (tmp_path / "JPEGImages" / "clip" / "notes.txt").exists()
