from __future__ import annotations

from PIL import Image

from evavos_widget.cli import main


def test_demo_leaves_pictures_masks_and_a_table(tmp_path, capsys):
    assert main(["demo", "--output", str(tmp_path / "out"), "--rounds", "1"]) == 0
    table = capsys.readouterr().out
    assert "J&F" in table
    assert len(list((tmp_path / "out/masks").rglob("*.png"))) == 60
    for name in ("before.png", "after.png", "curve.png"):
        Image.open(tmp_path / "out" / name).verify()
    assert (tmp_path / "out/overlay.mp4").stat().st_size > 10_000
