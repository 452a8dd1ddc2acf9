from __future__ import annotations

import builtins
from dataclasses import replace

import numpy as np
import pytest

from evavos_widget.datasets import cutouts
from evavos_widget.datasets.compositing import Layer
from evavos_widget.datasets.synthetic import CAST, Clip, Difficulty, render_clip

SIZE = {"n_frames": 16, "height": 96, "width": 170}
OFF = Difficulty.uniform(0)
SEEDS = [0, 1, 2, 9, 108]


def centres(clip: Clip, label: int) -> np.ndarray:
    """Centroid of what is seen of an object, on the frames that show some of it."""
    return np.array([np.argwhere(m == label).mean(axis=0) for m in clip.labels if label in m])


def test_a_seed_gives_one_clip_and_another_seed_another() -> None:
    one, again, other = (render_clip(seed, **SIZE) for seed in (3, 3, 4))
    assert np.array_equal(one.frames, again.frames)
    assert np.array_equal(one.labels, again.labels)
    assert np.array_equal(one.hidden, again.hidden)
    assert not np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_objects_stand_apart_at_first_and_are_occluded_later(seed: int) -> None:
    clip = render_clip(seed, **SIZE)
    assert clip.frames.shape == (16, 96, 170, 3)
    assert clip.labels.shape == (16, 96, 170)
    assert clip.frames.dtype == clip.labels.dtype == np.uint8
    assert set(np.unique(clip.labels)) == {0, 1, 2}
    assert len(set(clip.names)) == 2
    assert set(clip.names) <= set(CAST)
    for label in (1, 2):
        assert (clip.labels[0] == label).mean() > 0.01
    assert clip.hidden[0].max() < 0.05
    assert clip.hidden[1:].max() > 0.3


@pytest.mark.parametrize(
    ("occlusion", "tolerance"),
    # Where soft edges of two things meet, both may cover less than the label's half.
    [(0, 0), (1, 0.005)],
)
def test_labels_are_where_the_objects_are_drawn(
    monkeypatch: pytest.MonkeyPatch, occlusion: float, tolerance: float
) -> None:
    colors = {0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 255, 0)}
    cut = cutouts.cutout

    def painted(name: str, height: int, label: int = 0) -> Layer:
        layer = cut(name, height, label)
        return replace(layer, picture=np.full_like(layer.picture, colors[label]))

    monkeypatch.setattr(cutouts, "cutout", painted)
    monkeypatch.setattr(cutouts, "background", lambda *_: np.zeros((128, 256, 3), np.uint8))
    plain = Difficulty(occlusion=occlusion, blur=0, noise=0, illumination=0)
    clip = render_clip(108, **SIZE, difficulty=plain)
    for label in (1, 2):
        labelled, drawn = clip.labels == label, clip.frames[..., label - 1]
        wrong = (labelled & (drawn < 120)) | (~labelled & (drawn > 135))
        assert wrong.sum() <= tolerance * labelled.sum()


def test_labels_are_those_of_the_middle_of_the_exposure() -> None:
    sharp = render_clip(1, **SIZE, difficulty=Difficulty(blur=0))
    blurred = render_clip(1, **SIZE, difficulty=Difficulty(blur=2))
    assert np.array_equal(sharp.labels, blurred.labels)
    assert np.abs(sharp.frames.astype(int) - blurred.frames).mean() > 1


def test_without_any_difficulty_nothing_moves() -> None:
    clip = render_clip(1, **SIZE, difficulty=OFF)
    assert (clip.frames == clip.frames[0]).all()
    assert (clip.labels == clip.labels[0]).all()
    assert not clip.hidden.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_more_motion_carries_objects_farther(seed: int) -> None:
    def way(motion: float) -> float:
        # without crossing, so that all of the objects stays in the picture
        clip = render_clip(seed, **SIZE, difficulty=replace(OFF, motion=motion))
        return sum(np.linalg.norm(np.diff(centres(clip, k), axis=0), axis=1).sum() for k in (1, 2))

    assert way(0) == 0
    assert 2 < way(0.5) < way(1) < way(2)


@pytest.mark.parametrize("seed", SEEDS)
def test_occlusion_hides_objects_only_when_asked(seed: int) -> None:
    none, some = (
        render_clip(seed, **SIZE, difficulty=Difficulty(occlusion=value)) for value in (0, 1)
    )
    assert some.hidden.mean() > 0.05 + none.hidden.mean()
    assert none.hidden.mean() < 0.02


def test_scale_changes_areas() -> None:
    def spread(value: float) -> float:
        clip = render_clip(2, **SIZE, difficulty=replace(OFF, scale=value))
        areas = (clip.labels == 2).sum(axis=(1, 2))
        return areas.max() / areas.min()

    assert spread(0) == 1
    assert 1.1 < spread(1) < spread(2)


def test_deformation_changes_outlines_in_place() -> None:
    def change(value: float) -> float:
        clip = render_clip(2, **SIZE, difficulty=replace(OFF, deformation=value))
        return (clip.labels != clip.labels[0]).mean()

    assert change(0) == 0
    assert 0.0005 < change(1) < change(2)


def test_camera_moves_the_background() -> None:
    def change(value: float) -> float:
        clip = render_clip(2, **SIZE, difficulty=replace(OFF, camera=value))
        apart = (clip.labels == 0).all(axis=0)
        return np.abs(clip.frames[8].astype(int) - clip.frames[0])[apart].mean()

    assert change(0) == 0
    assert change(1) > 5


def test_noise_has_the_standard_deviation_it_says() -> None:
    clean = render_clip(2, **SIZE, difficulty=OFF).frames.astype(int)
    noisy = render_clip(2, **SIZE, difficulty=replace(OFF, noise=2)).frames.astype(int)
    inside = (clean > 20) & (clean < 235)
    assert (noisy - clean)[inside].std() == pytest.approx(4.4, rel=0.03)
    assert not np.array_equal(noisy[0] - clean[0], noisy[1] - clean[1])


def test_illumination_changes_the_light_and_not_the_labels() -> None:
    still = render_clip(2, **SIZE, difficulty=OFF)
    lit = render_clip(2, **SIZE, difficulty=replace(OFF, illumination=1))
    means = lit.frames.mean(axis=(1, 2, 3))
    assert means.max() / means.min() > 1.1
    assert np.array_equal(still.labels, lit.labels)


def test_distractors_are_seen_and_not_labelled() -> None:
    alone, crowded = (
        render_clip(2, **SIZE, difficulty=replace(OFF, distractors=value)) for value in (0, 2)
    )
    differs = (alone.frames != crowded.frames).any(axis=-1)
    assert differs.mean() > 0.01
    assert np.array_equal(alone.labels, crowded.labels)
    assert not (differs & (crowded.labels > 0))[:, 2:-2].mean() > 0.01


@pytest.mark.parametrize(
    ("n_frames", "height", "width"), [(1, 96, 170), (2, 61, 47), (3, 33, 211), (2, 16, 16)]
)
def test_odd_sizes_and_single_frames(n_frames: int, height: int, width: int) -> None:
    clip = render_clip(5, n_frames, height, width)
    assert clip.frames.shape == (n_frames, height, width, 3)
    assert set(np.unique(clip.labels[0])) == {0, 1, 2}


@pytest.mark.parametrize("arguments", [{"n_frames": 0}, {"height": 8}, {"width": 0}, {"seed": -1}])
def test_arguments_out_of_range_are_named(arguments: dict[str, int]) -> None:
    (name, value) = next(iter(arguments.items()))
    with pytest.raises(ValueError, match=f"{name} is {value}; give at least"):
        render_clip(**{**SIZE, **arguments})


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_difficulties_out_of_range_are_named(value: float) -> None:
    with pytest.raises(ValueError, match="difficulty camera is"):
        Difficulty(camera=value)


def test_the_extra_is_named_without_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    really_import = builtins.__import__

    def missing(name: str, *arguments: object, **options: object) -> object:
        if name.partition(".")[0] == "skimage":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return really_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r'pip install "evavos-widget\[synthetic\]"'):
        render_clip(**SIZE)


@pytest.mark.parametrize("name", sorted(cutouts.CUTOUTS))
def test_a_cut_out_has_a_soft_edge_and_a_solid_inside(name: str) -> None:
    layer = cutouts.cutout(name, 120)
    assert layer.picture.shape[:2] == layer.matte.shape
    assert layer.matte.shape[0] == 120
    soft = (layer.matte > 0) & (layer.matte < 1)
    assert 0.2 < (layer.matte == 1).mean() < 0.95
    assert 0.002 < soft.mean() < 0.15
