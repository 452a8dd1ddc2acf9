"""A widget that shows the frames of a video: a host, a page, and nothing more."""

from pathlib import Path
from typing import Any

import traitlets

from evavos_widget.video import Video
from evavos_widget.widgets.catalogue import catalogue
from evavos_widget.widgets.frames import describe
from evavos_widget.widgets.host import Host
from evavos_widget.widgets.hosted import HostedWidget


class Viewer(HostedWidget):
    """Shows a frame of `source`, with the page that was bundled into the folder `page`."""

    video = traitlets.Dict().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)

    def __init__(self, source: Any, page: Path) -> None:
        video = Video.open(source)
        script, style = ((page / f"viewer.{kind}").read_text() for kind in ("js", "css"))
        super().__init__(_esm=script, _css=style, video=describe(video))
        self._host = Host(catalogue(), self.send, video=video).start()
