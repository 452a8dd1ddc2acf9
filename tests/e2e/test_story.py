"""The whole story by mouse, and by keyboard, in a real JupyterLab, on a real sequence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lab import Annotator, Clip, Lab, Notebook, iou

from evavos_widget.masks import read_label_png


def mask_in_python(notebook: Notebook, lab: Lab, frame: int) -> np.ndarray:
    notebook.python(f"import numpy; numpy.save('mask.npy', annotator.session.masks[{frame}] == 1)")
    return np.load(lab.work / "mask.npy")


def worst_point(mask: np.ndarray, truth: np.ndarray) -> tuple[float, float, bool]:
    """Middle of the largest error: column, row, and whether the object is missing there."""
    from scipy.ndimage import distance_transform_edt

    depth = {
        positive: distance_transform_edt(np.pad(wrong, 1))[1:-1, 1:-1]
        for positive, wrong in ((True, truth & ~mask), (False, mask & ~truth))
    }
    positive = bool(depth[True].max() >= depth[False].max())
    row, column = np.unravel_index(depth[positive].argmax(), mask.shape)
    return float(column), float(row), positive


def outline(annotator: Annotator, clip: Clip, frame: int = 0) -> None:
    annotator.press("tool.brush")
    annotator.paint(clip.truth[frame])
    annotator.draft("brush")


def second_object(like: np.ndarray) -> np.ndarray:
    """A patch in the corner that is farthest from the object."""
    height, width = like.shape
    mask = np.zeros_like(like)
    rows, columns = np.nonzero(like)
    y = 20 if rows.mean() > height / 2 else height - 90
    x = 20 if columns.mean() > width / 2 else width - 150
    mask[y : y + 70, x : x + 130] = True
    return mask


def annotated(notebook: Notebook) -> list[int]:
    return notebook.value("sorted(annotator.session.annotations)")


def history(annotator: Annotator, step: str, times: int) -> None:
    for _ in range(times):
        revision = annotator.revision()
        annotator.press(step)
        annotator.after_revision(revision)


def test_from_opening_to_export(
    open_notebook: Callable[..., Notebook],
    clip: Clip,
    lab: Lab,
    picture: Any,
):
    options = ", ground_truth=truth, propagator='flow', predictor='classical'"
    notebook = open_notebook(clip.cell("story.evavos", options), width=1500)
    notebook.run_cell(0)
    annotator = notebook.annotator().ready()
    truth = {frame: labels == 1 for frame, labels in clip.truth.items()}

    # Outline once. Without a learned predictor the brush is in the hand from the start.
    annotator.expect().to_have_attribute("data-tool", "brush")
    picture.film(annotator.root)
    annotator.paint(truth[0])
    annotator.draft("brush")
    picture("outline", annotator.root)
    annotator.commit()
    drawn = mask_in_python(notebook, lab, 0)
    assert iou(drawn, truth[0]) > 0.8

    # The masks run through the video, and are seen before the pass has ended.
    annotator.show(5)
    annotator.press("job.start")
    assert annotator.phase_when_painted() == "running"
    picture("propagate", annotator.root)
    notebook.after_pass(annotator)
    assert iou(mask_in_python(notebook, lab, 5), truth[5]) > 0.6
    for frame in (10, 20, 30):
        annotator.show(frame)
        picture.film(annotator.root)

    # The agent says where to look next, and why. Three times it is followed: clicks,
    # clicks again, and once a look is enough.
    for turn in range(3):
        suggested = notebook.value("annotator.session.suggest().frame")
        headline = annotator.root.locator(".ev-next .ev-headline")
        annotator.expect(headline).to_contain_text(f"Frame {suggested}:")
        if turn == 0:
            picture("suggestion", annotator.root)
        annotator.press("suggestion.go")
        annotator.on_frame(suggested)
        annotator.expect(annotator.action("mark.verified")).to_be_enabled()
        before = mask_in_python(notebook, lab, suggested)
        if turn == 2:
            revision = annotator.revision()
            annotator.press("mark.verified")
            annotator.after_revision(revision)
            np.testing.assert_array_equal(mask_in_python(notebook, lab, suggested), before)
            assert notebook.value(f"annotator.session.marks[{suggested}, 1]") == "verified"
            annotator.press("job.start")
        else:
            annotator.press("tool.clicks")
            x, y, positive = worst_point(before, truth[suggested])
            annotator.click(x, y, before, positive)
            annotator.draft("clicks")
            annotator.expect(annotator.root.locator(".ev-unfinished")).to_contain_text("% right")
            if turn == 0:
                picture("clicks", annotator.root)
            annotator.commit(propagate=True)
            after = mask_in_python(notebook, lab, suggested)
            assert after[int(y), int(x)] == positive
            assert iou(after, truth[suggested]) >= iou(before, truth[suggested]) - 0.02
        notebook.after_pass(annotator)
        picture.film(annotator.root)
        annotator.expect(annotator.root.locator(".ev-lane .ev-mark-verified")).to_have_count(
            1 if turn == 2 else 0
        )
    assert len(annotated(notebook)) == 4

    # Once it is overridden: another frame, corrected with the brush and the eraser.
    instead = annotator.root.locator("[data-instead]").first
    other = int(instead.get_attribute("data-instead"))
    instead.click()
    annotator.on_frame(other)
    before = mask_in_python(notebook, lab, other)
    annotator.press("tool.brush")
    annotator.paint(truth[other] & ~before)
    annotator.press("tool.eraser")
    x, y, _ = worst_point(before, truth[other] & before)
    annotator.drag([(x, y), (x + 2, y)], before)
    annotator.draft("brush")
    picture.film(annotator.root)
    annotator.commit(propagate=True)
    notebook.after_pass(annotator)
    assert not mask_in_python(notebook, lab, other)[int(y), int(x)]

    # An object added late takes nothing from the first one.
    first = notebook.value("int((annotator.session.masks.array() == 1).sum())")
    late = min(other + 3, len(truth) - 1)
    annotator.show(late)
    annotator.press("object.add")
    annotator.expect(annotator.root.locator(".ev-object-active")).to_have_attribute(
        "data-object", "2"
    )
    annotator.press("tool.brush")
    annotator.paint(second_object(truth[late]))
    annotator.commit(propagate=True)
    notebook.after_pass(annotator)
    assert notebook.value(f"bool((annotator.session.masks[{late - 2}] == 2).any())")
    now = notebook.value("int((annotator.session.masks.array() == 1).sum())")
    assert abs(now - first) < 0.05 * first
    picture("two-objects", annotator.root)

    # Undo and redo, several steps back and forth.
    everything = annotated(notebook)
    masks = mask_in_python(notebook, lab, other)
    history(annotator, "undo", 3)
    assert annotated(notebook) == [f for f in everything if f not in (other, late)]
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(1)
    history(annotator, "redo", 3)
    assert annotated(notebook) == everything
    np.testing.assert_array_equal(mask_in_python(notebook, lab, other), masks)
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(2)

    # The curve knows where it stands and how far a target is.
    target = int(20 * notebook.value("annotator.session.curve[-1].predicted")) / 20
    notebook.python(f"annotator.target = {target}")
    annotator.expect(annotator.root.locator(".ev-way")).to_have_text(
        f"The target of {target:.2f} is reached."
    )
    annotator.show(other)
    side = annotator.root.locator(".ev-side")
    side.evaluate("e => { e.scrollTop = e.scrollHeight }")
    picture("curve", annotator.root)
    side.evaluate("e => { e.scrollTop = 0 }")

    # Take the masks away.
    annotator.press("export")
    picture("export", annotator.root)
    annotator.root.locator('[data-export="davis"]').click()
    status = annotator.root.locator(".ev-announcement")
    annotator.expect(status).to_have_text(re.compile("^Exported to "))
    exported = lab.work / Path(status.inner_text().removeprefix("Exported to "))
    files = sorted(exported.rglob("*.png"))
    assert len(files) == len(truth)
    for frame in (0, suggested, other):
        np.testing.assert_array_equal(
            read_label_png(files[frame]) == 1, mask_in_python(notebook, lab, frame)
        )

    # Python and the page are two ends of one thing.
    assert notebook.value("annotator.frame") == other
    notebook.python("annotator.frame = 12")
    annotator.on_frame(12)
    assert notebook.value("annotator.session.seconds") > 0
    picture.save_film("story")
    notebook.python("annotator.snapshot().save('snapshot.png')")

    notebook.save()
    annotator.expect(notebook.page.locator(".jp-mod-dirty")).to_have_count(0)
    assert notebook.path.stat().st_size < 100_000
    # With the widget's own state in it too, as "Save Widget State Automatically" would have it;
    # the page's code is not counted, which grows with nothing that is annotated.
    state = notebook.value(
        "{k: v for k, v in annotator.get_state().items() if k not in ('_esm', '_css')}"
    )
    assert notebook.path.stat().st_size + len(json.dumps(state)) < 100_000
    assert not [name for name, value in state.items() if isinstance(value, list) and value]
    assert not notebook.errors


def corners_of(mask: np.ndarray, within: float = 3.0) -> list[tuple[int, int]]:
    """Corners of the largest piece of a mask, true to its outline `within` so many pixels."""
    import cv2

    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    corners = cv2.approxPolyDP(max(contours, key=cv2.contourArea), within, True)
    return [(int(x), int(y)) for x, y in corners[:, 0]]


class Keys:
    """The annotator worked with keys alone, from the moment its stage has the focus."""

    def __init__(self, notebook: Notebook, annotator: Annotator) -> None:
        self.notebook, self.annotator = notebook, annotator
        self.press = notebook.page.keyboard.press

    def go(self, frame: int) -> None:
        self.press("Home")
        tens, ones = divmod(frame, 10)
        for key in ["Shift+ArrowRight"] * tens + ["ArrowRight"] * ones:
            self.press(key)
        self.annotator.on_frame(frame)

    def changes(self, key: str) -> None:
        """Press a key that changes the session, and wait until the page has heard of it."""
        revision = self.annotator.revision()
        self.press(key)
        self.annotator.after_revision(revision)

    def place(self, x: float, y: float, key: str = "Enter") -> None:
        """Use the tool in hand at an image pixel, with the crosshair."""
        self.press("k")
        self.annotator.steer(int(x), int(y))
        self.press(key)
        self.press("Escape")

    def polygon(
        self, corners: list[tuple[int, int]], look: Callable[[], None] = lambda: None
    ) -> None:
        """Set every corner; the last one twice closes the outline. `look` comes before that."""
        self.press("p")
        self.press("k")
        for corner in corners:
            self.annotator.steer(*corner)
            self.press("Enter")
            self.annotator.draft("polygon")
        look()
        self.press("Enter")
        undo = self.annotator.action("undo")
        self.annotator.expect(undo).to_have_attribute("aria-label", "Undo: polygon")
        self.press("Escape")

    def commit(self, key: str) -> None:
        revision = self.annotator.revision()
        self.press(key)
        self.annotator.draft("none")
        self.annotator.after_revision(revision)
        if key == "Control+Enter":
            self.notebook.after_pass(self.annotator)


def test_the_whole_story_by_keyboard_alone(
    open_notebook: Callable[..., Notebook],
    clip: Clip,
    lab: Lab,
    picture: Any,
):
    notebook = open_notebook(clip.cell("keyboard.evavos", ", ground_truth=truth"), width=1500)
    notebook.run_cell(0)
    annotator = notebook.annotator().ready()
    truth = {frame: labels == 1 for frame, labels in clip.truth.items()}
    keys = Keys(notebook, annotator)
    cells = notebook.page.locator(".jp-Notebook .jp-Cell")
    n_cells = cells.count()
    # The one thing that a test does in place of tabbing through JupyterLab.
    annotator.stage.focus()

    # An outline of the object with the crosshair. Undo takes its closing back, redo closes again.
    keys.polygon(corners_of(truth[0]), lambda: picture("crosshair", annotator.root))
    undo = annotator.action("undo")
    keys.press("Control+z")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: vertex")
    annotator.draft("polygon")
    keys.press("Control+Shift+z")
    annotator.expect(undo).to_have_attribute("aria-label", "Undo: polygon")
    keys.commit("Enter")
    assert iou(mask_in_python(notebook, lab, 0), truth[0]) > 0.8
    keys.press("t")
    notebook.after_pass(annotator)

    # Not this one, which undo takes back.
    headline = annotator.root.locator(".ev-next .ev-headline")
    first = notebook.value("annotator.session.suggest().frame")
    annotator.expect(headline).to_contain_text(f"Frame {first}:")
    keys.changes("s")
    annotator.expect(headline).not_to_contain_text(f"Frame {first}:")
    keys.changes("Control+z")
    annotator.expect(headline).to_contain_text(f"Frame {first}:")

    # Three suggestions are followed: clicks, clicks again, and once a look is enough.
    for turn in range(3):
        suggested = notebook.value("annotator.session.suggest().frame")
        annotator.expect(headline).to_contain_text(f"Frame {suggested}:")
        keys.press("Enter")
        annotator.on_frame(suggested)
        annotator.expect(annotator.action("mark.verified")).to_be_enabled()
        before = mask_in_python(notebook, lab, suggested)
        if turn == 2:
            keys.changes("y")
            np.testing.assert_array_equal(mask_in_python(notebook, lab, suggested), before)
            assert notebook.value(f"annotator.session.marks[{suggested}, 1]") == "verified"
            keys.press("t")
            notebook.after_pass(annotator)
            continue
        x, y, positive = worst_point(before, truth[suggested])
        keys.press("c")
        keys.place(x, y, "Enter" if positive else "Shift+Enter")
        annotator.draft("clicks")
        annotator.expect(annotator.root.locator(".ev-unfinished")).to_contain_text("% right")
        keys.commit("Control+Enter")
        assert mask_in_python(notebook, lab, suggested)[int(y), int(x)] == positive
    assert len(annotated(notebook)) == 4

    # Once it is overridden: another frame, a dab of the brush here and of the eraser there.
    instead = annotator.root.locator("[data-instead]").first
    other = int(instead.get_attribute("data-instead"))
    keys.go(other)
    before = mask_in_python(notebook, lab, other)
    depth = worst_point(np.zeros_like(before), before & truth[other])
    keys.press("b")
    keys.place(*worst_point(before, truth[other])[:2])
    annotator.draft("brush")
    keys.press("e")
    keys.place(*depth[:2])
    keys.commit("Control+Enter")
    assert not mask_in_python(notebook, lab, other)[int(depth[1]), int(depth[0])]

    # An object added late takes nothing from the first one.
    one = notebook.value("int((annotator.session.masks.array() == 1).sum())")
    late = min(other + 3, len(truth) - 1)
    keys.go(late)
    keys.changes("a")
    annotator.expect(annotator.root.locator(".ev-object-active")).to_have_attribute(
        "data-object", "2"
    )
    keys.polygon(corners_of(second_object(truth[late])))
    keys.commit("Control+Enter")
    assert notebook.value(f"bool((annotator.session.masks[{late - 2}] == 2).any())")
    now = notebook.value("int((annotator.session.masks.array() == 1).sum())")
    assert abs(now - one) < 0.05 * one

    # Undo and redo, several steps back and forth.
    everything = annotated(notebook)
    for _ in range(3):
        keys.changes("Control+z")
    assert annotated(notebook) == [f for f in everything if f not in (other, late)]
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(1)
    for _ in range(3):
        keys.changes("Control+Shift+z")
    assert annotated(notebook) == everything
    annotator.expect(annotator.root.locator(".ev-object")).to_have_count(2)

    # And the file.
    keys.press("x")
    annotator.expect(annotator.root.locator(".ev-menu button").first).to_be_focused()
    keys.press("Enter")
    status = annotator.root.locator(".ev-announcement")
    annotator.expect(status).to_have_text(re.compile("^Exported to "))
    exported = lab.work / Path(status.inner_text().removeprefix("Exported to "))
    assert len(sorted(exported.rglob("*.png"))) == len(truth)
    annotator.expect(cells).to_have_count(n_cells)
    assert not notebook.errors
