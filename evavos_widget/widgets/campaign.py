"""A campaign in a notebook cell: the queue of its videos, and the annotator of the one in hand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, get_args

import ipywidgets
import traitlets

from evavos_widget.campaign import Campaign
from evavos_widget.widgets.annotator import Annotator
from evavos_widget.widgets.bundle import page
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.frames import thumbnail
from evavos_widget.widgets.host import Host
from evavos_widget.widgets.hosted import HostedWidget
from evavos_widget.widgets.options import Theme
from evavos_widget.widgets.requests import Handler, Reply, Request, Runs

__all__ = ["CampaignView"]

_log = logging.getLogger(__name__)

THUMBNAIL = 160
"""Pixels across a picture of the queue."""


class CampaignQueue(HostedWidget):
    """The list of a campaign's videos, the one to go on with first; `CampaignView` makes it.

    Parameters
    ----------
    campaign : Campaign
    open_video : callable
        Shows the annotator of a video.
    theme : {'auto', 'light', 'dark'}
    """

    theme = traitlets.Enum(get_args(Theme), "auto").tag(sync=True)

    def __init__(
        self, campaign: Campaign, open_video: Callable[[str], None], theme: Theme = "auto"
    ) -> None:
        super().__init__(**page("campaign"), theme=theme)
        self._campaign, self._open_video = campaign, open_video
        self._shown: str | None = None
        self._pictures: dict[str, bytes] = {}
        host = Host(
            catalogue("campaign"),
            self.send,
            state=self._state,
            catch_up=lambda: host.note("state"),
        )
        host.serve(
            {
                "campaign.open": Handler(self._open, changes=True),
                "campaign.finish": Handler(self._finish, changes=True),
                "thumb.get": Handler(self._thumbnail, runs=Runs.ASIDE),
            }
        )
        self._prices: Iterator[str] | None = campaign.pricing()
        host.background = self
        self._unsubscribe: Callable[[], None] = campaign.subscribe(host.note_change)
        self._host = host.start()

    def show(self, name: str | None) -> None:
        """Mark the video that is in the annotator."""
        self._shown = name
        if self._host is not None:
            self._host.note_change()

    def close(self) -> None:
        """Stop, and remove the views; the campaign stays open."""
        if self._host is not None:
            self._unsubscribe()
        super().close()

    # The host's background: what the agent begins new videos with, one at a time -------------

    def due(self) -> bool:
        """Whether there may be a video of which that is not known."""
        return self._prices is not None

    def advance(self) -> None:
        """Find it out of one more."""
        assert self._prices is not None
        try:
            found = next(self._prices, None)
        except Exception:
            _log.exception("what new videos begin with could not be kept")
            found = None
        if found is None:
            self._prices = None
        elif self._host is not None:
            self._host.note_change()

    def drop(self) -> None:
        """Leave the others."""
        self._prices = None

    # What the views are told, and their requests, on the worker ---------------------------

    def _state(self) -> dict[str, Any]:
        campaign = self._campaign
        following = campaign.next(wait=False)
        return {
            "entries": [asdict(standing) for standing in campaign.standings(wait=False)],
            "next": following.video if following else None,
            "open": self._shown,
            "seconds": campaign.seconds,
            "budget": campaign.budget,
            "target": campaign.target,
            "measured": campaign.error.n,
        }

    def _open(self, request: Request) -> Reply:
        self._open_video(request.fields.text("video"))
        return {}, []

    def _finish(self, request: Request) -> Reply:
        fields = request.fields
        self._campaign.finish(fields.text("video"), fields.flag("finished"))
        return {}, []

    def _thumbnail(self, request: Request) -> Reply:
        name = request.fields.text("video")
        if name not in self._pictures:
            self._pictures[name] = thumbnail(self._campaign.video(name), 0, THUMBNAIL)
        return {"mime": "image/jpeg"}, [self._pictures[name]]


class CampaignView(ipywidgets.VBox):
    """Work through a campaign in a notebook cell.

    The queue says which video to go on with, where in it, what that promises and why; opening one
    shows its annotator under the queue. Run the cell again after a restart, and it goes on where it
    was.

    Parameters
    ----------
    campaign : Campaign
    theme : {'auto', 'light', 'dark'}
        ``'auto'`` follows the notebook.
    **options
        For the annotators, as for `Annotator`; what belongs to sessions is the campaign's.

    Attributes
    ----------
    campaign : Campaign
    annotator : Annotator or None
        Of the video in hand.

    Examples
    --------
    The last line of a cell shows it.

    >>> from evavos_widget import Campaign, embedded_clip
    >>> videos = {"morning": embedded_clip().video, "evening": embedded_clip().video}
    >>> view = CampaignView(Campaign(videos, "clips.campaign"))
    >>> view.open_video("evening")
    >>> view.annotator.session.video
    <Video 'coffee-break': 60 frames of 854 x 480>
    >>> view.campaign.close()
    """

    annotator: Annotator | None = None

    def __init__(self, campaign: Campaign, *, theme: Theme = "auto", **options: Any) -> None:
        self.campaign = campaign
        self._options = {"theme": theme, **options}
        self._let_go: Callable[[], None] = lambda: None  # of the video that is shown
        self._queue = CampaignQueue(campaign, self.open_video, theme)
        super().__init__(children=(self._queue,))

    def open_video(self, name: str) -> None:
        """Show the annotator of a video.

        Raises
        ------
        KeyError
            There is no such video.
        """
        session = self.campaign.session(name)
        let_go, self._let_go = self._let_go, self.campaign.hold(name)
        let_go()
        before, self.annotator = self.annotator, Annotator(session, **self._options)
        self.children = (self._queue, self.annotator)
        if before is not None:
            before.close()
        self._queue.show(name)

    def close(self) -> None:
        """Remove the views, and let the campaign go; it stays open."""
        # First, since a video that was asked for is still opened.
        self._queue.close()
        annotator, self.annotator = self.annotator, None
        if annotator is not None:
            annotator.close()
            self._let_go()
        super().close()
