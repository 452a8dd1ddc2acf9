"""A widget behind a host: the one place where the comm of a notebook meets it."""

from __future__ import annotations

from typing import Any

import traitlets
from anywidget import AnyWidget

from evavos_widget.widgets.host import Host

__all__ = ["HostedWidget"]


class HostedWidget(AnyWidget):
    """Hands what its pages send to a `Host`, and closes that with itself.

    A subclass gives the code of its page as ``_esm`` and ``_css``, as text: what anywidget is
    given as a path keeps every widget alive that reads it. Its last step is to set ``_host``.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    _host: Host | None = None

    def _handle_custom_msg(self, content: Any, buffers: list[Any]) -> None:
        if self._host is not None:
            self._host.handle(content, buffers)

    def close(self) -> None:
        """Stop answering, and remove the views."""
        host, self._host = self._host, None
        if host is not None:
            host.close()
        super().close()
