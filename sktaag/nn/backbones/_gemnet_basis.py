"""Basis functions of GemNet and DimeNet++: of lengths, and of the angle between two edges."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import spherical_jn
from torch import Tensor, nn

from sktaag.nn._backbone import gaussians


def legendre(x: Tensor, n: int) -> Tensor:
    """Compute the Legendre polynomials P_0(x), ..., P_{n-1}(x), stacked in a new last dimension."""
    values = [torch.ones_like(x), x]
    for degree in range(1, n - 1):
        values.append(((2 * degree + 1) * x * values[-1] - degree * values[-2]) / (degree + 1))
    return torch.stack(values[:n], dim=-1)


def circular_harmonics(cosine: Tensor, n_spherical: int) -> Tensor:
    """Compute the spherical harmonics Y_l0 of an angle, shape (..., n_spherical), from its cosine."""
    degree = torch.arange(n_spherical, dtype=cosine.dtype, device=cosine.device)
    return legendre(cosine, n_spherical) * ((2 * degree + 1) / (4 * math.pi)).sqrt()


def envelope(x: Tensor) -> Tensor:
    """Fall from one at 0 to zero at 1, there with two derivatives; x is the length over the cutoff."""
    return torch.where(x < 1, 1 - x**5 * (21 - 35 * x + 15 * x**2), 0)


class RadialBasis(nn.Module):
    r"""Functions of a length, which the envelope brings to zero at the cutoff c.

    ``"bessel"`` are those of the paper, orthonormal in the ball of radius c, with the roots :math:`z_{ln}` of the
    spherical Bessel functions :math:`j_l`,

    .. math:: e_{ln}(r) = \sqrt{\frac{2}{c^3 j_{l+1}^2(z_{ln})}}\; j_l(z_{ln} r / c),

    ``"gaussian"`` Gaussians from 0 to c, of the width of their distance, the same for all l.
    """

    def __init__(self, kind: str, n_spherical: int, n_radial: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        if kind == "gaussian":
            self.functions: nn.Module = _Gaussians(n_radial)
        elif kind == "bessel":
            self.functions = SphericalBessel(n_spherical, n_radial, cutoff)
        else:
            raise ValueError(f'basis must be "bessel" or "gaussian", got {kind!r}.')

    def forward(self, length: Tensor) -> Tensor:
        """Compute the functions of lengths (E,) in Å, shape (n_spherical or 1, E, n_radial)."""
        x = length / self.cutoff
        return envelope(x)[:, None] * self.functions(x)


class _Gaussians(nn.Module):
    centers: Tensor

    def __init__(self, n_radial: int) -> None:
        super().__init__()
        self.register_buffer("centers", torch.linspace(0, 1, n_radial), persistent=False)
        self.factor = -0.5 * (n_radial - 1) ** 2

    def forward(self, x: Tensor) -> Tensor:
        return gaussians(x, self.centers, self.factor)[None]  # (1, E, n_radial)


class SphericalBessel(nn.Module):
    """The functions e_ln of `RadialBasis` as polynomials that equal them to rounding error, without the envelope.

    Closed forms lose all digits at small arguments in single precision; a Legendre series does not, and has
    derivatives of all orders.
    """

    series: Tensor

    def __init__(self, n_spherical: int, n_radial: int, cutoff: float) -> None:
        super().__init__()
        roots = bessel_roots(n_spherical, n_radial)
        self.n_terms = int(roots.max()) + 16
        nodes, weights = np.polynomial.legendre.leggauss(2 * self.n_terms)
        polynomials = np.polynomial.legendre.legvander(nodes, self.n_terms - 1)  # (n_nodes, n_terms)
        projection = (2 * np.arange(self.n_terms) + 1) / 2 * polynomials * weights[:, None]
        degree = np.arange(n_spherical)[:, None]
        norm = np.sqrt(2 / cutoff**3) / np.abs(spherical_jn(degree + 1, roots))  # (n_spherical, n_radial)
        values = norm * spherical_jn(degree, roots * ((nodes + 1) / 2)[:, None, None])
        series = np.einsum("qt,qln->ltn", projection, values)
        self.register_buffer("series", torch.as_tensor(series, dtype=torch.get_default_dtype()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return legendre(2 * x - 1, self.n_terms) @ self.series  # (n_spherical, E, n_radial)


def bessel_roots(n_spherical: int, n_radial: int) -> np.ndarray:
    """Find the first positive roots of the spherical Bessel functions, shape (n_spherical, n_radial)."""
    found = np.arange(1, n_radial + n_spherical) * np.pi  # of j_0; between two roots of j_l lies one of j_{l+1}
    roots = [found[:n_radial]]
    for degree in range(1, n_spherical):
        found = np.array([brentq(partial(spherical_jn, degree), low, high) for low, high in pairwise(found)])
        roots.append(found[:n_radial])
    return np.stack(roots)
