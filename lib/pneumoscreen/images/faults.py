"""Why an image is refused: one type for each reason, so that callers and tests need not read messages.

Every message is one sentence: the file or folder, the reason, the remedy. It quotes paths, sizes and
positions only, never text out of a header: headers hold patients' names.
"""

from ..errors import ImageError


class AbsentError(ImageError):
    """The path does not exist or may not be read."""


class UnsupportedError(ImageError):
    """A kind of file that this version does not read."""


class DamagedError(ImageError):
    """Truncated, empty, or not what its suffix says."""


class NotCTError(ImageError):
    """Another modality, or values that cannot be Hounsfield units."""


class NonFiniteError(ImageError):
    """NaN or infinite values."""


class TooFewSlicesError(ImageError):
    """Fewer axial slices than a chest CT has."""


class MissingSlicesError(ImageError):
    """Gaps between the slices."""


class DoubledSlicesError(ImageError):
    """Several slices at one position."""


class TiltedError(ImageError):
    """Tilted gantry, or slices that are sheared against their normal."""


class ObliqueError(ImageError):
    """Axes turned too far from the patient's."""


class MixedSeriesError(ImageError):
    """One series with slices that do not belong together."""


class GeometryError(ImageError):
    """Spacing or orientation missing, contradictory or implausible."""


class DimensionError(ImageError):
    """Not a three-dimensional grey image of a plausible size."""


class NotRadiographError(ImageError):
    """No frontal chest X-ray: another view or modality, a colour photograph, a mask, or several pictures."""
