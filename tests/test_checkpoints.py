from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evavos_widget import checkpoints
from evavos_widget.checkpoints import (
    CHECKPOINTS,
    Checkpoint,
    Download,
    WeightsError,
    expected_sha256,
    find,
    place,
    weights_file,
)
from evavos_widget.cli import main
from evavos_widget.files import replacing


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a release that has weights called ``small``."""
    file = tmp_path / "small.safetensors"
    file.write_bytes(b"weights" * 100)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(checkpoints, "CHECKPOINTS", {"small": Checkpoint(file.name, digest, "MIT")})
    return file


def test_released_weights_are_found(released: Path) -> None:
    assert find("small") == released


def test_weights_that_were_changed_cut_or_lost_are_refused(released: Path) -> None:
    whole = released.read_bytes()
    for wrong in (whole[:-1], b"W" + whole[1:]):
        released.write_bytes(wrong)
        with pytest.raises(WeightsError, match=r"damaged.*install the package again"):
            find("small")
    released.unlink()
    with pytest.raises(WeightsError, match="missing"):
        find("small")


def test_weights_that_do_not_come_with_the_release_are_named() -> None:
    with pytest.raises(WeightsError, match=r"'large'.*weights=PATH"):
        find("large")


def test_every_released_file_is_the_one_in_the_table() -> None:
    for name in CHECKPOINTS:
        assert find(name).is_file()


class Server(http.server.ThreadingHTTPServer):
    """Serves one file; `cut` makes it hang up half-way, `ranges` that it can go on later.

    The second half is sent when `goes_on` is set.
    """

    content = bytes(range(256)) * 1000
    cut = False
    ranges = True
    page = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str | None] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/small.pth"


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        self.send_response(206 if start else 200)
        rest = self.server.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        kind = "text/html; charset=utf-8" if self.server.page else "application/octet-stream"
        self.send_header("Content-Type", kind)
        self.end_headers()
        half = len(rest) // 2
        self.wfile.write(rest[:half])
        self.server.goes_on.wait(60)
        if not self.server.cut:
            self.wfile.write(rest[half:])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("EVAVOS_CACHE", str(tmp_path / "cache"))
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        entry = Download("small.pth", server.url, len(server.content), None, "MIT", "nothing")
        monkeypatch.setattr(checkpoints, "DOWNLOADS", {"small": entry})
        yield server
        server.shutdown()


def test_weights_are_downloaded_once_and_then_have_the_hash_of_then(server: Server) -> None:
    file = weights_file("small")
    assert file == place("small")
    assert file.read_bytes() == server.content
    assert weights_file("small") == file
    assert len(server.asked) == 1
    assert expected_sha256("small") == hashlib.sha256(server.content).hexdigest()
    file.write_bytes(server.content[:-1])
    with pytest.raises(WeightsError, match=r"damaged.*remove 'small\.pth' from .*sha256\.json"):
        weights_file("small")
    file.unlink()
    server.content = server.content[::-1]
    with pytest.raises(WeightsError, match="damaged"):
        weights_file("small")


def test_a_file_of_another_size_is_not_taken_for_the_first_download(server: Server) -> None:
    whole, server.content = server.content, b"the file has moved"
    with pytest.raises(WeightsError, match=r"18 bytes for the weights small\.pth"):
        weights_file("small")
    assert expected_sha256("small") is None
    server.content = whole
    assert weights_file("small").read_bytes() == whole


def test_where_nobody_shows_the_size_a_small_file_is_not_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Download("small.pth", server.url, None, None, "MIT", "nothing")
    monkeypatch.setattr(checkpoints, "DOWNLOADS", {"small": entry})
    with pytest.raises(WeightsError, match=r"256000 bytes .* not 1000000 or more"):
        weights_file("small")
    assert expected_sha256("small") is None
    server.content *= 4
    assert weights_file("small").read_bytes() == server.content


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, ranges: bool) -> None:
    server.cut, server.ranges = True, ranges
    with pytest.raises(WeightsError, match=r"cannot be downloaded"):
        weights_file("small")
    assert not place("small").exists()
    server.cut = False
    assert weights_file("small").read_bytes() == server.content
    assert server.asked == [None, "bytes=65536-"]
    assert [f.name for f in place("small").parent.iterdir() if f.suffix == ".part"] == []


def test_two_processes_that_want_the_same_file_download_it_once(server: Server) -> None:
    server.goes_on.clear()
    program = (
        "import sys; from pathlib import Path; from evavos_widget.downloads import fetch\n"
        "print('begins', flush=True); fetch(sys.argv[1], Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, server.url, str(place("small"))]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
    time.sleep(2)  # enough for both to ask, if both did; otherwise it decides nothing
    server.goes_on.set()
    assert [process.wait(60) for process in both] == [0, 0]
    assert place("small").read_bytes() == server.content
    assert server.asked == [None]


def test_two_that_record_a_hash_at_once_lose_none(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {
        name: Download(f"{name}.pth", server.url, len(server.content), None, "MIT", "nothing")
        for name in ("one", "two")
    }
    monkeypatch.setattr(checkpoints, "DOWNLOADS", entries)
    place("one").parent.mkdir(parents=True)
    for name in entries:
        place(name).write_bytes(server.content)
    other = threading.Thread(target=checkpoints.verify, args=["two"])

    @contextmanager
    def slowly(path: Path) -> Iterator[Path]:
        monkeypatch.setattr(checkpoints, "replacing", replacing)
        other.start()
        other.join(2)  # enough to write, if it did; otherwise it decides nothing
        with replacing(path) as new:
            yield new

    monkeypatch.setattr(checkpoints, "replacing", slowly)
    digest = checkpoints.verify("one")
    other.join()
    assert [expected_sha256(name) for name in entries] == [digest] * 2


def test_of_two_that_record_another_hash_of_a_file_one_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_file("small")
    first = expected_sha256("small")
    place("small").write_bytes(server.content[::-1])
    with monkeypatch.context() as patch:  # as where it was not yet recorded when this one asked
        patch.setattr(checkpoints, "expected_sha256", lambda name: None)
        with pytest.raises(WeightsError, match="damaged or not the ones"):
            checkpoints.verify("small")
    assert json.loads(checkpoints._records().read_text()) == {"small.pth": first}


@pytest.mark.parametrize("torn", ["", '{"small.pth": "ab', "[1]", "\0" * 80], ids=range(4))
def test_a_torn_record_of_hashes_is_made_anew(server: Server, torn: str) -> None:
    weights_file("small")
    digest = expected_sha256("small")
    checkpoints._records().write_text(torn)
    with pytest.warns(UserWarning, match=r"sha256\.json cannot be read"):
        assert weights_file("small").read_bytes() == server.content
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert expected_sha256("small") == digest
        weights_file("small")


def test_a_page_in_place_of_a_file_is_not_taken_for_weights(server: Server) -> None:
    server.page = True
    with pytest.raises(WeightsError, match="sent a page"):
        weights_file("small")
    assert not place("small").exists()


def test_without_a_network_the_file_its_source_and_its_place_are_named(server: Server) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(WeightsError) as told:
        weights_file("small")
    for named in ("small.pth", server.url, str(place("small")), "give a file by its path"):
        assert named in str(told.value)
    file = place("small")
    file.write_bytes(server.content[:100_000])  # as the message says, but not all of it
    with pytest.raises(WeightsError, match=r"100000 bytes for the weights small\.pth"):
        weights_file("small")
    file.write_bytes(server.content)
    assert weights_file("small") == file


def test_a_file_by_its_path_needs_no_table(server: Server, tmp_path: Path) -> None:
    own = tmp_path / "own.pth"
    own.write_bytes(b"mine")
    assert weights_file(own) == own
    with pytest.raises(WeightsError, match=r"no weights at .*none\.pth.*'small'"):
        weights_file(tmp_path / "none.pth")
    assert server.asked == []


def test_models_are_listed_found_downloaded_and_verified(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert "small" in listed
    assert server.url in listed
    assert "free" in listed
    assert main(["models", "verify"]) == 0
    assert "small" not in capsys.readouterr().out
    assert main(["models", "download", "small"]) == 0
    assert main(["models", "path", "small"]) == 0
    assert capsys.readouterr().out.split() == [str(place("small"))] * 2
    place("small").write_bytes(b"else")
    assert main(["models", "verify"]) == 1
    assert "small.pth are damaged" in capsys.readouterr().err
    assert main(["models", "path", "smaller"]) == 1
    assert "choose from" in capsys.readouterr().err


def test_the_table_says_what_everybody_must_know() -> None:
    for name, entry in checkpoints.DOWNLOADS.items():
        assert entry.url.startswith("https://"), name
        assert entry.licence, name
        assert entry.trained, name
        assert entry.size is None or entry.size > 0, name
