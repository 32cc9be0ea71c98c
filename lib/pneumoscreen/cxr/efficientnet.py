"""A trunk that has seen photographs before: EfficientNet-Lite0 (Tan and Le 2019).

Ours, in place of the published ResNet where a site has few radiographs: its weights were learnt on ImageNet, and a
thousand X-rays are too few to learn edges and textures from. Lite: no squeeze-and-excitation and ReLU6, so that it is
quick on a CPU.
"""

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from ..models.weights import read_weights

_IMAGENET = Path(__file__).parent / "imagenet"

LEVELS = (40, 112, 320)
"""Channels of the feature maps at strides 8, 16 and 32."""

_STAGES = (
    # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LEVEL_STAGES = (2, 4, 6)
_STEM = 32
_EPSILON = 1e-3
"""Of the normalisation, as the weights were learnt with."""


class EfficientNetLite0(nn.Module):
    """Pictures [b, 3, h, w] in -1 to 1 to feature maps at strides 8, 16 and 32, with ``LEVELS`` channels."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen: tuple[nn.Module, ...] = ()
        self.stem = _Convolution(3, _STEM, 3, stride=2)
        stages: list[nn.Module] = []
        channels = _STEM
        for repeats, kernel, stride, expansion, width in _STAGES:
            blocks = []
            for number in range(repeats):
                blocks.append(_Block(channels, width, kernel, stride if number == 0 else 1, expansion))
                channels = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def freeze(self, stages: int) -> None:
        """Let trainings leave the first stages as they are, and the stem with the first of them."""
        self.frozen = (self.stem, *list(self.stages)[:stages]) if stages else ()
        for part in self.frozen:
            part.requires_grad_(requires_grad=False)
        self.train(self.training)

    def load_imagenet(self) -> None:
        """Begin with what was learnt on ImageNet; where the weights are from stands beside them.

        Raises:
            ModelError: if they are absent or damaged.
        """
        self.load_state_dict(read_weights(_IMAGENET, "efficientnet_lite0").state)

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Frozen stages keep their running statistics."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """The feature maps, the finest first."""
        x = self.stem(pictures)
        maps = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _LEVEL_STAGES:
                maps.append(x)
        return maps


class PhotographTrunk(EfficientNetLite0):
    """The trunk as ImageNet left it, but for the last stages where they have learnt radiographs.

    What ImageNet taught is no part of the state: it is always what stands beside the program.

    Args:
        tuned_stages: how many stages, counted from the last, have learnt radiographs.
    """

    def __init__(self, tuned_stages: int = 0) -> None:
        super().__init__()
        self.load_imagenet()
        self.freeze(len(self.stages))
        first = len(self.stages) - tuned_stages
        self._tuned = tuple(f"stages.{number}." for number in range(first, len(self.stages)))
        self.register_state_dict_post_hook(_without_photographs)
        self.register_load_state_dict_pre_hook(_with_photographs)

    def tuned_parameters(self) -> list[nn.Parameter]:
        """Those of the stages that learn radiographs, no longer frozen."""
        found = [part for name, part in self.named_parameters() if name.startswith(self._tuned)]
        for part in found:
            part.requires_grad = True
        return found

    def knows_from_photographs(self, name: str) -> bool:
        """Whether a tensor of this name is one that ImageNet taught."""
        return not name.startswith(self._tuned)


def _own_state(module: nn.Module) -> dict[str, Tensor]:
    return dict((*module.named_parameters(), *module.named_buffers()))


def _without_photographs(module: nn.Module, state: dict[str, Tensor], prefix: str, _: object) -> None:
    assert isinstance(module, PhotographTrunk)
    for name in [name for name in state if name.startswith(prefix)]:
        if module.knows_from_photographs(name.removeprefix(prefix)):
            del state[name]


def _with_photographs(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    assert isinstance(module, PhotographTrunk)
    state.update(
        {f"{prefix}{name}": part for name, part in _own_state(module).items() if module.knows_from_photographs(name)}
    )


class _Convolution(nn.Module):
    """Convolution, normalisation and, where wanted, ReLU6; padded as TensorFlow pads, for which the weights are."""

    def __init__(
        self, inside: int, outside: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        around = kernel // 2 if stride == 1 else 0
        self.convolution = nn.Conv2d(inside, outside, kernel, stride, around, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outside, eps=_EPSILON)
        self.active = active
        before = (kernel - stride) // 2
        self.edges = (before, kernel - stride - before) * 2 if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        if self.edges is not None:
            x = functional.pad(x, self.edges)
        x = self.norm(self.convolution(x))
        return functional.relu6(x) if self.active else x


class _Block(nn.Module):
    """Expansion, depthwise convolution and projection, with a short cut where the shapes allow it."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.expand = _Convolution(inside, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _Convolution(wide, wide, kernel, stride=stride, groups=wide)
        self.project = _Convolution(wide, outside, 1, active=False)
        self.has_short_cut = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + found if self.has_short_cut else found
