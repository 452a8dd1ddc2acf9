from __future__ import annotations

import io
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_video_file import WIDTH, N, picture, write_video

from evavos_widget.previews import Previews
from evavos_widget.video import Video


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return Video.open(write_video(tmp_path / "a.mp4", options={"g": "30", "crf": "5"}))


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).astype(int)


def always() -> bool:
    return True


def test_what_is_missing_is_answered_by_what_is_near(video: Video, tmp_path: Path) -> None:
    previews = Previews(video, folder=tmp_path / "store", width=40)
    near, data = previews.quick(40)
    assert near == 30
    assert decoded(data).shape == (31, 40, 3)
    assert previews.frames == [30]  # it was kept on the way
    assert not previews.fill(lambda: len(previews.frames) < 6, around=37)
    assert previews.frames == [30, 37, 38, 39, 40, 41]
    assert previews.quick(40)[0] == 40
    assert previews.quick(43)[0] == 41
    assert previews.fill(always, around=60)
    assert previews.frames == list(range(N))
    for i in (0, 33, N - 1):
        near, data = previews.quick(i)
        assert near == i
        assert np.abs(decoded(data).mean() - picture(i).mean()) < 6


def test_who_waits_is_not_kept_waiting_by_a_picture_that_is_far_to_decode(
    video: Video, tmp_path: Path
) -> None:
    previews = Previews(video, folder=tmp_path / "store")
    asked = iter([True] * 5)
    assert not previews.fill(lambda: next(asked, False), around=29)
    assert previews.frames == []


def test_pictures_are_there_the_next_time(video: Video, tmp_path: Path) -> None:
    store = tmp_path / "store"
    Previews(video, folder=store).fill(always)
    again = Previews(Video.open(tmp_path / "a.mp4"), folder=store)
    assert again.frames == list(range(N))
    assert decoded(again.get(5)).shape[1] == WIDTH  # a small video keeps its size
    # Another file of the same name is another video.
    write_video(tmp_path / "a.mp4", options={"g": "30", "crf": "6"})
    os.utime(tmp_path / "a.mp4", (1, 1))
    assert Previews(Video.open(tmp_path / "a.mp4"), folder=store).frames == []


def test_the_whole_store_may_be_deleted_at_any_time(video: Video, tmp_path: Path) -> None:
    previews = Previews(video, folder=tmp_path / "store")
    shutil.rmtree(tmp_path / "store")
    assert previews.fill(always)
    assert previews.get(3) is None


def test_damaged_and_deleted_pictures_are_made_again(video: Video, tmp_path: Path) -> None:
    previews = Previews(video, folder=tmp_path / "store")
    previews.fill(always)
    (folder,) = (tmp_path / "store").iterdir()
    (folder / "3.jpg").write_bytes((folder / "3.jpg").read_bytes()[:40])
    (folder / "4.jpg").unlink()
    (folder / "9.1-2.tmp").touch()
    assert previews.get(3) is None
    assert previews.get(4) is None
    again = Previews(video, folder=tmp_path / "store")
    assert not (folder / "9.1-2.tmp").exists()
    again.get(3)
    assert again.fill(always)
    assert again.get(3) is not None
    assert again.get(4) is not None


def test_the_store_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    store = tmp_path / "store"
    videos = []
    for k in range(3):
        path = write_video(tmp_path / f"{k}.mp4", options={"g": "30", "crf": str(5 + k)})
        videos.append(Video.open(path))
    first = Previews(videos[0], folder=store)
    first.fill(always)
    size = first._bytes
    os.utime(first._folder, (1, 1))
    second = Previews(videos[1], folder=store, max_bytes=2 * size)
    second.fill(always)
    assert first._folder.exists()
    third = Previews(videos[2], folder=store, max_bytes=int(1.5 * size))
    third.fill(always)
    assert not first._folder.exists()
    assert first.get(0) is None  # and whoever still asks is told so
    small = Previews(videos[0], folder=store, max_bytes=size // 3)
    assert small.fill(always)
    assert 0 < small._bytes <= size // 3 + size // N * 3
    assert sum(p.stat().st_size for p in store.rglob("*.jpg")) <= size


def test_a_folder_that_another_process_removes_meanwhile_is_no_hindrance(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, scan = tmp_path / "store", os.scandir
    Previews(video, folder=store).fill(always)
    (folder,) = store.iterdir()
    other = write_video(tmp_path / "b.mp4", options={"g": "30"})
    previews = Previews(Video.open(other), folder=store)

    def removed_meanwhile(path: Path) -> object:
        if Path(path) == folder:
            folder.rename(tmp_path / "removed")
        return scan(path)

    monkeypatch.setattr(os, "scandir", removed_meanwhile)
    assert previews.quick(5)[1].endswith(b"\xff\xd9")


def test_threads_fill_and_look_at_once(video: Video, tmp_path: Path) -> None:
    previews = Previews(video, folder=tmp_path / "store")
    wrong: list[object] = []

    def look(seed: int) -> None:
        try:
            for i in np.random.default_rng(seed).integers(N, size=60):
                near, data = previews.quick(int(i))
                if abs(near - i) > 30 or not data.endswith(b"\xff\xd9"):
                    wrong.append((i, near))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    threads += [threading.Thread(target=previews.fill, args=(always,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert previews.frames == list(range(N))


def test_an_array_leaves_nothing_on_disk(tmp_path: Path) -> None:
    video = Video.open(np.stack([picture(i) for i in range(3)]))
    previews = Previews(video, folder=tmp_path / "store")
    assert previews.quick(2)[0] == 2
    assert previews.fill(always)
    assert not (tmp_path / "store").exists()


def test_a_place_that_cannot_be_written_to_is_no_hindrance(video: Video, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    previews = Previews(video, folder=tmp_path / "file" / "store")
    assert previews.quick(40)[0] == 30
    assert previews.fill(always)
    assert previews.frames == []


def test_a_full_disk_costs_nothing(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews = Previews(video, folder=tmp_path / "store")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert previews.quick(10)[0] == 0
    assert previews.frames == []
    assert not [p for p in (tmp_path / "store").rglob("*") if p.is_file()]
