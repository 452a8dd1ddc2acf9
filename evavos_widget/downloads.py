"""Files from the network: with a progress bar, and taken up where they were interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evavos_widget.files import exclusive

__all__ = ["fetch"]

BLOCK = 2**16
"""Bytes written at once; of what comes after the last block an interrupted download keeps none."""

PATIENCE = 30
"""Seconds without an answer after which a server counts as gone."""


def fetch(url: str, path: Path) -> None:
    """Download a file; what there is of it is kept beside it until it is complete.

    Of several processes that want the same file, one downloads it and the others wait.

    Raises
    ------
    OSError
        There is no network, the server has no such file, or the disk is full.
    """
    import pooch
    import requests

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    pooch.get_logger().setLevel("WARNING")  # the progress bar says it all

    def downloader(url: str, output: Any, _: Any, *, check_only: bool | None = False) -> None:
        _go_on(part, url, output)  # which pooch deletes after a failure

    try:
        with exclusive(path):
            pooch.retrieve(url, None, path.name, path.parent, downloader=downloader)  # type: ignore[arg-type]
    except requests.RequestException as error:  # some of them are no OSError
        raise OSError(str(error) or type(error).__name__) from error


def _go_on(part: Path, url: str, output: str) -> None:
    """Download the rest of `part`, and move it to `output`."""
    import requests
    from tqdm.auto import tqdm

    start = part.stat().st_size if part.exists() else 0
    asked = {"Range": f"bytes={start}-"} if start else {}
    with requests.get(url, headers=asked, stream=True, timeout=PATIENCE) as answer:
        if answer.status_code == requests.codes.range_not_satisfiable:
            if answer.headers.get("Content-Range") != f"bytes */{start}":  # else it is complete
                part.unlink()
                raise OSError("what there was of it is of another file; try again")
        else:
            answer.raise_for_status()
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                raise OSError("the server sent a page in place of the file")
            if answer.status_code != requests.codes.partial_content:  # a server that starts over
                start = 0
            total = start + int(answer.headers.get("Content-Length", 0)) or None
            with (
                part.open("ab" if start else "wb") as file,
                tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem) as bar,
            ):
                for block in answer.iter_content(BLOCK):
                    bar.update(file.write(block))
    os.replace(part, output)
