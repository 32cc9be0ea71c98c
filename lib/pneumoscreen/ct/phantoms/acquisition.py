"""What hospitals vary: reconstruction kernel, noise, slice thickness, matrix and breath.

Ours. Phantoms are scanned with a drawn kernel; a real scan, with or without lesions put into it, is varied as if it
had been taken elsewhere. Lesions and truth go along.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...images.volume import Volume

THICKEST_MM = 8.2
EDGE_MM = 1.1
HALVED_BELOW_MM = 0.95
DEEPEST_AIR_HU = -1000.0
SOFT_TISSUE_HU = -100.0


@dataclass(frozen=True)
class Kernel:
    """A reconstruction kernel.

    Attributes:
        blur_mm: standard deviation of its smoothing.
        edge: how much it enhances edges; 0 for a soft kernel.
        grain: standard deviation of the noise's smoothing, in pixels.
    """

    blur_mm: float
    edge: float
    grain: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Kernel":
        """One of three kernels is sharp."""
        sharp = rng.random() < 0.33
        return cls(
            blur_mm=float(rng.uniform(0.45, 0.95)),
            edge=float(rng.uniform(0.4, 1.3)) if sharp else 0.0,
            grain=float(rng.uniform(0.3, 0.5) if sharp else rng.uniform(0.4, 0.9)),
        )

    def sharpened(self, plane: NDArray[np.float32], pixel_mm: float) -> NDArray[np.float32]:
        """A slice [y, x] with its edges enhanced."""
        if not self.edge:
            return plane
        smooth = ndimage.gaussian_filter(plane, EDGE_MM / pixel_mm)
        return np.asarray(plane + np.float32(self.edge) * (plane - smooth))

    def noise(self, shape: tuple[int, ...], level: float, rng: np.random.Generator) -> NDArray[np.float32]:
        """Noise of a standard deviation of ``level`` HU before the kernel smooths it; more through a sharp kernel."""
        if not level:
            return np.zeros(shape, dtype=np.float32)
        noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), self.grain)
        return np.asarray(noise * np.float32(level * (1.0 + 0.5 * self.edge)), dtype=np.float32)


@dataclass(frozen=True)
class Acquisition:
    """How a real scan is taken again.

    Attributes:
        slices: neighbouring slices that become one.
        kernel: reconstruction; its ``blur_mm`` is not applied, since the scan has been through one already.
        noise_hu: standard deviation of the added noise.
        breath_hu: how much denser aerated lung becomes; the scan is flattened in proportion.
    """

    slices: int
    kernel: Kernel
    noise_hu: float
    breath_hu: float

    @classmethod
    def draw(cls, thickness_mm: float, rng: np.random.Generator) -> "Acquisition":
        """Draw what happens to a scan of this slice thickness."""
        most = max(1, int(THICKEST_MM / thickness_mm))
        return cls(
            slices=int(rng.integers(1, most + 1)) if rng.random() < 0.6 else 1,
            kernel=Kernel.draw(rng),
            noise_hu=float(rng.uniform(5.0, 40.0)) if rng.random() < 0.5 else 0.0,
            breath_hu=float(rng.uniform(20.0, 130.0)) if rng.random() < 0.3 else 0.0,
        )

    def take(self, volume: Volume, rng: np.random.Generator) -> Volume:
        """The scan as it would look; maps go through ``take_map``."""
        depth = volume.hu.shape[0] // self.slices
        x, y, z = volume.spacing_mm
        hu = np.empty((depth, *volume.hu.shape[1:]), dtype=np.int16)
        for k in range(depth):
            plane = volume.hu[k * self.slices : (k + 1) * self.slices].mean(axis=0, dtype=np.float32)
            plane = self.kernel.sharpened(self._denser(plane), x) + self.kernel.noise(plane.shape, self.noise_hu, rng)
            hu[k] = np.clip(np.rint(plane), -1024, 3071)
        thickness = z * self.slices * (1.0 - self.breath_hu / 700.0)
        origin = volume.index_to_mm(np.array([(self.slices - 1) / 2, 0.0, 0.0]))
        spacing = (x, y, thickness)
        return replace(volume, hu=hu, spacing_mm=spacing, origin_mm=(origin[0], origin[1], origin[2]))

    def take_map(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A label map [z, y, x] of the scan: the value of the middle of the slices that become one."""
        depth = labels.shape[0] // self.slices
        return np.ascontiguousarray(labels[self.slices // 2 :: self.slices][:depth])

    def _denser(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.breath_hu:
            return plane
        air = np.clip((SOFT_TISSUE_HU - plane) / (SOFT_TISSUE_HU - DEEPEST_AIR_HU), 0.0, 1.0)
        # Free air outside the patient and in the airways stays what it is.
        tissue = np.clip((plane - DEEPEST_AIR_HU) / 60.0, 0.0, 1.0)
        return np.asarray(plane + np.float32(self.breath_hu) * air * tissue)


def halved(volume: Volume) -> Volume:
    """The scan on half the matrix, each pixel the mean of 2 x 2; pixels that are large already stay."""
    if volume.spacing_mm[0] >= HALVED_BELOW_MM:
        return volume
    _, height, width = volume.hu.shape
    even = volume.hu[:, : height // 2 * 2, : width // 2 * 2]
    pairs = even.reshape(len(even), height // 2, 2, width // 2, 2)
    hu = np.rint(pairs.mean(axis=(2, 4), dtype=np.float32)).astype(np.int16)
    x, y, z = volume.spacing_mm
    origin = volume.index_to_mm(np.array([0.0, 0.5, 0.5]))
    return replace(volume, hu=hu, spacing_mm=(2 * x, 2 * y, z), origin_mm=(origin[0], origin[1], origin[2]))
