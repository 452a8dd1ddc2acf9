"""The residual blocks against torchvision's."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torchvision.models import resnet as published

from evavos_widget.networks import resnet


@pytest.mark.parametrize("name", ["BasicBlock", "Bottleneck"])
@pytest.mark.parametrize("width", [64, 128])
def test_a_stage_is_that_of_torchvision(name: str, width: int) -> None:
    torch.manual_seed(0)
    theirs_kind, ours_kind = getattr(published, name), getattr(resnet, name)
    network = published.ResNet(theirs_kind, [3, 3, 1, 1])
    theirs = network.layer1 if width == 64 else network.layer2
    before = 64 if width == 64 else 64 * ours_kind.expansion
    ours = resnet.stage(ours_kind, before, width, 3)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, before, 18, 26)
    with torch.inference_mode():
        expected = theirs.eval()(x.clone())
        torch.testing.assert_close(ours.eval()(x.clone()), expected)


def test_stcn_does_not_bring_in_what_torchvision_imports() -> None:
    code = "import sys, evavos_widget.propagation.stcn; print('torchvision' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
