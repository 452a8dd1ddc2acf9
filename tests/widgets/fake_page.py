"""What a browser page does, without a browser."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from small_engines import PATIENCE

from evavos_widget.masks import decode_runs, encode_runs

N_FRAMES, HEIGHT, WIDTH = 12, 48, 64

DRAWN_ON_0 = {"frame": 0, "objects": [1], "absent": [], "corrected": [], "verified": []}


class Page:
    """What a browser page does: asks, waits for replies, takes pushes, acknowledges them."""

    def __init__(self, view: str = "page", acknowledges: bool = True) -> None:
        self.view = view
        self.acknowledges = acknowledges
        self.handle: Callable[[dict[str, Any], list[Any]], None]
        self.replies: dict[str, tuple[dict[str, Any], list[bytes]]] = {}
        self.order: list[str] = []
        self.pushes: list[tuple[dict[str, Any], list[bytes]]] = []
        self.unasked: list[dict[str, Any]] = []
        self.senders: set[str] = set()
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    def receive(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if content.get("view", self.view) != self.view:
            return
        if "id" in content and content["id"] is None:
            self.unasked.append(content)
            return
        if "id" in content and not str(content["id"]).startswith(self.view):
            return
        with self._changed:
            self.senders.add(threading.current_thread().name)
            if "push" in content:
                self.pushes.append((content, buffers))
            else:
                assert content["id"] not in self.replies, "a request has one reply"
                self.replies[content["id"]] = (content, buffers)
                self.order.append(content["id"])
            self._changed.notify_all()
        if "push" in content and self.acknowledges:
            self.handle(
                {"v": 1, "id": None, "kind": "ack", "view": self.view, "push": content["push"]}, []
            )

    def post(self, kind: str, buffers: list[Any] | None = None, **fields: Any) -> str:
        request_id = f"{self.view}:{next(self._numbers)}"
        self.handle({"v": 1, "id": request_id, "kind": kind, **fields}, buffers or [])
        return request_id

    def reply(self, request_id: str) -> tuple[dict[str, Any], list[bytes]]:
        self.wait(lambda: request_id in self.replies)
        return self.replies[request_id]

    def ask(self, kind: str, buffers: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
        content, _ = self.reply(self.post(kind, buffers, **fields))
        assert content["ok"], content
        return content

    def error(self, kind: str, buffers: list[Any] | None = None, **fields: Any) -> dict[str, str]:
        content, _ = self.reply(self.post(kind, buffers, **fields))
        assert content["ok"] is False
        return content["error"]

    def hello(self) -> dict[str, Any]:
        return self.ask("hello", view=self.view)

    def commit(self, frame: int, mask: np.ndarray, obj: int = 1, **fields: Any) -> str:
        fields = {
            "annotation_type": "mask",
            "seconds": 2.5,
            "clicks": [],
            "others": "ask",
            **fields,
        }
        return self.post("mask.commit", [runs_of(mask)], frame=frame, object=obj, **fields)

    def wait(self, true: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(true, timeout=PATIENCE), (self.order, self.pushes[-3:])

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [content for content, _ in self.pushes if content["kind"] == kind]

    def last_state(self) -> dict[str, Any]:
        """The state that was pushed last; the first one is waited for."""
        self.wait(lambda: bool(self.of_kind("state")))
        return self.of_kind("state")[-1]["state"]

    def wait_for_job(self, phase: str, **fields: Any) -> dict[str, Any]:
        """The first job push from now on, or the latest before, with these fields."""

        def matches() -> bool:
            jobs = self.of_kind("job")
            return bool(jobs) and {**jobs[-1]["job"], "phase": phase, **fields} == jobs[-1]["job"]

        self.wait(matches)
        return self.of_kind("job")[-1]["job"]

    def masks(self) -> dict[int, np.ndarray]:
        """The pushed mask of every frame; as in the page, no newer one gives way to an older."""
        newest: dict[int, int] = {}
        result = {}
        for content, buffers in self.pushes:
            if content["kind"] == "mask.update":
                for place in content["masks"]:
                    if place["revision"] > newest.get(place["frame"], -1):
                        newest[place["frame"]] = place["revision"]
                        result[place["frame"]] = mask_at(place, buffers)
        return result


def runs_of(mask: np.ndarray) -> bytes:
    return encode_runs(mask.astype(np.uint8)).astype("<u4").tobytes()


def mask_at(place: dict[str, int], buffers: list[bytes]) -> np.ndarray:
    runs = np.frombuffer(buffers[0], "<u4")[place["offset"] :][: place["length"]]
    return decode_runs(runs, (HEIGHT, WIDTH))


def square(x: int = 10, y: int = 8, size: int = 12) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + size, x : x + size] = True
    return mask
