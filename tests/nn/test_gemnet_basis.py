"""Basis functions of GemNet against SciPy."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import eval_legendre, spherical_jn

from sktaag.nn.backbones._gemnet_basis import RadialBasis, bessel_roots, circular_harmonics, envelope, legendre


def test_legendre_polynomials():
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)
    expected = np.stack([eval_legendre(degree, x.numpy()) for degree in range(9)], axis=1)
    np.testing.assert_allclose(legendre(x, 9), expected, atol=1e-13)
    assert legendre(x, 1).shape == (41, 1)


def test_harmonics_are_orthonormal_on_the_sphere():
    def product(one, other):
        def integrand(cosine):
            values = circular_harmonics(torch.tensor(cosine, dtype=torch.float64), 5)
            return (2 * np.pi * values[one] * values[other]).item()

        return quad(integrand, -1, 1)[0]

    products = [[product(one, other) for other in range(5)] for one in range(5)]
    np.testing.assert_allclose(products, np.eye(5), atol=1e-12)


def test_roots_of_bessel_functions():
    roots = bessel_roots(7, 6)
    assert roots.shape == (7, 6)
    np.testing.assert_allclose(spherical_jn(np.arange(7)[:, None], roots), 0, atol=1e-13)
    grid = np.linspace(1e-3, roots.max() + 0.1, 5000)
    for degree, found in enumerate(roots):  # none is left out
        values = spherical_jn(degree, grid[grid < found[-1] + 0.05])
        assert (np.diff(np.sign(values)) != 0).sum() == 6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bessel_functions(dtype):
    cutoff, n_spherical, n_radial = 5.0, 7, 6
    basis = RadialBasis("bessel", n_spherical, n_radial, cutoff)
    length = torch.linspace(0.01, 4.99, 60, dtype=dtype)
    x = length.double().numpy() / cutoff
    roots = bessel_roots(n_spherical, n_radial)
    degree = np.arange(n_spherical)[:, None]
    norm = np.sqrt(2 / (cutoff**3 * spherical_jn(degree + 1, roots) ** 2))
    expected = norm * spherical_jn(degree, roots * x[:, None, None])  # (E, n_spherical, n_radial)
    expected *= (1 - 21 * x**5 + 35 * x**6 - 15 * x**7)[:, None, None]
    np.testing.assert_allclose(basis.to(dtype)(length), expected.transpose(1, 0, 2), atol=3e-6)


def test_bessel_functions_are_orthonormal_in_the_ball():
    """Before the envelope, which is divided out."""
    basis = RadialBasis("bessel", 3, 4, 4.0).double()
    nodes, weights = np.polynomial.legendre.leggauss(60)
    r = torch.as_tensor(2 * (nodes + 1))
    functions = basis(r) / envelope(r / 4)[:, None]
    products = torch.einsum("ler,les,e->lrs", functions, functions, torch.as_tensor(2 * weights) * r**2)
    torch.testing.assert_close(products, torch.eye(4, dtype=torch.float64).expand(3, 4, 4), rtol=0, atol=1e-4)


def test_gaussians():
    basis = RadialBasis("gaussian", 7, 11, 5.0)
    length = torch.tensor([0.5, 2.0, 4.0])
    centers = torch.arange(11) / 10
    expected = torch.exp(-0.5 * ((length[:, None] / 5 - centers) * 10) ** 2) * envelope(length / 5)[:, None]
    torch.testing.assert_close(basis(length), expected[None])


@pytest.mark.parametrize("kind", ["bessel", "gaussian"])
def test_two_derivatives_vanish_at_the_cutoff(kind):
    basis = RadialBasis(kind, 3, 5, 5.0).double()
    length = torch.tensor([2.0, 5.0 - 1e-6, 5.0, 5.5], dtype=torch.float64, requires_grad=True)
    values = basis(length)
    assert values[:, 0].abs().max() > 0.01
    assert values[:, 1:].abs().max() < 1e-14
    slope = torch.autograd.grad(values.sum(), length, create_graph=True)[0]
    curvature = torch.autograd.grad(slope.sum(), length)[0]
    assert slope[0].abs() > 1e-3
    assert slope[1:].abs().max() < 1e-9
    assert curvature[1:].abs().max() < 1e-3  # of first order in the distance of 1e-6 Å, times a third derivative


def test_unknown_basis_is_named():
    with pytest.raises(ValueError, match=r'basis must be "bessel" or "gaussian", got \'fourier\''):
        RadialBasis("fourier", 3, 4, 5.0)
