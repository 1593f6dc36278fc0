"""Noise fields: Poisson, normal and Tukey-lambda variables, one for each pixel of a frame.

Shot noise is the first: the number of electrons in a pixel is a Poisson variable whose mean is the light that fell there.
Every random number here is a function of a key and a chip address, not of the numbers drawn before it: Philox 4x32-10 (J. Salmon,
M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) turns a 128-bit counter and a 64-bit key
into 128 random bits. So a crop, a block of rows or another number of threads sees the same noise at the same pixel.

    word(key, draw, row, column) = Philox(counter = (64 s + l, row, draw, 0), key)[n],  column = 256 s + 64 n + l,  n < 4, l < 64

(a block of Philox serves four columns that are 64 apart, so that words are made and stored in whole vectors).

The kernels use +, -, *, /, sqrt, floor and fused multiply-add of IEEE 754, each written out in its place, without ``fastmath``
and without libm: the bits are the same on every machine, whatever its vectors.
"""

from __future__ import annotations

import math
from operator import index
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

from sensors.kernel import FLAGS, rows
from sensors.refusal import Refusal

MAX_MEAN = 2.0**30


def stream_key(*words: int) -> np.uint64:
    """One well-mixed key from whole numbers such as (seed, exposure, lane, bucket, purpose).

    Each word is mixed into the state by splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014), a bijection: words below 2**64 that differ in one place never give the same key.

    Raises
    ------
    Refusal
        If a word is negative.
    """
    state = 0
    for word in map(index, words):
        if word < 0:
            raise Refusal(f"a seed or number of a random stream is a whole number from 0 on, not {word}")
        state = _splitmix(state ^ (word & _ALL))
        while word := word >> 64:
            state = _splitmix(~state & _ALL ^ (word & _ALL))
    return np.uint64(state)


def poisson(mean: ArrayLike, key: np.uint64, origin: tuple[int, int] = (0, 0), out: NDArray | None = None) -> NDArray[np.float32]:
    """Independent Poisson variables, exact at any mean: no normal approximation anywhere.

    Means of 12 and more go by transformed rejection with squeeze (W. Hoermann, "The transformed rejection method for generating
    Poisson random variables", Insurance: Mathematics and Economics 12, 1993), tested against Loader's saddle-point form of the
    log-probability, which needs no log-gamma; smaller means go by inversion.

    Parameters
    ----------
    mean : array_like, (H, W)
        In electrons. Negative means and NaN count as 0.
    key : uint64
        From `stream_key`; a key of its own for each frame.
    origin : (int, int)
        Chip address of pixel [0, 0].
    out : ndarray of float32, (H, W), optional
        Written and returned; it may be ``mean`` itself.

    Returns
    -------
    ndarray of float32, (H, W)
        Whole numbers.

    Notes
    -----
    Limits: single-precision arithmetic leaves the probability of each count right to about 1e-6 of itself, plus 1e-7. Below a
    mean of 12 the upper 1/1024 of the distribution is inverted in double precision from 64 random bits, so that tails go on
    to 1e-13. Counts from 2**24 on (means of 1.6e7) are rounded to float32, and a mean counts as at most 2**30.

    Examples
    --------
    >>> poisson(np.full((1, 4), 100.0), stream_key(0)).tolist()
    [[89.0, 108.0, 89.0, 80.0]]
    """
    mean = np.ascontiguousarray(mean, np.float32)
    out = np.empty(mean.shape, np.float32) if out is None else out
    rows(poisson_kernel, len(mean), mean, key, *origin, out, work=8 * mean.size)
    return out


def normal(
    shape: tuple[int, int], key: np.uint64, origin: tuple[int, int] = (0, 0), out: NDArray | None = None
) -> NDArray[np.float32]:
    """Independent standard normal variables, by inversion of the distribution at 32 random bits.

    M. Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2011, with the tail probability and not its complement
    held in single precision: errors below 1e-5 up to 5.4 sigma and 3e-3 at 6.3 sigma, where the field ends.

    Parameters
    ----------
    shape : (H, W)
    key, origin
        As for `poisson`. One key gives Poisson and normal fields that are independent of each other.
    out : ndarray of float32, (H, W), optional
        Written and returned.

    Returns
    -------
    ndarray of float32, (H, W)
    """
    out = np.empty(shape, np.float32) if out is None else out
    rows(normal_kernel, shape[0], key, *origin, out, work=4 * out.size)
    return out


def tukey_lambda(
    shape: tuple[int, int], exponent: float, key: np.uint64, origin: tuple[int, int] = (0, 0), out: NDArray | None = None
) -> NDArray[np.float32]:
    """Independent variables of Tukey's lambda distribution, of mean 0 and variance 1, by its quantile function at 32 random bits.

    Q(p) = (p^lambda - (1 - p)^lambda) / lambda: nearly normal at 0.14, logistic at 0, with heavier tails below. It fits the read
    noise of real cameras better than a Gaussian does (K. Wei, Y. Fu, J. Yang, H. Huang, "A physics-based noise formation model for
    extreme low-light raw denoising", CVPR 2020); they give the scale of Q, we its standard deviation (`tukey_deviation`).

    Parameters
    ----------
    shape : (H, W)
    exponent : float
        lambda, in [-0.3, 2]; below, 32 bits do not reach the tails that hold the variance.
    key, origin, out
        As for `normal`, whose random bits these are: one key serves one of the two.

    Returns
    -------
    ndarray of float32, (H, W)
    """
    out = np.empty(shape, np.float32) if out is None else out
    scale = np.float32(1 / tukey_deviation(exponent))
    rows(tukey_kernel, shape[0], key, *origin, np.float32(exponent), scale, out, work=4 * out.size)
    return out


def tukey_deviation(exponent: float) -> float:
    """Standard deviation of Q of `tukey_lambda`: what turns the scale that ELD publishes into noise rms."""
    if abs(exponent) < 1e-5:
        return math.pi / math.sqrt(3)
    spread = 1 / (1 + 2 * exponent) - math.gamma(1 + exponent) ** 2 / math.gamma(2 + 2 * exponent)
    return math.sqrt(2 * spread) / abs(exponent)


_ALL = (1 << 64) - 1


def _splitmix(state: int) -> int:
    state = (state + 0x9E3779B97F4A7C15) & _ALL
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _ALL
    state = (state ^ state >> 27) * 0x94D049BB133111EB & _ALL
    return state ^ state >> 31


# Loops over the pixels of a row are kept free of branches and calls, so that they become vector code; what a branch would decide
# becomes a list of pixels that a later, shorter loop takes up.

_intrinsic: Any = intrinsic  # its stubs know nothing of the arguments
_f4, _i4, _u4, _u8 = np.float32, np.int32, np.uint32, np.uint64
_LOW = _u8(0xFFFFFFFF)
_LANES = 64
_STRIPE = 4 * _LANES
_SHOT_U, _SHOT_V, _NORMAL = 0, 1, 2  # draws
_RETRY = 1  # last word of the counter; the draws have 0 there
_BRIGHT = _f4(12)  # from this mean on by transformed rejection
_CHUNK = 256  # pixels inverted in lock-step
_PADDING = 32  # pixels in a few vectors of any machine
_TAIL = _f4(1 - 2.0**-10)


@numba.njit(inline="always", **FLAGS)
def _philox(c0, c1, c2, c3, key):
    """Ten rounds on 32-bit words held in uint64, so that products need no second multiplication for their upper half."""
    k0, k1 = key & _LOW, key >> _u8(32)
    for _ in range(10):
        p0, p1 = c0 * _u8(0xD2511F53), c2 * _u8(0xCD9E8D57)
        c0, c1, c2, c3 = (p1 >> _u8(32)) ^ c1 ^ k0, p1 & _LOW, (p0 >> _u8(32)) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _u8(0x9E3779B9)) & _LOW, (k1 + _u8(0xBB67AE85)) & _LOW
    return c0, c1, c2, c3


@numba.njit(**FLAGS)
def _words(key, draw, row, column, W, buffer):
    """The words of a row from ``column`` on, as int32, in a ``buffer`` of whole stripes."""
    stripe = column // _STRIPE
    start = column - stripe * _STRIPE
    for b in range(0, start + W, _STRIPE):
        _stripe_words(key, _u8(draw), _u8(row) & _LOW, _u8(stripe * _LANES), buffer[b : b + _STRIPE])
        stripe += 1
    return buffer[start : start + W]


@numba.njit(**FLAGS)
def _stripe_words(key, draw, row, first, words):
    w0, w1, w2, w3 = words[:_LANES], words[_LANES : 2 * _LANES], words[2 * _LANES : 3 * _LANES], words[3 * _LANES :]
    for l in range(_LANES):
        a0, a1, a2, a3 = _philox((first + _u8(l)) & _LOW, row, draw, _u8(0), key)
        w0[l], w1[l], w2[l], w3[l] = _i4(a0), _i4(a1), _i4(a2), _i4(a3)


@numba.njit(**FLAGS)
def _retry_words(key, attempt, row, column, xs, u, v):
    """Two more words for each of the pixels ``xs`` of a row."""
    r, a, x0 = _u8(row) & _LOW, _u8(attempt), _u8(column)
    for c in range(xs.size):
        a0, a1, _, _ = _philox((x0 + _u8(xs[c])) & _LOW, r, a, _u8(_RETRY), key)
        u[c], v[c] = _i4(a0), _i4(a1)


@numba.njit(**FLAGS)
def poisson_kernel(mean, key, row, column, out, first, last):
    """Rows ``first`` to ``last`` of `poisson`."""
    W = mean.shape[1]
    key = _u8(key)
    buffer_u, buffer_v = np.empty(W + 2 * _STRIPE, _i4), np.empty(W + 2 * _STRIPE, _i4)
    l, k, bright, done = np.empty(W, _f4), np.empty(W, _f4), np.empty(W, _i4), np.empty(W, _i4)
    xs = np.zeros(W + _PADDING, _u4)  # the pixels of a list, and l, u, v, k, ok of those
    cl, cu, cv = np.ones(W + _PADDING, _f4), np.zeros(W + _PADDING, _i4), np.zeros(W + _PADDING, _i4)
    ck, cok = np.empty(W + _PADDING, _f4), np.empty(W + _PADDING, _i4)
    uniform, p, s = np.empty(_CHUNK, _f4), np.empty(_CHUNK, _f4), np.empty(_CHUNK, _f4)
    for i in range(first, last):
        count = _sanitise(mean[i], l, bright)
        u = _words(key, _SHOT_U, row + i, column, W, buffer_u)
        v = _words(key, _SHOT_V, row + i, column, W, buffer_v)
        if count > 0:
            _squeeze(l, u, v, bright, k, done)
            m = _list(done, xs)
            for c in range(m):
                cl[c], cu[c], cv[c] = l[xs[c]], u[xs[c]], v[xs[c]]
            attempt = 0
            while m > 0:
                _reject(cl, cu, cv, _padded(m), ck, cok)
                m = _settle(xs, m, cl, ck, cok, k)
                attempt += 1
                _retry_words(key, attempt, row + i, column, xs[: _padded(m)], cu, cv)
        if count < W:
            m = _list(bright, xs)
            for c in range(0, m, _CHUNK):
                _invert(l, u, v, xs[c : min(c + _CHUNK, m)], k, cl, uniform, p, s, ck)
        for x in range(W):
            out[i, x] = k[x]


@numba.njit(**FLAGS)
def _padded(n):
    """Whole vectors: what lies beyond a list is computed and ignored, which costs less than its last few pixels one by one."""
    return (n + _PADDING - 1) // _PADDING * _PADDING


@numba.njit(**FLAGS)
def _settle(xs, n, l, ck, cok, k):
    """Write the candidate counts home; the pixels whose candidate was not taken stay in the list. Returns how many."""
    left = _u8(0)
    for c in range(n):
        x = xs[c]
        k[x] = ck[c]
        xs[left], l[left] = x, l[c]
        left += _u8(1 - cok[c])
    return _i4(left)


@numba.njit(**FLAGS)
def _sanitise(mean, l, bright):
    """Means in [0, MAX_MEAN], NaN to 0, and which of them are bright; returns how many."""
    count = _i4(0)
    for x in range(l.size):
        a = mean[x]
        l[x] = min(a, _f4(MAX_MEAN)) if a > _f4(0) else _f4(0)
        bright[x] = _i4(a >= _BRIGHT)
    for x in range(l.size):
        count += bright[x]
    return count


@numba.njit(**FLAGS)
def _tail_uniform(word):
    """The lower 31 bits as a number in (0, 1/2), finer towards 0."""
    return (_f4(_i4(word & _i4(0x7FFFFFFF))) + _f4(0.5)) * _f4(2.0**-32)


@numba.njit(**FLAGS)
def _uniform(word):
    """The upper 31 bits as a number in (0, 1], finer towards 0."""
    return (_f4(_i4(_i4(word >> 1) & _i4(0x7FFFFFFF))) + _f4(0.5)) * _f4(2.0**-31)


@numba.njit(**FLAGS)
def _transformed(l, word):
    """Hoermann's hat at mean l: a, b, the distance of u from its nearer end, floor(l) and the candidate count less floor(l)."""
    b = _fma(_f4(2.53), math.sqrt(l), _f4(0.931))
    a = _fma(_f4(0.02483), b, _f4(-0.059))
    us = _tail_uniform(word)
    u = _f4(0.5) - us if word >= 0 else us - _f4(0.5)
    whole = np.floor(l)
    # the whole part stays out of the sum, which would lose the fraction of a large l
    d = np.floor(_fma(_f4(2) * a / us + b, u, (l - whole) + _f4(0.43)))
    return a, b, us, whole, d


@numba.njit(**FLAGS)
def _squeeze(l, u, v, bright, k, done):
    """A first candidate for each bright pixel, and whether the squeeze takes it: so it does in three of four cases."""
    for x in range(l.size):
        _, b, us, whole, d = _transformed(max(l[x], _BRIGHT), u[x])
        k[x] = whole + d
        taken = (us >= _f4(0.07)) & (_uniform(v[x]) <= _f4(0.9277) - _f4(3.6224) / (b - _f4(2)))
        done[x] = _i4(taken) | _i4(1 - bright[x])


@numba.njit(**FLAGS)
def _list(done, xs):
    """The pixels that are not done; returns how many they are."""
    m = _u8(0)
    for x in range(done.size):
        xs[m] = x
        m += _u8(1 - done[x])
    return _i4(m)


@numba.njit(**FLAGS)
def _reject(l, u, v, n, k, ok):
    """The full test: v h(k) <= p(k), in logarithms, with log p(k) = -log(2 pi k) / 2 - deviance(k, l) - Stirling's remainder."""
    for i in range(n):
        ll, vv = l[i], _uniform(v[i])
        a, b, us, whole, d = _transformed(ll, u[i])
        kk = whole + d
        k1 = max(kk, _f4(1))
        inverse_alpha = _f4(1.1239) + _f4(1.1328) / (b - _f4(3.4))
        log_v = _log(vv * inverse_alpha / (a / (us * us) + b) * math.sqrt(_f4(2 * math.pi) * k1))
        excess = d - (ll - whole)
        r = excess / ll
        series = _fma(r, _fma(r, _fma(r, _f4(1 / 56), _f4(-1 / 42)), _f4(1 / 30)), _f4(-1 / 20))
        series = _fma(r, _fma(r, _fma(r, series, _f4(1 / 12)), _f4(-1 / 6)), _f4(1 / 2))
        near, far = ll * (r * r * series), kk * _log(k1 / ll) - excess
        q = _f4(1) / k1
        stirling = q * (_f4(1 / 12) - q * q * (_f4(1 / 360) - q * q * _f4(1 / 1260)))
        log_p = -(near if abs(r) < _f4(0.15) else far) - stirling
        log_p = log_p if kk > _f4(0.5) else _f4(0.5 * math.log(2 * math.pi)) - ll
        squeezed = (us >= _f4(0.07)) & (vv <= _f4(0.9277) - _f4(3.6224) / (b - _f4(2)))
        outside = (kk < _f4(0)) | ((us < _f4(0.013)) & (vv > us))
        k[i] = kk
        ok[i] = _i4(squeezed | ((log_v <= log_p) & (not outside)))


@numba.njit(**FLAGS)
def _invert(l, u, v, xs, k, cl, cu, p, s, ck):
    """The count is the number of j with u > P(X <= j), summed in lock-step; the rare large u again, in double precision."""
    n = xs.size
    brightest = _f4(0)
    for c in range(n):
        cl[c], cu[c] = l[xs[c]], _uniform(u[xs[c]])
        brightest = max(brightest, cl[c])
    for c in range(n):
        p[c] = _exp_minus(cl[c])
        s[c], ck[c] = p[c], _f4(0)
    for j in range(1, _terms(brightest), 4):
        a1, a2, a3, a4 = _f4(1) / _f4(j), _f4(1) / _f4(j + 1), _f4(1) / _f4(j + 2), _f4(1) / _f4(j + 3)
        for c in range(n):
            ll, uu = cl[c], cu[c]
            p1 = p[c] * (ll * a1)
            p2 = p1 * (ll * a2)
            p3 = p2 * (ll * a3)
            p4 = p3 * (ll * a4)
            s0 = s[c]
            s1 = s0 + p1
            s2 = s1 + p2
            s3 = s2 + p3
            more = (_f4(1) if uu > s0 else _f4(0)) + (_f4(1) if uu > s1 else _f4(0))
            more += (_f4(1) if uu > s2 else _f4(0)) + (_f4(1) if uu > s3 else _f4(0))
            ck[c] += more
            s[c], p[c] = s3 + p4, p4
    for c in range(n):
        x = xs[c]
        k[x] = ck[c] if cu[c] <= _TAIL else _invert_tail(l[x], u[x], v[x])


@numba.njit(**FLAGS)
def _terms(l):
    """So many counts from 0 on hold more than `_TAIL` of the probability."""
    return int(l + _f4(3.5) * math.sqrt(l) + _f4(4))


@numba.njit(**FLAGS)
def _invert_tail(mean, high, low):
    """Inversion of 64 random bits in double precision: the count is the least k with P(X > k) <= 1 - u."""
    l = np.float64(mean)
    above = 1 - ((_u8(high) & _LOW) + ((_u8(low) & _LOW) + 0.5) * 2.0**-32) * 2.0**-32
    p = 1.0  # exp(-l) = exp(-l / 64)^64, by its series, for every machine has a libm of its own
    for term in range(13, 0, -1):
        p = 1 - l / (64 * term) * p
    for _ in range(6):
        p *= p
    k = 0
    s = p
    while 1 - s > above and k < 1000:
        k += 1
        p *= l / k
        s += p
    return _f4(k)


@numba.njit(**FLAGS)
def normal_kernel(key, row, column, out, first, last):
    """Rows ``first`` to ``last`` of `normal`."""
    W = out.shape[1]
    key = _u8(key)
    buffer = np.empty(W + 2 * _STRIPE, _i4)
    for i in range(first, last):
        word, z = _words(key, _NORMAL, row + i, column, W, buffer), out[i]
        for j in range(W):
            tail = _tail_uniform(word[j])
            z[j] = -_log(_f4(4) * tail * (_f4(1) - tail))
        for j in range(W):
            x = _f4(1) - _f4(2) * _tail_uniform(word[j])
            z[j] = _f4(math.sqrt(2)) * _erfinv_ratio(z[j]) * (x if word[j] >= 0 else -x)


@numba.njit(**FLAGS)
def tukey_kernel(key, row, column, exponent, scale, out, first, last):
    """Rows ``first`` to ``last`` of `tukey_lambda`: Q = d exp(lambda (a + b) / 2) sinh(h) / h.

    With a = log p, b = log(1 - p), d = a - b and h = lambda d / 2, which loses no digits where lambda or d is small.
    """
    W = out.shape[1]
    key, half = _u8(key), _f4(0.5) * exponent
    buffer = np.empty(W + 2 * _STRIPE, _i4)
    for i in range(first, last):
        word, z = _words(key, _NORMAL, row + i, column, W, buffer), out[i]
        for j in range(W):
            tail = _tail_uniform(word[j])
            a, b = _log(_f4(1) - tail), _log(tail)
            h = half * (a - b)
            series = _fma(h * h, _fma(h * h, _f4(1 / 362880), _f4(1 / 5040)), _f4(1 / 120))
            series = _fma(h * h, _fma(h * h, series, _f4(1 / 6)), _f4(1))
            e = _exp_minus(h)
            ratio = series if h * h < _f4(1) else (_f4(1) / e - e) / (_f4(2) * h)
            q = scale * (a - b) * _exp_minus(-half * (a + b)) * ratio
            z[j] = q if word[j] >= 0 else -q


@numba.njit(**FLAGS)
def _erfinv_ratio(w):
    """erfinv(x) / x, given w = -log(1 - x^2): Giles' two polynomials."""
    a = w - _f4(2.5)
    p = _fma(a, _fma(a, _f4(2.81022636e-08), _f4(3.43273939e-07)), _f4(-3.5233877e-06))
    p = _fma(a, _fma(a, _fma(a, p, _f4(-4.39150654e-06)), _f4(0.00021858087)), _f4(-0.00125372503))
    p = _fma(a, _fma(a, _fma(a, p, _f4(-0.00417768164)), _f4(0.246640727)), _f4(1.50140941))
    b = math.sqrt(max(w, _f4(0))) - _f4(3)
    q = _fma(b, _fma(b, _f4(-0.000200214257), _f4(0.000100950558)), _f4(0.00134934322))
    q = _fma(b, _fma(b, _fma(b, q, _f4(-0.00367342844)), _f4(0.00573950773)), _f4(-0.0076224613))
    q = _fma(b, _fma(b, _fma(b, q, _f4(0.00943887047)), _f4(1.00167406)), _f4(2.83297682))
    return p if w < _f4(5) else q


@numba.njit(**FLAGS)
def _log(x):
    """Natural logarithm of a positive normal number: exponent, and Cephes' polynomial on a mantissa in [sqrt(1/2), sqrt(2))."""
    bits = _bits(x)
    e = _i4(_i4(bits - _i4(0x3F3504F3)) >> 23)
    m = _number(_i4(bits - (e << 23))) - _f4(1)
    p = _fma(m, _fma(m, _f4(7.0376836292e-2), _f4(-1.1514610310e-1)), _f4(1.1676998740e-1))
    p = _fma(m, _fma(m, _fma(m, p, _f4(-1.2420140846e-1)), _f4(1.4249322787e-1)), _f4(-1.6668057665e-1))
    p = _fma(m, _fma(m, _fma(m, p, _f4(2.0000714765e-1)), _f4(-2.4999993993e-1)), _f4(3.3333331174e-1))
    return _fma(_f4(e), _f4(math.log(2)), _fma(m * m, _fma(m, p, _f4(-0.5)), m))


@numba.njit(**FLAGS)
def _exp_minus(x):
    """exp(-x) for -80 < x < 80: a power of two, and Cephes' polynomial on the rest; log(2) in two parts keeps the rest exact."""
    e = np.floor(_fma(x, _f4(-1 / math.log(2)), _f4(0.5)))
    r = _fma(e, _f4(2.12194440e-4), _fma(e, _f4(-0.693359375), -x))
    p = _fma(r, _fma(r, _f4(1.9875691500e-4), _f4(1.3981999507e-3)), _f4(8.3334519073e-3))
    p = _fma(r, _fma(r, _fma(r, p, _f4(4.1665795894e-2)), _f4(1.6666665459e-1)), _f4(5.0000001201e-1))
    return _number(_i4(_bits(_fma(r * r, p, r) + _f4(1)) + (_i4(e) << 23)))


@_intrinsic
def _fma(typing_context, a, b, c):
    """a b + c, rounded once: said explicitly, it is one instruction and the same everywhere."""
    f = types.float32
    return f(f, f, f), lambda context, builder, signature, arguments: builder.fma(*arguments)


@_intrinsic
def _bits(typing_context, x):
    """The bits of a float32 as int32."""
    i4 = ir.IntType(32)
    return types.int32(types.float32), lambda context, builder, signature, arguments: builder.bitcast(*arguments, i4)


@_intrinsic
def _number(typing_context, bits):
    """The float32 that has these bits."""
    f4 = ir.FloatType()
    return types.float32(types.int32), lambda context, builder, signature, arguments: builder.bitcast(*arguments, f4)
