"""The policy explorer and a campaign in a real JupyterLab: fast, beside other work, kept."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from harness import axe_violations
from lab import iou

RECORD = """
import tempfile
from pathlib import Path
from evavos_widget import PolicyExplorer, RobotAnnotator, Session, embedded_clip
from evavos_widget.session import turn
clip = embedded_clip()
truth, robot = clip.ground_truth, RobotAnnotator(clip.ground_truth)
engines = {"propagator": "evavos_widget.testing:NearestCopy",
           "predictor": "evavos_widget.testing:Disks"}
path = Path(tempfile.mkdtemp()) / "recorded.evavos"
with Session(clip.video, path=path, annotation_selector="mask", **engines) as session:
    robot.begin_all(session)
    session.propagate()
    while len(session.rounds) < 20:
        turn(session, robot)
"""

EXPLORE = """
import threading
from evavos_widget import engines
from evavos_widget.testing import NearestCopy

gate = threading.Semaphore(0)

class Waiting(NearestCopy):
    # Each frame of a branch waits until the test lets it pass.
    name = "waiting"

    def propagate(self, *asked):
        for step in super().propagate(*asked):
            gate.acquire()
            yield step

engines.register("propagator", "waiting", Waiting)
recorded = Session.open(path, clip.video, read_only=True)
explorer = PolicyExplorer(
    recorded, ("uniform", "rule"), ground_truth=truth, propagator="waiting"
)

# The rounds that the page has asked for, with their maps.
mapped, inspection = set(), explorer._controller.inspection
draw = inspection.map
inspection.map = lambda n, obj: mapped.add(n) or draw(n, obj)
explorer
"""

#: Goes to a round by a click and waits until the page shows it, with all that it says of it;
#: for how many milliseconds, and whether it had to look at the round first.
REACT = """
async ([root, n]) => {
  const button = root.querySelectorAll(".evp-rounds button")[n];
  const summary = root.querySelector(".evp-summary");
  const before = summary.textContent;
  const started = performance.now();
  let looked = false;
  button.click();
  do {
    await new Promise(requestAnimationFrame);
    looked ||= summary.textContent.startsWith("Looking");
  } while (summary.textContent === before || summary.textContent.startsWith("Looking"));
  return [performance.now() - started, looked];
}
"""

WAITS = """
root => {
  const state = [...root.querySelectorAll(".evp-rounds button")];
  return state.length === 21 && root.querySelectorAll(".evp-table").length >= 2;
}
"""


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect

    return expect(locator)


@pytest.fixture
def panel(open_notebook):
    notebook = open_notebook(RECORD, EXPLORE, height=1200)
    notebook.run_cell(0)
    notebook.wait_until_idle()
    notebook.run_cell(1)
    root = notebook.page.locator(".evavos").first
    expect(root).to_have_attribute("data-evavos-ready", "true")
    yield notebook, root
    assert notebook.errors == []


def test_the_panel_of_twenty_rounds_reacts_at_once(panel, picture, record_property):
    notebook, root = panel
    expect(root.locator(".evp-rounds button")).to_have_count(21)
    expect(root.locator("section[aria-label='Two policies']")).to_contain_text("disagree first")
    notebook.page.wait_for_function(WAITS, arg=root.element_handle())
    # Every round is heard of before somebody goes there, and kept.
    notebook.until("len(mapped) == 21")
    reactions = [root.evaluate(f"(root) => ({REACT})([root, {n}])") for n in (*range(20), 7, 19, 3)]
    # No time is asserted: the machine may do anything else meanwhile. 100 ms are the aim.
    took = [milliseconds for milliseconds, _ in reactions]
    record_property("reaction_median_ms", round(statistics.median(took), 1))
    print("reaction, ms:", [round(t) for t in took])
    assert not any(looked for _, looked in reactions[-3:])
    assert sum(looked for _, looked in reactions) <= 1, "of the last, the reply may be on its way"
    # By keys too.
    root.locator(".evp-rounds button[tabindex='0']").focus()
    notebook.page.keyboard.press("ArrowRight")
    expect(root.locator(".evp-rounds button").nth(4)).to_be_focused()
    strip = root.get_by_role("slider", name="Frame")
    strip.focus()
    notebook.page.keyboard.press("Home")
    expect(strip).to_have_attribute("aria-valuenow", "0")
    notebook.page.keyboard.press("Shift+ArrowRight")
    expect(strip).to_have_attribute("aria-valuenow", "10")
    expect(root.locator(".evp-picture figcaption")).to_contain_text("Frame 10: predicted")
    place = root.locator(".evp-place[data-frame='2']")
    place.click(force=True)
    assert notebook.value("explorer.frame") is not None
    assert axe_violations(notebook.page) == []
    picture("policy", root)
    notebook.python("explorer.theme = 'dark'")
    expect(root).to_have_attribute("data-theme", "dark")
    assert axe_violations(notebook.page) == []


#: A mask in the size of a picture that is 320 pixels wide, as text of 0 and 1.
SMALL = """
import cv2
def small(n, frame, obj):
    mask = inspection.mask(n, frame, obj).astype("float32")
    height, width = mask.shape
    size = 320, round(320 * height / width)
    return "".join(str(int(v > 0.5)) for v in cv2.resize(mask, size, interpolation=3).ravel())
"""

PIXELS = """
canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]
"""


def test_the_mask_that_the_policy_saw_lies_over_the_picture(panel):
    notebook, root = panel
    notebook.python(SMALL)
    canvas = root.locator(".evp-picture canvas")
    toggle = root.get_by_role("button", name="Mask", exact=True)

    def pixels(frame: int, masked: bool) -> np.ndarray:
        expect(canvas).to_have_attribute("data-frame", str(frame))
        expect(canvas).to_have_attribute("data-masked", str(masked).lower())
        return np.array(canvas.evaluate(PIXELS), float).reshape(-1, 4)[:, :3]

    for n in (4, 9):
        root.locator(".evp-rounds button").nth(n).click()
        notebook.until(f"explorer.round == {n}")
        frame, obj = notebook.value("[explorer.frame, explorer.object]")
        with_mask = pixels(frame, True)
        toggle.click()
        expect(toggle).to_have_attribute("aria-pressed", "false")
        without = pixels(frame, False)
        toggle.click()
        seen = np.abs(with_mask - without).max(axis=1) > 8
        before, after = (
            np.array(list(notebook.value(f"small({m}, {frame}, {obj})"))) == "1" for m in (n, n + 1)
        )
        assert iou(seen, before) > 0.9, "the mask of the state before the round"
        assert iou(seen, after) < iou(seen, before), "which the annotation of the round changed"
        color = notebook.value(f"[o.color for o in recorded.objects if o.id == {obj}][0]")
        mixed = (without + [int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 2
        assert np.median(np.abs(with_mask - mixed)[before]) < 3, "in the colour of the object"


def test_what_if_runs_beside_everything_else(panel):
    notebook, root = panel
    root.locator(".evp-rounds button").nth(4).click()
    root.get_by_role("slider", name="Frame").focus()
    notebook.page.keyboard.press("Home")
    for _ in range(5):  # a frame that nobody has annotated by then
        notebook.page.keyboard.press("ArrowRight")
    root.get_by_label("Type of annotation").select_option("mask")
    try_it = root.get_by_role("button", name="Try it")
    try_it.click()
    expect(root.get_by_role("progressbar", name="Frames of the branch")).to_be_visible()
    # The branch waits at the gate; the page goes on, and so does the kernel.
    root.evaluate(f"(root) => ({REACT})([root, 9])")
    assert notebook.value("6 * 7") == 42
    assert notebook.value("len(explorer.branches)") == 0
    root.get_by_role("button", name="Give it up").click()
    notebook.python("gate.release(2)")
    expect(root.locator(".evp-what-if")).to_contain_text("given up")
    root.locator(".evp-rounds button").nth(4).click()
    notebook.python("gate.release(1000)")
    try_it.click()
    expect(root.locator(".evp-what-if .evp-table tbody tr")).to_have_count(2)
    [gain] = notebook.value("[b.gain for b in explorer.branches]")
    expect(root.locator(".evp-what-if .evp-table tbody tr").nth(1)).to_contain_text(
        f"{abs(gain):.3f}"
    )


CAMPAIGN = """
from evavos_widget import Campaign, CampaignView, RobotAnnotator, Video, embedded_clip
clip = embedded_clip()
videos = {}
for k in range(10):
    frames = [clip.video.frame(f) for f in range(2 * k % 7, 2 * k % 7 + 6)]
    videos[f"clip-{k}"] = __import__("numpy").stack(frames)
robots = {
    f"clip-{k}": RobotAnnotator({n: clip.ground_truth[2 * k % 7 + n] for n in range(6)})
    for k in range(10)
}
engines = {"propagator": "evavos_widget.testing:NearestCopy",
           "predictor": "evavos_widget.testing:Disks"}
campaign = Campaign(videos, "ten.campaign", target=1.0, **engines)
view = CampaignView(campaign)
view
"""


def test_a_campaign_of_ten_videos_goes_through_a_kernel_restart(open_notebook, picture):
    notebook = open_notebook(CAMPAIGN, height=1400)
    notebook.run_cell(0)
    queue = notebook.page.locator(".evavos[aria-label='Campaign']")
    expect(queue).to_have_attribute("data-evavos-ready", "true")
    expect(queue.locator("li")).to_have_count(10)
    assert axe_violations(notebook.page) == []
    notebook.python("for _ in range(12): campaign.turn(robots.__getitem__)")
    expect(queue.locator("li[data-status='open']")).to_have_count(10)
    first = notebook.value("campaign.next().video")
    go_on = queue.get_by_role("button", name=f"Go on with {first}")
    expect(go_on).to_be_visible()
    go_on.click()
    annotator = notebook.page.locator(".evavos:has(.ev-stage)")
    expect(annotator).to_have_attribute("data-evavos-ready", "true")
    assert notebook.value("view.annotator.session is campaign.session(campaign.next().video)")
    expect(queue.locator("li[aria-current]")).to_have_attribute("data-video", first)
    picture("campaign", queue)
    # Another one takes its place; the first is saved.
    queue.get_by_role("button", name="Open clip-9", exact=True).click()
    expect(queue.locator("li[aria-current]")).to_have_attribute("data-video", "clip-9")
    expect(annotator).to_have_count(1)
    before = notebook.value(
        "sorted([(s.video, s.status, s.rounds, s.seconds) for s in campaign.standings()])"
    )
    queue.get_by_role("button", name="clip-9 is finished").click()
    expect(queue.locator("li[data-video='clip-9']")).to_have_attribute("data-status", "finished")
    notebook.restart_kernel()
    notebook.run_cell(0)
    expect(queue).to_have_attribute("data-evavos-ready", "true")
    expect(queue.locator("li[data-status='open']")).to_have_count(9)
    after = notebook.value(
        "sorted([(s.video, s.status, s.rounds, s.seconds) for s in campaign.standings()])"
    )
    assert after == [[v, "finished" if v == "clip-9" else s, *rest] for v, s, *rest in before]
    notebook.python("assert campaign.turn(robots.__getitem__) is not None")
    assert notebook.errors == []
