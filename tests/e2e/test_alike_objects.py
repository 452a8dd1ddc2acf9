"""Objects that look alike: what is said of one of them holds, and is not said of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import Annotator, Lab, Notebook, iou
from PIL import Image, ImageOps

from evavos_widget.masks import read_label_png

N_FRAMES = 6


class Sequence:
    """Some frames in a folder, the labels of the objects in them, and the engines to use."""

    def __init__(self, folder: Path, labels: list[np.ndarray], options: str) -> None:
        self.folder, self.labels, self.options = folder, labels, options

    def cell(self, path: str) -> str:
        frames = f"from evavos_widget import Annotator\nvideo = {str(self.folder)!r}\n"
        return f"{frames}annotator = Annotator(video, path={path!r}{self.options})\nannotator"


def schoolgirls(data_root: Path, folder: Path) -> Sequence:
    """Seven ids, the girls among them; the first frames of a real sequence."""
    root = data_root / "multi_object"
    for i in range(N_FRAMES):
        name = f"{i:05d}.jpg"
        (folder / name).symlink_to(root / "JPEGImages" / "schoolgirls" / name)
    labels = [
        read_label_png(root / "Annotations" / "schoolgirls" / f"{i:05d}.png")
        for i in range(N_FRAMES)
    ]
    return Sequence(folder, labels, "")


def cows(data_root: Path, folder: Path) -> Sequence:
    """A cow on a meadow, and above her, smaller and the other way round, the same one again."""
    root = data_root / "davis16"
    labels = []
    for i in range(N_FRAMES):
        picture = Image.open(root / f"JPEGImages/480p/cows/{i:05d}.jpg").resize((427, 240))
        cow = read_label_png(root / f"Annotations/480p/cows/{i:05d}.png") > 0
        whole = Image.fromarray(cow).resize(picture.size)
        far = tuple(ImageOps.mirror(image).resize((213, 120)) for image in (picture, whole))
        picture.paste(far[0], (264, -20), far[1])
        both = whole.convert("L").point(lambda value: value > 0)
        both.paste(2, (264, -20), far[1])
        labels.append(np.array(both))
        picture.save(folder / f"{i:05d}.png")
    return Sequence(folder, labels, "")


def discs(folder: Path) -> Sequence:
    """Seven discs of one colour that move together over an uneven ground."""
    chance = np.random.default_rng(5)
    ground = chance.integers(60, 110, (12, 18, 3), dtype=np.uint8)
    y, x = np.mgrid[:240, :360]
    labels = []
    for i in range(N_FRAMES):
        labels.append(np.zeros((240, 360), np.uint8))
        picture = Image.fromarray(ground).resize((360, 240), Image.Resampling.BICUBIC)
        pixels = np.array(picture)
        for k in range(7):
            row, column = 60 + 115 * (k % 2), 40 + 45 * k + 3 * i
            inside = np.hypot(y - row, x - column) < 30
            labels[i][inside] = k + 1
            pixels[inside] = (220, 180, 40)
        grain = chance.normal(0, 4, pixels.shape)
        noisy = np.clip(pixels + grain, 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i:05d}.png")
    return Sequence(folder, labels, ", propagator='flow', predictor='classical'")


@pytest.fixture
def sequence(request: pytest.FixtureRequest, tmp_path: Path) -> Sequence:
    folder = tmp_path / request.param
    folder.mkdir()
    if request.param == "discs":
        return discs(folder)
    real = {"schoolgirls": schoolgirls, "cows": cows}[request.param]
    return real(request.getfixturevalue("data_root"), folder)


def masks(notebook: Notebook, lab: Lab) -> np.ndarray:
    """(N, H, W) labels as Python has them."""
    notebook.python("import numpy; numpy.save('masks.npy', annotator.session.masks.array())")
    return np.load(lab.work / "masks.npy")


def middle(mask: np.ndarray) -> tuple[float, float]:
    """The pixel that is farthest from the edge of a mask: column, row."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), mask.shape)
    return float(column), float(row)


def apart(labels: np.ndarray) -> tuple[int, int]:
    """The two largest objects that do not touch, the larger one first."""
    from scipy.ndimage import binary_dilation

    ids = sorted(set(np.unique(labels)) - {0}, key=lambda k: -(labels == k).sum())
    grown = {k: binary_dilation(labels == k, iterations=4) for k in ids}
    return next(
        (a, b)
        for i, a in enumerate(ids)
        for b in ids[i + 1 :]
        if not (grown[a] & (labels == b)).any()
    )


def start(open_notebook: Callable[..., Notebook], sequence: Sequence, name: str) -> tuple[Any, ...]:
    notebook = open_notebook(sequence.cell(f"{name}-{sequence.folder.name}.evavos"))
    notebook.run_cell(0)
    return notebook, notebook.annotator().ready()


def look(annotator: Annotator) -> None:
    """Wait for the mask that clicks have asked for."""
    annotator.draft("clicks")
    annotator.expect(annotator.root.locator(".ev-unfinished")).to_contain_text("% right")


@pytest.mark.parametrize("sequence", ["schoolgirls", "cows", "discs"], indirect=True)
def test_a_wrongly_included_second_one_goes_with_one_right_click_and_stays_gone(
    open_notebook: Callable[..., Notebook], sequence: Sequence, lab: Lab
):
    notebook, annotator = start(open_notebook, sequence, "second")
    first, second = apart(sequence.labels[0])
    both = np.isin(sequence.labels[0], (first, second))
    np.save(lab.work / "both.npy", both)
    notebook.python(
        "import numpy; annotator.session.add_object()\n"
        "annotator.session.annotate(0, numpy.load('both.npy'), objects=[1])"
    )
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-drawn")).to_have_count(1)
    annotator.press("job.start")
    notebook.after_pass(annotator)
    wrong = [labels == second for labels in sequence.labels]
    right = [labels == first for labels in sequence.labels]
    before = masks(notebook, lab) == 1
    assert (before[-1] & wrong[-1]).sum() > 0.5 * wrong[-1].sum()

    annotator.press("tool.clicks")
    annotator.click(*middle(wrong[0]), wrong[0], positive=False)
    look(annotator)
    annotator.commit(propagate=True)
    notebook.after_pass(annotator)

    after = masks(notebook, lab) == 1
    assert (after[0] & wrong[0]).sum() <= 0.05 * wrong[0].sum()
    assert (after[0] & right[0]).sum() >= 0.98 * right[0].sum()
    for frame in range(1, N_FRAMES):
        assert (after[frame] & wrong[frame]).sum() <= 0.05 * wrong[frame].sum(), frame
        kept = (after[frame] & right[frame]).sum()
        assert kept >= 0.95 * (before[frame] & right[frame]).sum(), frame
    assert not notebook.errors


@pytest.mark.parametrize("sequence", ["schoolgirls", "discs"], indirect=True)
def test_seven_clicked_one_after_the_other_stay_what_they_were(
    open_notebook: Callable[..., Notebook], sequence: Sequence, lab: Lab
):
    notebook, annotator = start(open_notebook, sequence, "seven")
    labels = sequence.labels[0]
    annotator.press("tool.clicks")
    committed = {}
    for obj in range(1, 8):
        annotator.press("object.add")
        annotator.expect(annotator.root.locator(".ev-object")).to_have_count(obj)
        annotator.click(*middle(labels == obj), labels)
        look(annotator)
        revision = annotator.revision()
        annotator.press("commit")
        # Where it would take from another one, the answer is no.
        asked = annotator.page.wait_for_function(
            """([root, revision]) => {
                if (root.querySelector(".ev-asked")) return "asked";
                return Number(root.dataset.revision) > revision && "saved";
            }""",
            arg=[annotator.root.element_handle(), revision],
        )
        if asked.json_value() == "asked":
            annotator.press("question.leave")
        annotator.draft("none")
        annotator.after_revision(revision)
        committed[obj] = masks(notebook, lab)[0] == obj
        assert committed[obj].any()
    now = masks(notebook, lab)[0]
    for obj, mask in committed.items():
        assert iou(now == obj, mask) >= 0.95, obj
    assert not notebook.errors
