"""Features of frames: once each, within a bound, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from evavos_widget.features import AT_ONCE, FeatureStore
from evavos_widget.frame_selection.l2 import L2
from evavos_widget.loop import Annotation, LoopState
from evavos_widget.masks import LabelMaps
from evavos_widget.networks.encoders import create_encoder
from evavos_widget.prompts import Costs
from evavos_widget.video import Video

N = 12


class Corner:
    """The picture's first pixel, as three numbers; counts how often it was asked."""

    def __init__(self, name: str = "corner") -> None:
        self.name = name
        self.asked: list[int] = []
        self.together: list[int] = []

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        self.asked.extend(images[:, 0, 0, 0].tolist())
        self.together.append(len(images))
        return images[:, 0, 0].astype(np.float64)


def clip(first: int = 0) -> Video:
    frames = np.zeros((N, 4, 6, 3), np.uint8)
    frames[:, 0, 0] = np.arange(first, first + N)[:, None]
    return Video.open(frames)


def test_a_frame_is_encoded_when_it_is_first_asked_for() -> None:
    store, encoder, video = FeatureStore(), Corner(), clip()
    assert encoder.asked == []
    for _ in range(2):
        vector = store.frame(video, 3, encoder)
        assert vector.dtype == np.float32
        assert vector.tolist() == [3, 3, 3]
    assert encoder.asked == [3]
    assert store.frames(video, encoder)[:, 0].tolist() == list(range(N))
    assert sorted(encoder.asked) == list(range(N))
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1


def test_frames_that_lack_are_encoded_together_and_each_once() -> None:
    store, encoder, video = FeatureStore(), Corner(), clip()
    store.frame(video, 4, encoder)
    found = store.frames(video, encoder, [5, 4, 5, 2])
    assert found[:, 0].tolist() == [5, 4, 5, 2]
    assert encoder.together == [1, 2]
    assert store.nbytes == 3 * 12
    store.frames(video, encoder)
    assert sorted(encoder.asked) == list(range(N))
    assert max(encoder.together) <= AT_ONCE


def test_more_frames_than_are_kept_are_all_told() -> None:
    store, encoder, video = FeatureStore(max_bytes=2 * 12), Corner(), clip()
    assert store.frames(video, encoder)[:, 0].tolist() == list(range(N))
    assert store.nbytes == 2 * 12


def test_videos_and_encoders_are_told_apart() -> None:
    store, one, other = FeatureStore(), clip(), clip(100)
    assert store.frame(one, 0, Corner()).tolist() == [0, 0, 0]
    assert store.frame(other, 0, Corner()).tolist() == [100, 100, 100]
    again = Corner()
    store.frame(one, 0, again)
    assert again.asked == []  # one of the same name was asked before
    different = Corner("other")
    store.frame(one, 0, different)
    assert different.asked == [0]


def test_what_was_used_longest_ago_goes_first() -> None:
    store, encoder, video = FeatureStore(max_bytes=3 * 12), Corner(), clip()
    for frame in (0, 1, 2, 0, 3):
        store.frame(video, frame, encoder)
    assert store.nbytes == 36
    for frame in (0, 3, 1):
        store.frame(video, frame, encoder)
    assert encoder.asked == [0, 1, 2, 3, 1]
    small = FeatureStore(max_bytes=1)
    small.frame(video, 0, encoder)
    assert small.nbytes == 12  # the newest stays


def test_threads_share_what_one_of_them_computed() -> None:
    store, encoder, video = FeatureStore(), Corner(), clip()
    with ThreadPoolExecutor(8) as pool:
        every = list(pool.map(lambda _: store.frames(video, encoder), range(32)))
    assert sorted(encoder.asked) == list(range(N))
    for found in every:
        assert np.array_equal(found, every[0])


def test_a_frame_that_is_not_there_and_an_encoder_that_fails_leave_nothing() -> None:
    store, video = FeatureStore(), clip()
    with pytest.raises(IndexError, match="no frame 12"):
        store.frame(video, N, Corner())

    class Broken(Corner):
        def __call__(self, images, /):
            raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        store.frame(video, 0, Broken())
    assert store.nbytes == 0
    assert store.frame(video, 0, Corner()).tolist() == [0, 0, 0]


def test_a_selector_that_asks_again_finds_the_features_of_the_turn_before(monkeypatch) -> None:
    video = Video.open(np.random.default_rng(0).integers(0, 255, (N, 24, 32, 3), dtype=np.uint8))
    labels = np.zeros((24, 32), np.uint8)
    labels[4:9, 4:9] = 1
    annotation = Annotation(labels, frozenset({1}))
    state = LoopState(
        video=video,
        objects=(1,),
        annotations={0: annotation},
        masks=LabelMaps.empty(N, 24, 32),
        quality=np.full((N, 1), np.nan, np.float32),
        costs=Costs(),
    )
    first = L2().select(state)
    encode = create_encoder("colour")
    every = encode(np.stack(list(video)))
    distance = np.linalg.norm(every - every[0], axis=1)
    assert first is not None
    assert first.frame == distance.argmax()
    monkeypatch.setattr(video, "frame", None)  # nothing has to be read any more
    second = L2().select(replace(state, annotations={0: annotation, first.frame: annotation}))
    known = np.minimum(distance, np.linalg.norm(every - every[first.frame], axis=1))
    known[[0, first.frame]] = -1
    assert second is not None
    assert second.frame == known.argmax()


def test_a_state_needs_none_of_what_is_new() -> None:
    state = LoopState(
        clip(), (), {}, LabelMaps.empty(N, 4, 6), np.zeros((N, 0), np.float32), Costs()
    )
    assert (state.rounds, state.seconds, state.budget) == ((), 0.0, None)
    assert state.features is not replace(state, features=FeatureStore()).features


def test_an_encoder_of_single_pictures_is_told_what_is_wrong() -> None:
    class OnePicture:
        name = "one-picture"

        def __call__(self, images):
            return images.mean(axis=(0, 1))

    with pytest.raises(ValueError, match=r"'one-picture' gave \d+ rows for \d frames"):
        FeatureStore().frames(clip(), OnePicture())
