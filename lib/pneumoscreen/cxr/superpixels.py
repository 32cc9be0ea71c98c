"""Step 2: the lungs' rectangle divided into 100 superpixels (Wang et al. 2020).

The paper stores features in each superpixel and does not say how they enter the network. Ours: SLIC (Achanta et al.
2012) on the grey values, and the mean grey of each superpixel as a second channel of the picture.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import slic

SUPERPIXELS = 100
COMPACTNESS = 0.1
"""Ours: grey values lie in 0 to 1, so that a small weight of the distance lets superpixels follow edges."""
ROUNDS = 5


def superpixels(picture: NDArray[np.float32]) -> NDArray[np.int32]:
    """Number of the superpixel of each pixel of a picture [y, x] in 0 to 1: int32 [y, x], from 1, about 100 of them."""
    labels = slic(picture, SUPERPIXELS, COMPACTNESS, max_num_iter=ROUNDS, channel_axis=None, start_label=1)
    return np.asarray(labels, dtype=np.int32)


def mean_picture(picture: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """The picture with every superpixel filled with its mean: float32 [y, x]."""
    sums, counts = np.bincount(labels.ravel(), weights=picture.ravel()), np.bincount(labels.ravel())
    return np.asarray((sums / np.maximum(counts, 1))[labels], dtype=np.float32)  # a number without pixels: 0
