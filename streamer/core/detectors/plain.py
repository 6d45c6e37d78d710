"""Plain: river's detectors as plain data and back, exactly; no pickle, so that nothing is run when a state is read.

What is compiled (ADWIN's buckets, exponentially weighted means) is kept as the bytes it gives of
itself, which mean something to the same version of river only: ``VERSION`` stands beside them.
"""

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from streamer.core.errors import StateError

if TYPE_CHECKING:
    from river.drift import ADWIN, KSWIN, PageHinkley
    from river.drift.binary import HDDMA, HDDMW
    from river.drift.binary.hddm_w import SampleInfo
    from river.stats import Mean

_MEANS: Final = ("_x_min", "_x_max", "_z")
_SAMPLES: Final = ("_total", "_s1_decr", "_s1_incr", "_s2_decr", "_s2_incr")


class Detector(Protocol):
    """What all of river's drift detectors do."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last number was the one too many."""
        ...

    def update(self, x: float) -> object:
        """Take in a number."""
        ...


class _Adwin(msgspec.Struct, frozen=True, tag="adwin"):
    fired: bool
    helper: bytes


class _Kswin(msgspec.Struct, frozen=True, tag="kswin"):
    fired: bool
    n: int
    p_value: float
    window: list[float]
    chance: tuple[int, ...]


class _PageHinkley(msgspec.Struct, frozen=True, tag="page_hinkley"):
    fired: bool
    mean: tuple[float, float]
    increase: float
    decrease: float
    least: float
    most: float


class _HddmA(msgspec.Struct, frozen=True, tag="hddm_a"):
    fired: bool
    means: list[tuple[float, float]]


class _HddmW(msgspec.Struct, frozen=True, tag="hddm_w"):
    fired: bool
    samples: list[tuple[bytes, bool, float]]
    increase: float
    decrease: float


_State = _Adwin | _Kswin | _PageHinkley | _HddmA | _HddmW
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_State)


def frozen(detector: Detector) -> bytes:
    """State of a detector of river's; equal states give equal bytes."""
    from river.drift import ADWIN, KSWIN, PageHinkley
    from river.drift.binary import HDDMA, HDDMW

    match detector:
        case ADWIN():
            state: _State = _Adwin(detector.drift_detected, bytes(detector._helper.__getstate__()))
        case KSWIN():
            state = _freeze_kswin(detector)
        case PageHinkley():
            state = _freeze_page_hinkley(detector)
        case HDDMA():
            means: list[Mean] = [getattr(detector, name) for name in _MEANS]
            state = _HddmA(detector.drift_detected, [(m.n, m.get()) for m in means])
        case HDDMW():
            samples: list[SampleInfo] = [getattr(detector, name) for name in _SAMPLES]
            state = _HddmW(
                detector.drift_detected,
                [(bytes(s._ewma._ewmean.__getstate__()), s._is_init, s._ibc) for s in samples],
                detector._incr_cutpoint,
                detector._decr_cutpoint,
            )
        case _:
            raise TypeError(f"{type(detector).__name__} is no detector whose state is known here")
    return _ENCODER.encode(state)


def thaw(detector: Detector, data: bytes) -> None:
    """Put a state into a fresh detector of the same kind and parameters.

    Raises
    ------
    StateError
        The state is of another kind, or none at all.
    """
    from river.drift import ADWIN, KSWIN, PageHinkley
    from river.drift.binary import HDDMA, HDDMW

    try:
        state = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise StateError("a detector's state can't be read") from error
    match detector, state:
        case ADWIN(), _Adwin():
            _thaw_adwin(detector, state)
        case KSWIN(), _Kswin():
            _thaw_kswin(detector, state)
        case PageHinkley(), _PageHinkley():
            _thaw_page_hinkley(detector, state)
        case HDDMA(), _HddmA():
            _thaw_hddm_a(detector, state)
        case HDDMW(), _HddmW():
            _thaw_hddm_w(detector, state)
        case _:
            raise StateError("a detector's state is another kind's")


def _thaw_adwin(detector: "ADWIN", state: _Adwin) -> None:
    detector._helper.__setstate__(state.helper)
    detector._drift_detected = state.fired


def _freeze_kswin(detector: "KSWIN") -> _Kswin:
    chance = detector._rng.getstate()[1]
    window = [float(value) for value in detector.window]
    return _Kswin(detector.drift_detected, detector.n, float(detector.p_value), window, chance)


def _thaw_kswin(detector: "KSWIN", state: _Kswin) -> None:
    detector.n, detector.p_value = state.n, state.p_value  # type: ignore[assignment]  # it begins as 0
    detector.window = deque(state.window, maxlen=detector.window_size)
    version, _, _ = detector._rng.getstate()
    try:
        detector._rng.setstate((version, state.chance, None))
    except (ValueError, TypeError) as error:
        raise StateError("a detector's state can't be read") from error
    detector._drift_detected = state.fired


def _freeze_page_hinkley(detector: "PageHinkley") -> _PageHinkley:
    return _PageHinkley(
        detector.drift_detected,
        (detector._x_mean.n, detector._x_mean.get()),
        detector._sum_increase,
        detector._sum_decrease,
        detector._min_increase,
        float(detector._max_decrease),
    )


def _thaw_page_hinkley(detector: "PageHinkley", state: _PageHinkley) -> None:
    detector._x_mean = _mean(state.mean)
    detector._sum_increase, detector._sum_decrease = state.increase, state.decrease
    detector._min_increase = state.least
    detector._max_decrease = state.most  # type: ignore[assignment]  # it begins as -1, and is a number
    detector._drift_detected = state.fired


def _thaw_hddm_a(detector: "HDDMA", state: _HddmA) -> None:
    for name, mean in zip(_MEANS, state.means, strict=True):
        setattr(detector, name, _mean(mean))
    detector._drift_detected = state.fired


def _thaw_hddm_w(detector: "HDDMW", state: _HddmW) -> None:
    for name, (mean, begun, bound) in zip(_SAMPLES, state.samples, strict=True):
        sample: SampleInfo = getattr(detector, name)
        sample._ewma._ewmean.__setstate__(mean)
        sample._is_init, sample._ibc = begun, bound
    detector._incr_cutpoint, detector._decr_cutpoint = state.increase, state.decrease
    detector._drift_detected = state.fired


def _mean(state: tuple[float, float]) -> "Mean":
    from river.stats import Mean

    return Mean._from_state(*state)
