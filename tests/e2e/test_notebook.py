"""The annotator as a citizen of a notebook: busy kernels, reloads, other views, keys, errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from harness import WATCH
from lab import PATIENCE_MS, Annotator, Clip, Lab, Notebook

from evavos_widget.session import Session

#: A cell that computes until a file appears, as a training loop in the same kernel would.
BUSY = """\
from pathlib import Path
while not Path({go!r}).exists():
    sum(range(10_000))
print("done")"""


#: A propagator that stops after some frames until a file appears, as a slow one would, and says by
#: another file that it does.
SLOW = """\
import time
from pathlib import Path
from evavos_widget import engines
from evavos_widget.loop import Propagator

class Slow(Propagator):
    name = "slow"

    def __init__(self):
        self.inner = engines.create("propagator", "flow")

    def propagate(self, *args):
        for i, step in enumerate(self.inner.propagate(*args)):
            if i == 5:
                Path("pass-held").touch()
            while i == 5 and not Path("pass-on").exists():
                time.sleep(0.01)
            yield step

"""


class HeldPass:
    """A pass of `SLOW`, in the middle until it is let go on."""

    def __init__(self, folder: Path) -> None:
        self._held, self._on = folder / "pass-held", folder / "pass-on"
        for file in (self._held, self._on):
            file.unlink(missing_ok=True)

    def reached(self) -> None:
        """Wait until the pass is there: what is asked for sooner may be done between two steps."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self._held.exists():
            assert time.monotonic() < deadline, "no pass came to its sixth frame"
            time.sleep(0.02)

    def go_on(self) -> None:
        """Let it go on, and every later one pass."""
        self._on.touch()


@pytest.fixture
def held_pass(lab: Lab) -> Iterator[HeldPass]:
    held = HeldPass(lab.work)
    yield held
    held.go_on()


@pytest.fixture
def start(
    open_notebook: Callable[..., Notebook], clip: Clip, request: pytest.FixtureRequest
) -> Callable[..., tuple[Notebook, Annotator, str]]:
    """Open a notebook whose first cell shows the clip, with further cells below it."""

    def start(*cells: str, slow: bool = False) -> tuple[Notebook, Annotator, str]:
        session = f"{request.node.name}.evavos"
        propagator = "Slow()" if slow else "'flow'"
        options = f", propagator={propagator}, predictor='classical'"
        first = (SLOW if slow else "") + clip.cell(session, options)
        notebook = open_notebook(first, *cells)
        notebook.run_cell(0)
        return notebook, notebook.annotator().ready(), session

    return start


#: The pass as the kernel has it.
JOB = "annotator._controller._passes.job"


def journal(lab: Lab, session: str) -> list[dict]:
    lines = (lab.work / session / "journal.jsonl").read_bytes().splitlines()
    return [json.loads(line.split(b" ", 1)[1]) for line in lines]


def annotations(lab: Lab, session: str) -> list[dict]:
    events = [e for group in journal(lab, session) for e in group.get("events", ())]
    return [e for e in events if e["kind"] == "annotate"]


def dab(annotator: Annotator, clip: Clip, frame: int = 0) -> None:
    """Some strokes of the brush in the middle of the object, enough to be carried along."""
    truth = clip.truth[frame] == 1
    rows, columns = np.nonzero(truth)
    x, y = float(np.median(columns)), float(np.median(rows))
    annotator.stage.scroll_into_view_if_needed()
    annotator.press("tool.brush")
    for down in (-16, 0, 16):
        annotator.drag([(x - 30, y + down), (x + 30, y + down)], truth)
    annotator.draft("brush")


def test_work_goes_on_while_a_cell_runs(start, clip, lab, held_pass):
    notebook, annotator, session = start(BUSY.format(go="go-on"), slow=True)
    notebook.run_cell(1)
    busy = notebook.page.locator('.jp-Notebook-ExecutionIndicator[data-status="busy"]')
    busy.wait_for()
    dab(annotator, clip)
    annotator.commit()
    assert len(annotations(lab, session)) == 1
    annotator.show(1)  # what the first step of the pass gives is told at once
    annotator.press("job.start")
    assert annotator.phase_when_painted() == "running"
    annotator.press("job.stop")
    held_pass.go_on()
    annotator.phase("idle")
    annotator.expect(busy).to_be_visible()
    (lab.work / "go-on").touch()
    notebook.wait_until_idle()
    assert notebook.value("sorted(annotator.session.annotations)") == [0]


def test_a_kernel_that_cannot_listen_is_said_to_be_busy_and_does_it_later(start, lab, clip):
    lab.set_subshells("disabled")
    try:
        notebook, annotator, session = start(BUSY.format(go="listen-again"))
        dab(annotator, clip)
        notebook.run_cell(1)
        annotator.press("commit")
        busy = annotator.root.locator(".ev-busy")
        annotator.expect(busy).to_have_text(
            "The kernel is busy; this will be done when it is free."
        )
        assert not annotations(lab, session)
        (lab.work / "listen-again").touch()
        annotator.expect(annotator.root.locator(".ev-lane .ev-mark-drawn")).to_have_count(1)
        annotator.expect(busy).to_have_text("")
        assert notebook.value("sorted(annotator.session.annotations)") == [0]
    finally:
        lab.set_subshells("perCommTarget")


def test_a_correction_during_a_running_pass_is_kept_and_taken_in(start, clip, held_pass):
    notebook, annotator, _ = start(slow=True)
    dab(annotator, clip)
    annotator.commit()
    last = len(clip.truth) - 1
    annotator.show(last)
    dab(annotator, clip, last)
    notebook.page.keyboard.press("t")  # a draft has the place of the button
    annotator.phase("running")
    held_pass.reached()
    annotator.press("commit")
    annotator.expect(annotator.root.locator(".ev-saved")).to_contain_text("saving")
    annotator.phase("running")
    held_pass.go_on()
    notebook.after_pass(annotator)
    assert notebook.value("sorted(annotator.session.annotations)") == [0, last]
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-drawn")).to_have_count(2)


def test_a_pass_is_stopped_half_way_and_taken_up_again(start, clip, held_pass):
    notebook, annotator, _ = start(slow=True)
    dab(annotator, clip)
    annotator.commit(propagate=True)
    annotator.phase("running")
    held_pass.reached()
    annotator.press("job.stop")
    notebook.until(f"{JOB}['phase'] == 'cancelling'")
    held_pass.go_on()
    annotator.phase("idle")
    n_frames = len(clip.truth)
    waiting = notebook.value("len(annotator.session.stale)")
    assert 0 < waiting < n_frames
    assert notebook.value("sorted(annotator.session.annotations)") == [0]
    annotator.press("job.start")
    notebook.after_pass(annotator)


def test_a_paused_pass_takes_in_what_is_corrected_meanwhile(start, clip, held_pass):
    notebook, annotator, _ = start(slow=True)
    dab(annotator, clip)
    annotator.commit(propagate=True)
    annotator.phase("running")
    held_pass.reached()
    annotator.press("job.pause")
    notebook.until(f"{JOB}['phase'] == 'paused'")
    held_pass.go_on()
    annotator.phase("paused")
    waiting = notebook.value("len(annotator.session.stale)")
    last = len(clip.truth) - 1
    annotator.show(last)
    dab(annotator, clip, last)
    annotator.commit()
    annotator.phase("paused")
    assert notebook.value("len(annotator.session.stale)") >= waiting - 1 > 0
    annotator.press("job.pause")
    notebook.after_pass(annotator)
    assert notebook.value("sorted(annotator.session.annotations)") == [0, last]


def test_a_part_is_propagated_and_a_frame_is_said_to_be_empty(start, clip):
    notebook, annotator, _ = start()
    annotator.show(10)
    dab(annotator, clip, 10)
    annotator.commit()
    annotator.press("job.part")
    first = annotator.root.get_by_label("First frame")
    first.fill("8")
    annotator.root.get_by_label("Last frame").fill("12")
    annotator.root.get_by_role("button", name="Go", exact=True).click()
    notebook.after_pass(annotator, waiting=len(clip.truth) - 5)
    assert notebook.value("sorted(annotator.session.stale)") == [
        f for f in range(len(clip.truth)) if not 8 <= f <= 12
    ]
    annotator.show(12)
    revision = annotator.revision()
    annotator.press("mark.absent")
    annotator.after_revision(revision)
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-absent")).to_have_count(1)
    assert not notebook.value("bool(annotator.session.masks[12].any())")
    annotator.press("undo")
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-absent")).to_have_count(0)
    assert notebook.value("bool(annotator.session.masks[12].any())")


def test_objects_are_named_coloured_merged_and_removed(start, clip):
    notebook, annotator, _ = start()
    root, objects = annotator.root, annotator.root.locator(".ev-object")
    for count in range(1, 12):
        annotator.press("object.add")
        annotator.expect(objects).to_have_count(count)
    annotator.expect(root.locator(".ev-object-active")).to_have_attribute("data-object", "11")
    dab(annotator, clip)
    annotator.commit()
    assert notebook.value("bool((annotator.session.masks[0] == 11).any())")
    objects.nth(10).hover()
    root.get_by_label("Change object 11").click()
    root.get_by_label("Name of object 11").fill("swan")
    root.get_by_label("Name of object 11").press("Tab")
    annotator.expect(objects.nth(10)).to_contain_text("swan")
    root.get_by_label("Colour of swan").fill("#ff0000")
    annotator.expect(objects.nth(10).locator(".ev-swatch")).to_have_css(
        "border-color", "rgb(255, 0, 0)"
    )
    root.get_by_label("Merge swan into").select_option("2")
    root.get_by_role("button", name="Merge", exact=True).click()
    annotator.expect(objects).to_have_count(10)
    assert notebook.value("bool((annotator.session.masks[0] == 2).any())")
    annotator.press("undo")
    annotator.expect(objects).to_have_count(11)
    objects.nth(10).hover()
    change = root.get_by_role("button", name="Change swan")
    if change.get_attribute("aria-expanded") != "true":
        change.click()
    root.get_by_label("Remove swan").click()
    annotator.expect(objects).to_have_count(10)
    annotator.press("undo")
    annotator.expect(objects).to_have_count(11)
    assert notebook.value("[o.name for o in annotator.session.objects][-1]") == "swan"
    assert notebook.value("annotator.session.objects[-1].color") == "#ff0000"
    assert notebook.value("bool((annotator.session.masks[0] == 11).any())")


def test_a_view_says_so_once_its_session_is_open_in_another_cell(start, clip, request):
    again = f"other = Annotator(annotator.session.video, path='{request.node.name}.evavos')\nother"
    notebook, annotator, _ = start(again, "annotator")
    dab(annotator, clip)
    notebook.run_cell(1)
    notebook.annotator(1).ready()
    # A look at it is enough: nobody is to work in vain.
    annotator.stage.hover()
    notice = annotator.root.locator('[data-notice="gone"]')
    annotator.expect(notice).to_contain_text("opened in another cell")
    annotator.draft("brush")
    # Shown once more it says the same, once.
    notebook.run_cell(2)
    shown = notebook.annotator(2)
    shown.expect(shown.root.locator('[data-notice="gone"]')).to_contain_text("another cell")
    shown.expect(shown.root.get_by_role("button", name="Messages 1")).to_be_visible()
    # Its own cell, run again, takes the session back, with what was unfinished.
    notebook.run_cell(0)
    annotator.expect(notice).to_have_count(0)
    annotator.ready().draft("brush")
    annotator.commit()


def test_a_restarted_kernel_opens_the_session_where_it_was(start, clip):
    notebook, annotator, _ = start()
    dab(annotator, clip)
    annotator.commit(propagate=True)
    notebook.after_pass(annotator)
    annotator.show(2)
    dab(annotator, clip, 2)
    notebook.restart_kernel()
    # The view of the kernel that is no more says so, and keeps what was not committed.
    annotator.press("commit")
    annotator.expect(annotator.root.locator(".ev-trouble")).to_have_text(
        "Disconnected: run the cell again."
    )
    annotator.expect(annotator.root.locator('[data-notice="gone"]')).to_be_in_viewport()
    annotator.draft("brush")
    annotator.expect(annotator.root.locator(".ev-busy")).to_have_text("")
    notebook.run_cell(0)
    annotator = notebook.annotator().ready()
    annotator.on_frame(2)
    assert annotator.phase_when_painted() == "idle"
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-drawn")).to_have_count(1)
    assert notebook.value("len(annotator.session.stale)") == 0
    # What was not committed is here as well, and can be.
    annotator.draft("brush")
    annotator.commit()
    assert notebook.value("sorted(annotator.session.annotations)") == [0, 2]
    for left in ([0], []):
        revision = annotator.revision()
        annotator.press("undo")
        annotator.after_revision(revision)
        assert notebook.value("sorted(annotator.session.annotations)") == left


@pytest.mark.parametrize("mode", ["full", "contentVisibility"])
def test_what_was_scrolled_away_is_there_when_it_comes_back(start, clip, lab, mode):
    lab.set_windowing(mode)
    try:
        notebook, annotator, _ = start(*["# a long cell\n" * 40] * 12)
        dab(annotator, clip)
        annotator.commit()
        scroller = notebook.page.locator(".jp-WindowedPanel-outer").first
        scroller.evaluate("e => { e.scrollTop = e.scrollHeight }")
        annotator.expect(annotator.root).not_to_be_in_viewport()
        notebook.python("annotator.session.mark_absent(3, [1]); annotator.frame = 0")
        scroller.evaluate("e => { e.scrollTop = 0 }")
        annotator.expect(annotator.stage).to_be_in_viewport()
        annotator.expect(annotator.root.locator(".ev-lane .ev-mark-absent")).to_have_count(1)
        assert annotator.phase_when_painted() == "idle"
        annotator.show(2)
        dab(annotator, clip, 2)
        annotator.commit()
        assert notebook.value("sorted(annotator.session.annotations)") == [0, 2, 3]
        assert not notebook.errors
    finally:
        lab.set_windowing("contentVisibility")


def test_a_reloaded_page_shows_what_was_there_and_works(start, clip):
    notebook, annotator, _ = start()
    dab(annotator, clip)
    annotator.commit()
    revision = annotator.revision()
    annotator.press("mark.absent")
    annotator.after_revision(revision)
    notebook.save()
    annotator.expect(notebook.page.locator(".jp-mod-dirty")).to_have_count(0)
    notebook.page.reload()
    notebook.wait_until_idle()
    annotator = notebook.annotator().ready()
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-absent")).to_have_count(1)
    # The mask before the last change is known to a page that did not see it.
    annotator.stage.focus()
    notebook.page.keyboard.down("q")
    assert annotator.phase_when_painted() == "idle"
    notebook.page.keyboard.up("q")
    # Work that was not committed is there after a reload as well.
    annotator.show(3)
    dab(annotator, clip, 3)
    notebook.page.reload()
    notebook.wait_until_idle()
    annotator = notebook.annotator().ready()
    annotator.on_frame(3)
    annotator.draft("brush")
    assert annotator.phase_when_painted() == "idle"
    annotator.press("discard")
    annotator.draft("none")
    annotator.show(0)
    revision = annotator.revision()
    annotator.press("undo")
    annotator.after_revision(revision)
    assert annotator.phase_when_painted() == "idle"
    annotator.expect(annotator.root.locator(".ev-lane .ev-mark-drawn")).to_have_count(1)
    revision = annotator.revision()
    annotator.press("undo")
    annotator.after_revision(revision)
    assert notebook.value("len(annotator.session.annotations)") == 0
    assert notebook.path.stat().st_size < 100_000


def test_a_pass_from_python_shows_how_far_it_is_and_nothing_is_red(open_notebook, clip):
    first = clip.cell("progress.evavos", "")
    notebook = open_notebook(
        f"{first}",
        "import numpy\n"
        "mask = numpy.zeros(annotator.session.masks[0].shape, bool)\n"
        "mask[100:140, 100:140] = True\n"
        "annotator.session.annotate(2, mask, objects=[annotator.session.add_object()])\n"
        "annotator.session.propagate(frames=range(5))",
    )
    notebook.run_cell(0)
    annotator = notebook.annotator().ready()
    outputs = notebook.page.locator(".jp-OutputArea-output")
    annotator.expect(outputs.filter(has_text="Note: the weights")).to_have_count(1)
    notebook.run_cell(1)
    bar = outputs.filter(has_text="propagating")
    annotator.expect(bar).to_contain_text("100%")
    annotator.expect(notebook.page.locator('[data-mime-type$="stderr"]')).to_have_count(0)
    assert not notebook.errors


def test_two_views_of_one_session_agree_and_go_when_their_cell_is_run_again(start, clip):
    notebook, first, _ = start("annotator")
    notebook.run_cell(1)
    second = notebook.annotator(1).ready()
    dab(first, clip)
    first.commit()
    assert second.phase_when_painted() == "idle"
    second.expect(second.root.locator(".ev-lane .ev-mark-drawn")).to_have_count(1)
    first.show(4)
    second.on_frame(4)
    notebook.run_cell(1)
    notebook.annotator(1).ready()
    first.expect(notebook.page.locator(".evavos")).to_have_count(2)
    assert not notebook.errors


def seconds_until_told(notebook: Notebook, kernel: psutil.Process) -> float:
    """Kill a kernel; the seconds until the page says so, less what the page could not work in."""
    notebook.forget_kernel()
    notebook.page.evaluate(WATCH)
    killed = time.time()
    kernel.kill()
    notebook.page.wait_for_function("told.at !== null")
    told = notebook.page.evaluate("told")
    print(f"killed; told after {told['at'] / 1000 - killed:.2f} s, {told['late']} ms of it waiting")
    return told["at"] / 1000 - killed - told["late"] / 1000


#: A pass that holds its kernel busy from the sixth frame on.
WORKING = SLOW.replace("time.sleep(0.01)", "sum(range(100_000))")


@pytest.mark.parametrize("engine", [SLOW, WORKING], ids=["waiting", "working"])
def test_a_killed_kernel_is_told_within_two_seconds_and_loses_nothing_that_was_acknowledged(
    open_notebook, clip, lab, held_pass, request, engine
):
    session = f"{request.node.name}.evavos"
    options = ", propagator=Slow(), predictor='classical'"
    notebook = open_notebook(engine + clip.cell(session, options))
    notebook.run_cell(0)
    annotator = notebook.annotator().ready()
    for frame in (0, 7):
        annotator.show(frame)
        dab(annotator, clip, frame)
        annotator.commit()
    kernel = psutil.Process(notebook.value("__import__('os').getpid()"))
    annotator.press("job.start")
    annotator.phase("running")
    held_pass.reached()
    notice = annotator.root.locator("[data-notice]")
    annotator.expect(notice).to_have_count(0)
    assert seconds_until_told(notebook, kernel) <= 2
    annotator.expect(notice).to_contain_text("kernel")
    annotator.expect(notice).to_be_in_viewport()
    kernel.wait(PATIENCE_MS / 1000)
    with Session.open(lab.work / session) as again:
        assert sorted(again.annotations) == [0, 7]
        for frame in (0, 7):
            drawn = again.masks[frame] == 1
            assert drawn.any()
            assert (drawn & (clip.truth[frame] == 1)).any()
        assert again.can_undo == "mask on frame 7"


def test_a_broken_predictor_is_shown_and_the_brush_still_works(open_notebook, clip, lab, request):
    broken = (
        "from evavos_widget.loop import MaskPredictor\n"
        "class Broken(MaskPredictor):\n"
        "    name = 'broken'\n"
        "    def predict(self, image, prompts, *, key=None):\n"
        "        raise RuntimeError('the weights are for another model')\n"
    )
    cell = broken + clip.cell("broken.evavos", ", predictor=Broken()")
    notebook = open_notebook(cell)
    notebook.run_cell(0)
    annotator = notebook.annotator().ready()
    dab(annotator, clip)
    annotator.commit()
    annotator.press("tool.clicks")
    truth = clip.truth[0]
    annotator.click(truth.shape[1] / 2, truth.shape[0] / 2, truth)
    alert = annotator.root.locator(".ev-trouble")
    annotator.expect(alert).to_contain_text("the weights are for another model")
    annotator.draft("none")
    annotator.show(2)
    dab(annotator, clip, 2)
    annotator.commit()
    assert notebook.value("sorted(annotator.session.annotations)") == [0, 2]


def test_a_missing_video_is_named_in_the_cell(open_notebook):
    notebook = open_notebook("from evavos_widget import Annotator\nAnnotator('no/such.mp4')")
    notebook.run_cell(0)
    output = notebook.page.locator(".jp-OutputArea-output").first
    notebook.annotator().expect(output).to_contain_text("no/such.mp4")


def test_no_key_reaches_the_notebook(start):
    notebook, annotator, _ = start("1 + 1")
    cells = notebook.page.locator(".jp-Notebook .jp-Cell")
    annotator.stage.click()
    before = cells.count()
    for key in ("b", "d", "d", "m", "y", "j", "k", "]", "[", "ArrowDown", "Shift+Enter", "Escape"):
        notebook.page.keyboard.press(key)
        annotator.expect(annotator.stage).to_be_focused()
    notebook.page.keyboard.press("ArrowRight")
    annotator.on_frame(1)
    notebook.page.keyboard.press("Home")
    annotator.on_frame(0)
    annotator.expect(cells).to_have_count(before)
    annotator.expect(notebook.page.locator(".jp-MarkdownCell")).to_have_count(0)
    annotator.expect(cells.nth(1).locator(".jp-InputArea-prompt")).to_have_text("[ ]:")


COMPOSED = """\
import ipywidgets
back = ipywidgets.Button(description="To the start")
back.on_click(lambda button: setattr(annotator, "frame", 0))
shown = Annotator(annotator.session, read_only=True)
display(ipywidgets.VBox([back, ipywidgets.HBox([shown])]))"""


def test_a_view_for_showing_stands_among_other_widgets_and_changes_nothing(start, clip):
    notebook, annotator, _ = start(COMPOSED)
    notebook.run_cell(1)
    shown = notebook.annotator(1).ready()
    for name in ("tool.brush", "tool.clicks", "object.add", "job.start"):
        shown.expect(shown.root.locator(f'[data-action="{name}"]:enabled')).to_have_count(0)
    annotator.show(7)
    dab(annotator, clip, 7)
    annotator.commit()
    shown.expect().to_have_attribute("data-revision", str(annotator.revision()))
    shown.show(7)
    shown.phase_when_painted()
    revision = shown.revision()
    shown.stage.click()
    for key in ("Delete", "Control+z", "a", "2"):
        notebook.page.keyboard.press(key)
    notebook.page.get_by_role("button", name="To the start").click()
    annotator.on_frame(0)
    assert notebook.value("annotator.session.revision") == revision
    shown.on_frame(7)
