"""What all networks have in common: settings in the card, weights from the store."""

from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from ..config import Settings
from ..errors import ModelError
from .weights import Weights

SettingsT = TypeVar("SettingsT", bound=Settings)
NetworkT = TypeVar("NetworkT", bound=nn.Module)


class NetworkModel(Generic[SettingsT, NetworkT]):
    """A network with its settings, on a device, ready to use.

    Args:
        settings: what it is made of.
        network: made of them.
        device: where it runs.
    """

    settings_type: ClassVar[type[Settings]]
    network_type: ClassVar[type[nn.Module]]
    what: ClassVar[str]

    def __init__(self, settings: SettingsT, network: NetworkT, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.settings = settings
        self.network = network.to(device=self.device).eval()

    @classmethod
    def load(cls, weights: Weights, device: torch.device | str = "cpu") -> Self:
        """Rebuild a network from its card and fill it.

        Raises:
            ModelError: if the card describes another kind of network or the weights do not fit it.
        """
        try:
            settings = cls.settings_type.model_validate(weights.card.get("network"))
            model = cls.untrained(settings, device=device)
            model.network.load_state_dict(weights.state)
        except (ValidationError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{weights.name} version {weights.version} is no {cls.what} ({reason}); publish it again"
            ) from None
        return model

    @classmethod
    def untrained(cls, settings: Any, seed: int = 0, device: torch.device | str = "cpu") -> Self:
        """A network of these settings with random weights, the same for the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(settings, cls.network_type(settings), device)  # type: ignore[arg-type]

    def state(self) -> dict[str, Tensor]:
        """The weights, on the CPU, as ``load`` takes them."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}

    def card_network(self) -> dict[str, Any]:
        """The entry ``network`` of the card."""
        return self.settings.model_dump(mode="json")
