from __future__ import annotations

import struct
import warnings
import zlib
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evavos_widget.formats import import_masks
from evavos_widget.label_folder import LabelFolder
from evavos_widget.masks import davis_palette, read_label_png, write_label_png
from evavos_widget.video import Video

HEIGHT, WIDTH = 48, 64


def box(top: int, bottom: int, left: int, right: int, value: int = 1) -> np.ndarray:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[top:bottom, left:right] = value
    return labels


ONE, TWO = box(5, 20, 5, 20), box(30, 40, 30, 60, 2)


@pytest.fixture
def video() -> Video:
    return Video.open(np.zeros((4, HEIGHT, WIDTH, 3), np.uint8))


def read(tmp_path: Path, video: Video, *masks: np.ndarray | Image.Image, **options) -> list:
    """The label maps of masks that are written as one set of PNG."""
    for i, mask in enumerate(masks):
        image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        image.save(tmp_path / f"{i:05d}.png")
    return list(import_masks(tmp_path, video, **options).values())


def ids(labels: np.ndarray) -> list[int]:
    return sorted(set(np.unique(labels).tolist()) - {0})


def write_grey_png(path: Path, labels: np.ndarray, bits: int) -> None:
    """Samples of 1, 2 or 4 bits, as pypng and MATLAB write them and Pillow cannot."""
    per = 8 // bits
    shifts = np.arange(per)[::-1] * bits
    rows = (labels.reshape(len(labels), -1, per) << shifts).sum(-1).astype(np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", labels.shape[1], labels.shape[0], bits, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
            for t, d in parts
        )
    )


# Grey


def test_grey_ids_stay_the_same_where_others_come_and_go(tmp_path, video):
    first, second = box(5, 20, 5, 20, 128), box(30, 40, 30, 40, 255)
    with pytest.warns(UserWarning, match="255 was read as object 255"):
        maps = read(tmp_path, video, first + second, second, first, second * 0)
    assert [ids(m) for m in maps] == [[128, 255], [255], [128], []]


def test_black_and_white_is_one_object_in_every_form(tmp_path, video):
    white = ONE * 255
    np.save(tmp_path / "m.npy", np.stack([white] * 4))
    np.savez(tmp_path / "m.npz", masks=np.stack([white] * 4))
    folder = tmp_path / "png"
    folder.mkdir()
    Image.fromarray(white).save(folder / "00000.png")
    deep = white.astype(np.uint16) * 257
    sources = [folder, tmp_path / "m.npy", tmp_path / "m.npz", {0: white}, np.stack([white] * 4)]
    sources += [{0: white.astype(dtype)} for dtype in (np.int64, np.uint16, np.float64)]
    for dtype in (np.uint16, np.int64, np.float32, bool):
        values = np.stack([ONE > 0 if dtype is bool else white.astype(dtype)] * 4)
        np.savez(tmp_path / f"{np.dtype(dtype)}.npz", masks=values)
        sources.append(tmp_path / f"{np.dtype(dtype)}.npz")
    sources += [{0: deep}, {0: ONE > 0}, {0: ONE.astype(np.float32)}, [ONE] * 4]
    for source in sources:
        assert np.array_equal(import_masks(source, video)[0], ONE), source


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "i4", ">i4", "u4", "i8", "u8", "f4", ">f8"])
def test_what_16_bits_hold_means_the_same_in_any_numbers(tmp_path, video, dtype):
    white, twice = ONE * 65535.0, (ONE + TWO) * 257.0
    np.save(tmp_path / "m.npy", np.stack([white] * 4).astype(dtype))
    mask = white.astype(dtype)
    for source in (tmp_path / "m.npy", {0: mask}, {0: mask, 1: ONE > 0}):
        with pytest.warns(UserWarning, match="0 and white only"):
            assert np.array_equal(import_masks(source, video)[0], ONE)
    with pytest.warns(UserWarning, match="8-bit ids twice"):
        assert np.array_equal(import_masks({0: twice.astype(dtype)}, video)[0], ONE + TWO)
    assert np.array_equal(import_masks({0: mask}, video, ids="binary")[0], ONE)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_keeps_its_ids(tmp_path, video, bits):
    labels = ONE + box(30, 40, 30, 60, 3)
    write_grey_png(tmp_path / "00000.png", labels, bits)
    assert np.array_equal(read_label_png(tmp_path / "00000.png"), labels)
    assert np.array_equal(import_masks(tmp_path, video)[0], labels)
    # The brightest value alone is white.
    write_grey_png(tmp_path / "00000.png", ONE * (2**bits - 1), bits)
    with pytest.warns(UserWarning, match="0 and white only"):
        assert np.array_equal(import_masks(tmp_path, video)[0], ONE)


def test_files_made_small_one_by_one_count_as_they_look(tmp_path, video):
    both = box(5, 20, 5, 20, 128) + box(30, 40, 30, 60, 255)
    Image.fromarray(both).save(tmp_path / "00000.png")
    Image.fromarray(both == 255).save(tmp_path / "00001.png")  # 1 bit: black and white
    with pytest.warns(UserWarning, match="count as they are shown"):
        maps = import_masks(tmp_path, video)
    assert ids(maps[1]) == [255]
    # Where nothing of the kind fits, 1 bit means object 1.
    Image.fromarray(ONE + TWO).save(tmp_path / "00000.png")
    assert [ids(m) for m in import_masks(tmp_path, video).values()] == [[1, 2], [1]]


@pytest.mark.parametrize("colours", [False, True], ids=["grey", "rgb"])
def test_16_bits_hold_ids_or_8_bit_ids_twice(tmp_path, video, colours):
    labels = ONE.astype(np.uint16) + TWO
    for factor, notice in ((1, None), (257, "8-bit ids twice")):
        deep = labels * factor
        cv2.imwrite(str(tmp_path / "00000.png"), np.dstack([deep] * 3) if colours else deep)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert np.array_equal(import_masks(tmp_path, video)[0], labels)
        # What Python says of what another test left open, whenever it is found, is not of these.
        said = [str(w.message) for w in told if w.category is not ResourceWarning]
        assert [notice in sentence for sentence in said] == ([True] if notice else [])
    cv2.imwrite(str(tmp_path / "00000.png"), labels * 200)
    with pytest.raises(ValueError, match=r"00000\.png holds label 400"):
        import_masks(tmp_path, video)


def smoothed(labels: np.ndarray, factor: int = 4) -> np.ndarray:
    """As a tool leaves it that makes a mask smaller without asking what it is."""
    large = labels.repeat(factor, 0).repeat(factor, 1)
    shifted = np.roll(large, (1, 1), (0, 1))
    return np.asarray(Image.fromarray(shifted).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))


@pytest.mark.parametrize(
    "mask",
    [
        smoothed(ONE * 255),
        smoothed(ONE * 255 // 2 + box(30, 40, 30, 60, 255)),
        cv2.GaussianBlur(ONE * 255, (0, 0), 3),
        smoothed(box(5, 30, 5, 30, 6)),
        np.random.default_rng(0).integers(0, 200, (HEIGHT, WIDTH), dtype=np.uint8),
    ],
    ids=["edges", "edges of two", "blur", "edges of an id", "noise"],
)
def test_what_smoothing_makes_is_asked_about(tmp_path, video, mask):
    with pytest.raises(ValueError, match=r"00000\.png hold \d+ values.*ids='binary'.*ids='values'"):
        read(tmp_path, video, mask)
    with pytest.raises(ValueError, match=r"hold .* values"):
        import_masks({0: mask}, video)
    half = int(mask.max()) / 2
    assert np.array_equal(import_masks(tmp_path, video, ids="binary")[0], mask > half)
    assert np.array_equal(import_masks(tmp_path, video, ids="values")[0], mask)


def test_many_and_small_objects_are_no_smoothing(tmp_path, video):
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for k in range(40):
        labels[6 * (k // 8) : 6 * (k // 8) + 4, 8 * (k % 8) : 8 * (k % 8) + 5] = k + 1
    points = np.zeros_like(labels)
    points[::12, ::16] = np.arange(1, 17).reshape(4, 4)[: len(points[::12]), : len(points[0, ::16])]
    points[points > 6] = 0
    assert np.array_equal(read(tmp_path, video, labels)[0], labels)
    assert np.array_equal(read(tmp_path, video, points)[0], points)


def test_a_jpeg_is_no_mask_unless_it_is_one_object(tmp_path, video):
    Image.fromarray(ONE * 255).save(tmp_path / "00000.jpg", quality=70)
    with pytest.raises(ValueError, match=r"00000\.jpg is a JPEG.*ids='binary'"):
        import_masks(tmp_path, video)
    assert np.array_equal(import_masks(tmp_path, video, ids="binary")[0], ONE)


# Alpha


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("colour", [0, 77, 255])
def test_a_mask_in_the_alpha_channel(tmp_path, video, mode, colour):
    pixels = np.full((HEIGHT, WIDTH, 4 if mode == "RGBA" else 2), colour, np.uint8)
    frames = []
    for mask in (ONE, ONE * 0, ONE * 0 + 1):  # also nowhere, and everywhere
        pixels[..., -1] = mask * 255
        frames.append(Image.fromarray(pixels.copy(), mode))
    with pytest.warns(UserWarning, match="from the alpha channel"):
        maps = read(tmp_path, video, *frames)
    assert [m.sum() for m in maps] == [ONE.sum(), 0, ONE.size]
    assert np.array_equal(maps[0], ONE)


def test_a_cut_out_photograph_is_its_alpha_channel(tmp_path, video):
    rgba = np.random.default_rng(0).integers(1, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    rgba[..., 3] = ONE * 255
    with pytest.warns(UserWarning, match="from the alpha channel"):
        assert np.array_equal(read(tmp_path, video, rgba)[0], ONE)


def test_an_alpha_channel_that_says_nothing_is_passed_over(tmp_path, video):
    labels = ONE + TWO
    for alpha in (np.full_like(labels, 255), np.where(labels > 0, 255, 0).astype(np.uint8)):
        pixels = np.dstack([labels, alpha])
        assert np.array_equal(read(tmp_path, video, Image.fromarray(pixels, "LA"))[0], labels)


def test_alpha_beside_colours_that_may_be_ids_is_refused(tmp_path, video):
    rgba = np.dstack([ONE * 200, TWO * 100, ONE * 0 + 9, np.where(TWO, 0, 255).astype(np.uint8)])
    with pytest.raises(ValueError, match=r"00000\.png has a mask in its alpha channel and several"):
        read(tmp_path, video, rgba)


# Palettes and colours


def with_palette(indices: np.ndarray, *colours: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette([c for colour in colours for c in colour])
    return image


BLACK, WHITE, RED, GREEN = (0, 0, 0), (255, 255, 255), (128, 0, 0), (0, 128, 0)


def test_a_palette_that_begins_with_the_object(tmp_path, video):
    assert np.array_equal(read(tmp_path, video, with_palette(1 - ONE, WHITE, BLACK))[0], ONE)


def test_palettes_sorted_anew_in_every_file_are_read_by_their_colours(tmp_path, video):
    both = np.where(ONE > 0, 0, np.where(TWO > 0, 1, 2)).astype(np.uint8)
    files = [
        with_palette(both, RED, GREEN, BLACK),
        with_palette((TWO > 0).astype(np.uint8), BLACK, GREEN),
        with_palette(1 - ONE, RED, BLACK),
    ]
    with pytest.warns(UserWarning, match="colours of DAVIS"):
        maps = read(tmp_path, video, *files)
    assert [ids(m) for m in maps] == [[1, 2], [2], [1]]
    assert np.array_equal(maps[0], ONE + TWO)


@pytest.mark.parametrize("copies", [1, 2])
def test_colours_of_davis_say_which_object_where_every_file_left_out_the_same(
    tmp_path, video, copies
):
    third = tuple(davis_palette()[3].tolist())
    two = with_palette(ONE + TWO, BLACK, RED, third)
    with pytest.warns(UserWarning, match="colours of DAVIS"):
        maps = read(tmp_path, video, *[two] * copies)
    assert [ids(m) for m in maps] == [[1, 3]] * copies
    (tmp_path / "00001.png").unlink(missing_ok=True)
    with pytest.warns(UserWarning, match="colours of DAVIS"):
        assert ids(read(tmp_path, video, with_palette(ONE, BLACK, GREEN))[0]) == [2]
    assert ids(read(tmp_path, video, two, ids="values")[0]) == [1, 2]
    # Only one of these colours is DAVIS's, so that nothing is known of the palette.
    other = with_palette(ONE + TWO, BLACK, GREEN, (9, 200, 7))
    assert ids(read(tmp_path, video, other)[0]) == [1, 2]


def test_one_palette_that_begins_like_that_of_davis_says_nothing_of_the_others(tmp_path, video):
    """Programs that make files small leave out the entries that a file does not use."""
    files = {
        (1,): with_palette(ONE, BLACK, RED),
        (1, 2): with_palette(ONE + TWO, BLACK, RED, GREEN),
        (2,): with_palette((TWO > 0).astype(np.uint8), BLACK, GREEN),
    }
    for order in permutations(files):
        with pytest.warns(UserWarning, match="colours of DAVIS"):
            maps = read(tmp_path, video, *(files[each] for each in order))
        assert [tuple(ids(m)) for m in maps] == list(order)
    del files[2,]
    for order in permutations(files):
        (tmp_path / "00002.png").unlink(missing_ok=True)
        maps = read(tmp_path, video, *(files[each] for each in order))
        assert [tuple(ids(m)) for m in maps] == list(order)


THREE = box(20, 21, 40, 41)
"""One pixel."""

ALL = np.select([THREE > 0, TWO > 0, ONE > 0], [3, 2, 1], 0).astype(np.uint8)

DAVIS = davis_palette()


def whole(labels: np.ndarray) -> Image.Image:
    return with_palette(labels, *DAVIS.tolist())


def of_davis_2017(labels: np.ndarray) -> Image.Image:
    """As the files of the data set are: 191 for 192, and greys from 22 on."""
    early = np.where(DAVIS[:22] == 192, 191, DAVIS[:22]).tolist()
    return with_palette(labels, *early, *([i] * 3 for i in range(22, 256)))


def cut(labels: np.ndarray) -> Image.Image:
    return with_palette(labels, *DAVIS[: labels.max() + 1].tolist())


def sorted_anew(labels: np.ndarray, unused: int = 0, backwards: bool = False) -> Image.Image:
    """Only the entries that are used, and perhaps black ones behind them."""
    used, indices = np.unique(labels, return_inverse=True)
    used, indices = (used[::-1], len(used) - 1 - indices) if backwards else (used, indices)
    indices = indices.reshape(labels.shape).astype(np.uint8)
    return with_palette(indices, *DAVIS[used].tolist(), *[BLACK] * unused)


def quantized(labels: np.ndarray) -> Image.Image:
    return whole(labels).convert("RGB").quantize(8)


WAYS = {
    "whole": whole,
    "davis 2017": of_davis_2017,
    "cut": cut,
    "sorted anew": sorted_anew,
    "backwards": lambda labels: sorted_anew(labels, backwards=True),
    "filled up": lambda labels: sorted_anew(labels, unused=250),
    "quantized": quantized,
    "colours": lambda labels: whole(labels).convert("RGB"),
}


@pytest.mark.filterwarnings("ignore:.*colours of DAVIS")
@pytest.mark.parametrize("other", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_an_object_has_one_id_in_a_folder_of_several_palettes(tmp_path, video, first, other):
    """Also where each file by itself could be read by its indices."""
    parts = [ALL, np.where(ALL == 2, ALL, 0), np.where(ALL == 3, ALL, 0), 0 * ALL]
    for order in permutations(parts[:3]):
        masks = [*order, parts[3]]
        ways = [WAYS[first], *[WAYS[other]] * 3]
        maps = read(tmp_path, video, *(way(mask) for way, mask in zip(ways, masks, strict=True)))
        for got, mask in zip(maps, masks, strict=False):
            assert np.array_equal(got, mask)


def test_many_objects_of_davis_2017_in_both_its_palettes(tmp_path, video):
    labels = sum(box(2 * i, 2 * i + 1, i, i + 3, i) for i in range(1, 22)).astype(np.uint8)
    for ways in permutations((whole, of_davis_2017, cut)):
        for got in read(tmp_path, video, *(way(labels) for way in ways)):
            assert np.array_equal(got, labels)


@pytest.mark.parametrize("first", [True, False])
def test_a_file_that_does_not_go_with_the_palette_of_davis_is_named(tmp_path, video, first):
    """Whether it is the first or a later one, and whatever its indices are."""
    for strange in (
        whole(ALL).convert("RGB").convert("P", palette=Image.Palette.WEB),
        with_palette((TWO > 0).astype(np.uint8), BLACK, (9, 200, 7)),
        whole(ALL).convert("L"),
        Image.fromarray(ALL),
    ):
        files = [strange, whole(ALL)] if first else [whole(ALL), strange]
        with pytest.raises(ValueError, match=r"0000\d\.png.*ids='values'"):
            read(tmp_path, video, *files)
        read(tmp_path, video, *files, ids="values")


def test_one_colour_under_two_indices_is_not_two_objects(tmp_path, video):
    """Of palettes that nobody knows, each file consistent with itself and with the indices."""
    green, blue = (9, 200, 7), (20, 10, 250)
    files = [
        with_palette(TWO, BLACK, blue, green),
        with_palette((TWO > 0).astype(np.uint8), BLACK, green),
    ]
    assert [ids(m) for m in read(tmp_path, video, *files)] == [[1], [1]]
    files[0] = with_palette(3 * ONE + TWO, BLACK, blue, green, blue)
    for order in permutations(files):
        with pytest.raises(ValueError, match=r"00001\.png differ from file to file"):
            read(tmp_path, video, *order)
    # In one palette they may look alike.
    files = [with_palette(ONE + TWO, BLACK, green, green), with_palette(ONE, BLACK, green)]
    assert [ids(m) for m in read(tmp_path, video, *files)] == [[1, 2], [1]]


def test_void_in_the_palette_of_davis_is_told(tmp_path, video):
    write_label_png(tmp_path / "00000.png", ONE + box(0, 2, 0, WIDTH, 255))
    with pytest.warns(UserWarning, match="255 was read as object 255; where it means void"):
        assert ids(import_masks(tmp_path, video)[0]) == [1, 255]


def test_indices_are_ids_in_any_palette_that_begins_with_black(tmp_path, video):
    labels = ONE + TWO
    for first in (BLACK, (1, 2, 3)):
        image = with_palette(labels, first, (9, 200, 7), (250, 10, 99))
        if first != BLACK:
            image.info["transparency"] = 0  # what cannot be seen is background too
        assert np.array_equal(read(tmp_path, video, image)[0], labels)


def test_palettes_that_do_not_say_which_is_background_are_refused(tmp_path, video):
    strange = with_palette(ONE + TWO, (120, 120, 120), (9, 200, 7), (250, 10, 99))
    with pytest.raises(ValueError, match=r"do not begin with black.*ids='values'"):
        read(tmp_path, video, strange)
    assert np.array_equal(import_masks(tmp_path, video, ids="values")[0], ONE + TWO)
    files = [with_palette(ONE, BLACK, (9, 200, 7)), with_palette(ONE, BLACK, (250, 10, 99))]
    with pytest.raises(ValueError, match=r"differ from file to file.*ids='values'"):
        read(tmp_path, video, *files)


def test_a_palette_whose_alpha_tells_the_background(tmp_path, video):
    image = with_palette(1 - ONE, BLACK, BLACK)
    image.save(tmp_path / "00000.png", transparency=bytes([255, 0]))
    with pytest.warns(UserWarning, match="from the alpha channel"):
        assert np.array_equal(import_masks(tmp_path, video)[0], ONE)


def test_an_image_in_the_colours_of_davis(tmp_path, video):
    rgb = davis_palette()[ONE + TWO]
    with pytest.warns(UserWarning, match="colours of DAVIS"):
        assert np.array_equal(read(tmp_path, video, rgb)[0], ONE + TWO)


def test_masks_of_several_kinds_are_refused(tmp_path, video):
    files = [Image.fromarray(ONE + TWO), with_palette(ONE, BLACK, (9, 200, 7))]
    with pytest.raises(ValueError, match="of several kinds"):
        read(tmp_path, video, *files)
    # An empty one is of no kind.
    assert [ids(m) for m in read(tmp_path, video, Image.fromarray(ONE + TWO), files[0])] == [
        [1, 2],
        [1, 2],
    ]


def test_what_this_package_wrote_holds_ids_whatever_they_look_like(tmp_path, video):
    for i in range(4):
        write_label_png(tmp_path / f"{i:05d}.png", ONE * 255)
    assert ids(import_masks(tmp_path, video)[0]) == [255]
    arrays = {"masks": np.stack([ONE * 255] * 4), "object_ids": np.array([255])}
    np.savez(tmp_path / "m.npz", **arrays)
    assert ids(import_masks(tmp_path / "m.npz", video)[0]) == [255]


def test_a_set_is_decided_once_and_goes_with_its_folder(tmp_path):
    import pickle

    for i, labels in enumerate((box(5, 20, 5, 20, 128) + TWO, box(5, 20, 5, 20, 255))):
        Image.fromarray(labels).save(tmp_path / f"{i}.png")
    folder = LabelFolder({i: tmp_path / f"{i}.png" for i in range(2)}, HEIGHT, WIDTH)
    with pytest.warns(UserWarning, match="object 255"):
        assert ids(folder[1]) == [255]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ids(folder[0]) == [2, 128]
        assert ids(pickle.loads(pickle.dumps(folder))[1]) == [255]


def test_an_unknown_way_to_read_ids_is_refused(video):
    with pytest.raises(ValueError, match=r"unknown ids='grey'; choose from \['auto'"):
        import_masks({0: ONE}, video, ids="grey")
