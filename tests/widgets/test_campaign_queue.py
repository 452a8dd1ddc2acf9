"""The queue of a campaign without a browser: what it says, and the annotator that it opens."""

from __future__ import annotations

import numpy as np
import pytest
from fake_page import Page

from evavos_widget.campaign import Campaign
from evavos_widget.loop import AnnotationChoice, AnnotationSelector
from evavos_widget.robot.annotator import RobotAnnotator
from evavos_widget.widgets.campaign import CampaignView

ENGINES = {
    "propagator": "evavos_widget.testing:NearestCopy",
    "predictor": "evavos_widget.testing:Disks",
}


@pytest.fixture
def campaign(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (6, 24, 32, 3), np.uint8)
    videos = {name: frames.copy() for name in ("a", "b", "c")}
    with Campaign(videos, tmp_path / "c", target=1.0, **ENGINES) as campaign:
        yield campaign


@pytest.fixture
def shown(campaign):
    view, page = CampaignView(campaign), Page()
    view._queue._host._send_message = page.receive
    page.handle = view._queue._host.handle
    yield view, page
    view.close()


def test_opening_a_video_shows_its_annotator_and_takes_the_last_one_away(campaign, shown):
    view, page = shown
    state = page.hello()["state"]
    assert [entry["video"] for entry in state["entries"]] == ["a", "b", "c"]
    assert state["next"] == "a"
    page.ask("campaign.open", video="b")
    first = view.annotator
    assert first.session is campaign.session("b")
    assert view.children[-1] is first
    page.ask("campaign.open", video="c")
    assert view.children[-1] is view.annotator is not first
    assert view.annotator.session is campaign.session("c")
    assert page.hello()["state"]["open"] == "c"
    assert "no video 'd'" in page.error("campaign.open", video="d")["message"]
    _, [picture] = page.reply(page.post("thumb.get", video="a"))
    assert picture[:2] == b"\xff\xd8"


class ClicksFirst(AnnotationSelector):
    """Begins every video with clicks."""

    name = "clicks-first"

    def first_type(self, state) -> str:
        return "clicks"

    def select(self, state, choice) -> AnnotationChoice:
        return AnnotationChoice("mask", 80.0, 0.1, "always")


def test_the_queue_finds_out_what_an_agent_begins_with(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (6, 24, 32, 3), np.uint8)
    chosen = {**ENGINES, "annotation_selector": ClicksFirst(), "first": "agent"}
    with Campaign(dict.fromkeys(("a", "b"), frames), tmp_path / "c", **chosen) as campaign:
        page = Page()
        view = CampaignView(campaign)
        view._queue._host._send_message = page.receive
        page.handle = view._queue._host.handle
        first = page.hello()["state"]  # before the first price is known, or after the last

        def priced() -> bool:
            states = [first, *(push["state"] for push in page.of_kind("state"))]
            return [e["kind"] for e in states[-1]["entries"]] == ["clicks", "clicks"]

        page.wait(priced)
        view.close()


def test_what_is_done_in_the_annotator_is_seen_in_the_queue(campaign, shown):
    view, page = shown
    page.hello()
    page.ask("campaign.open", video="b")
    labels = np.zeros((24, 32), np.uint8)
    labels[4:12, 4:12] = 1
    RobotAnnotator(dict.fromkeys(range(6), labels)).begin_all(view.annotator.session)
    view.annotator.session.propagate()

    def told() -> bool:
        states = page.of_kind("state")
        return bool(states) and any(
            (e["video"], e["status"], e["rounds"]) == ("b", "open", 1)
            for e in states[-1]["state"]["entries"]
        )

    page.wait(told)
    page.ask("campaign.finish", video="b", finished=True)
    assert page.hello()["state"]["entries"][-1]["video"] == "b"
