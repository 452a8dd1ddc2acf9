"""The whole story by mouse, in a real JupyterLab, on a real sequence."""

from __future__ import annotations

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


def test_from_opening_to_export(
    open_notebook: Callable[..., Notebook],
    clip: Clip,
    lab: Lab,
    picture: Callable[[str, Any], None],
):
    notebook = open_notebook(clip.cell("story.evavos", ", ground_truth=truth"), width=1500)
    notebook.run_cell(0)
    annotator = notebook.annotator().ready()
    truth = {frame: labels == 1 for frame, labels in clip.truth.items()}
    other = len(truth) // 2

    # Outline once. Without a learned predictor the brush is in the hand from the start.
    annotator.expect().to_have_attribute("data-tool", "brush")
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
    annotator.phase("idle")
    assert iou(mask_in_python(notebook, lab, 5), truth[5]) > 0.6
    assert notebook.value("len(annotator.session.stale)") == 0

    # The agent says where to look next, and why; three clicks there.
    annotator.expect(annotator.root.locator(".ev-next .ev-text")).not_to_be_empty()
    suggested = notebook.value("annotator.session.suggest().frame")
    picture("suggestion", annotator.root)
    annotator.press("suggestion.go")
    annotator.on_frame(suggested)
    before = mask_in_python(notebook, lab, suggested)
    annotator.press("tool.clicks")
    x, y, positive = worst_point(before, truth[suggested])
    annotator.click(x, y, before, positive)
    annotator.draft("clicks")
    annotator.expect(annotator.root.locator(".ev-unfinished")).to_contain_text("% right")
    picture("clicks", annotator.root)
    annotator.commit(propagate=True)
    annotator.phase("idle")
    after = mask_in_python(notebook, lab, suggested)
    assert after[int(y), int(x)] == positive
    assert iou(after, truth[suggested]) >= iou(before, truth[suggested]) - 0.02

    # Correct another frame with the brush and the eraser.
    annotator.show(other)
    before = mask_in_python(notebook, lab, other)
    annotator.press("tool.brush")
    annotator.paint(truth[other] & ~before, diameter=24)
    annotator.press("tool.eraser")
    x, y, _ = worst_point(before, truth[other] & before)
    annotator.drag([(x, y), (x + 2, y)], before)
    annotator.draft("brush")
    annotator.commit()
    assert not mask_in_python(notebook, lab, other)[int(y), int(x)]

    # Undo and redo.
    assert notebook.value("sorted(annotator.session.annotations)") == sorted([0, suggested, other])
    revision = annotator.revision()
    annotator.press("undo")
    annotator.after_revision(revision)
    assert notebook.value("sorted(annotator.session.annotations)") == [0, suggested]
    np.testing.assert_array_equal(mask_in_python(notebook, lab, other), before)
    revision = annotator.revision()
    annotator.press("redo")
    annotator.after_revision(revision)
    assert notebook.value("sorted(annotator.session.annotations)") == sorted([0, suggested, other])
    annotator.press("job.start")
    annotator.phase("running")
    annotator.phase("idle")
    picture("curve", annotator.root)

    # Take the masks away.
    annotator.press("export")
    picture("export", annotator.root)
    annotator.root.locator('[data-export="davis"]').click()
    status = annotator.root.locator(".ev-announcement")
    annotator.expect(status).to_have_text(re.compile("^Exported to "), timeout=120_000)
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

    notebook.save()
    annotator.expect(notebook.page.locator(".jp-mod-dirty")).to_have_count(0)
    assert notebook.path.stat().st_size < 100_000
    assert not notebook.errors
