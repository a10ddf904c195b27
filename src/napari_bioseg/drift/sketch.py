"""Features of a network in few numbers, and how they vary together: the Gaussian of a reference, small for a card.

Standardised features are brought to a basis that has nothing to do with them, the first `SIZE` rows of the discrete
cosine transform, as a random projection would (Johnson & Lindenstrauss 1984), but the same on every machine. Their
covariance is shrunk towards the identity as far as the number of images demands (oracle approximating shrinkage: Chen,
Wiesel, Eldar & Hero, IEEE Trans. Signal Process. 2010).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

SIZE = 24
_FLOOR = 0.1  # of the mean spread of all features: one that hardly varies must not decide alone
_LEAST = 1e-6

Floats = npt.NDArray[np.float64]


def sketch(features: npt.ArrayLike, mean: npt.ArrayLike, sd: npt.ArrayLike) -> Floats:
    """Return at most `SIZE` numbers for features ``(..., F)``, given their mean and spread in a reference, ``(F,)``."""
    spread = np.asarray(sd)
    standard = (np.asarray(features) - np.asarray(mean)) / np.hypot(spread, _FLOOR * spread.mean() + _LEAST)
    return np.asarray(dct(standard, norm="ortho"))[..., :SIZE]


def covariance(sketches: Floats) -> Floats:
    """Return the shrunk covariance ``(D, D)`` of sketches ``(N, D)`` whose mean is 0."""
    n, size = sketches.shape
    sample = sketches.T @ sketches / n
    trace, squares = float(np.trace(sample)), float((sample**2).sum())
    over = (n + 1 - 2 / size) * (squares - trace**2 / size)
    share = min(1.0, ((1 - 2 / size) * squares + trace**2) / over) if over > 0 else 1.0
    return np.asarray((1 - share) * sample + (share * trace / size + _LEAST) * np.eye(size))


def mahalanobis(sketched: Floats, triangle: npt.ArrayLike) -> float:
    """Return the distance of a sketch ``(D,)`` from 0, root mean square over its numbers.

    Parameters
    ----------
    sketched : ndarray
    triangle : array_like
        Lower triangle of the covariance, row by row; empty for the identity.
    """
    whole = filled(triangle) if np.size(triangle) else np.eye(len(sketched))
    return float(np.sqrt(sketched @ np.linalg.solve(whole, sketched) / len(sketched)))


def filled(triangle: npt.ArrayLike) -> Floats:
    """Return the symmetric matrix of a lower triangle, given row by row."""
    values = np.asarray(triangle)
    size = int(np.sqrt(2 * values.size))
    lower = np.zeros((size, size))
    lower[np.tril_indices(size)] = values
    return np.asarray(lower + np.tril(lower, -1).T)
