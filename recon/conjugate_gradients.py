"""Preconditioned conjugate gradients: solves A x = b for a symmetric positive definite operator given as a function.

M. Hestenes, E. Stiefel, "Methods of conjugate gradients for solving linear systems", Journal of Research of the National Bureau of
Standards 49, 1952. Other than scipy's, it stops by the preconditioned residual relative to x: a step still to go, where scipy compares
the residual with b.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Operator = Callable[[NDArray], NDArray]


def conjugate_gradients(
    operator: Operator, b: NDArray, x: NDArray, *, precondition: Operator, tolerance: float, iterations: int
) -> NDArray:
    """The solution of ``operator(x) = b``, by steps from ``x``, which is overwritten.

    Parameters
    ----------
    operator : callable, ndarray to ndarray
        A: linear, symmetric and positive definite.
    b, x : ndarray, of one shape and type
        Right-hand side, and where to begin.
    precondition : callable, ndarray to ndarray
        About the inverse of A; symmetric and positive definite.
    tolerance : float
        Stops when the preconditioned residual, about the step still to go, has this part of the norm of x.
    iterations : int
        Or after so many steps.

    Examples
    --------
    >>> A = np.array([[4.0, 1.0], [1.0, 3.0]])
    >>> x = conjugate_gradients(lambda v: A @ v, np.array([1.0, 2.0]), np.zeros(2),
    ...                         precondition=lambda r: r / A.diagonal(), tolerance=1e-9, iterations=10)
    >>> (A @ x).round(6).tolist()
    [1.0, 2.0]
    """
    r = b - operator(x)
    z = precondition(r)
    p, rz = z.copy(), np.vdot(r, z)
    for _ in range(iterations):
        if np.vdot(z, z) <= tolerance**2 * np.vdot(x, x):
            break
        q = operator(p)
        alpha = rz / np.vdot(p, q)
        x += alpha * p
        r -= alpha * q
        z = precondition(r)
        rz, before = np.vdot(r, z), rz
        p = z + rz / before * p
    return x
