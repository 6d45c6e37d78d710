"""Named: one of river's drift detectors, taking one finite number after the other.

The one place where river is met. It is imported when the first detector is made, or by ``prepare``:
that takes 3 s and 170 MB, which nobody pays who asks for none.

References
----------
A. Bifet, R. Gavalda (2007), "Learning from time-changing data with adaptive windowing", SDM (ADWIN);
C. Raab, M. Heusinger, F.-M. Schleif (2020), "Reactive soft prototype computing for concept drift
streams", Neurocomputing (KSWIN); E. S. Page (1954), "Continuous inspection schemes", Biometrika 41
(Page-Hinkley); I. Frias-Blanco et al. (2014), "Online and non-parametric drift detection methods
based on Hoeffding's bounds", IEEE TKDE 27 (HDDM).
"""

import math
from collections.abc import Mapping

from streamer.core.detectors.kinds import KINDS, Value
from streamer.core.detectors.plain import Detector, frozen, thaw


def version() -> str:
    """River's: what it gives of itself as bytes means something to this one only."""
    from river.__version__ import __version__

    return __version__


def prepare() -> None:
    """Import what detectors need, at a moment when nobody waits."""
    import river.drift.binary  # noqa: F401 - the import is what is wanted


class Named:
    """One of river's detectors.

    It says at which number it fires and begins anew with the next one, as all of river's do. A number
    that is not finite would disable most of them for ever, without a word: it is refused.

    Parameters
    ----------
    kind : str
        One of ``kinds.STREAMED``.
    parameters : mapping of str to bool, number or str
        Those that are not the defaults, in range.

    Attributes
    ----------
    warm_up : int
        So many numbers are taken in before the first at which it may fire.

    Examples
    --------
    >>> detector = Named("page_hinkley", {"threshold": 5.0, "min_instances": 10})
    >>> [i for i in range(60) if detector.update(0.0 if i < 40 else 1.0)]
    [45]
    """

    def __init__(self, kind: str, parameters: Mapping[str, Value]) -> None:
        self.kind = kind
        self._parameters = KINDS[kind].complete(parameters)
        self._detector = _made(kind, self._parameters)
        self.warm_up = _warm_up(kind, self._parameters)

    def update(self, value: float) -> bool:
        """Take in a number and say whether that was one too many: 1 to 40 us, KSWIN 400.

        Raises
        ------
        ValueError
            It is not finite; nothing has changed.
        """
        if not math.isfinite(value):
            raise ValueError("a detector takes finite numbers only")
        self._detector.update(value)
        return bool(self._detector.drift_detected)

    def to_state(self) -> bytes:
        """Everything needed to go on as if never stopped, for this version of river; equal states give equal bytes."""
        return frozen(self._detector)

    def restore(self, state: bytes) -> None:
        """Go on from the state of a detector of the same kind, parameters and version of river.

        Raises
        ------
        StateError
            The state is another kind's, or none at all.
        """
        fresh = _made(self.kind, self._parameters)
        thaw(fresh, state)
        self._detector = fresh


def _made(kind: str, parameters: dict[str, Value]) -> Detector:
    from river.drift import ADWIN, KSWIN, PageHinkley
    from river.drift.binary import HDDMA, HDDMW

    classes = {"adwin": ADWIN, "kswin": KSWIN, "page_hinkley": PageHinkley, "hddm_a": HDDMA, "hddm_w": HDDMW}
    made: Detector = classes[kind](**parameters)
    return made


def _warm_up(kind: str, parameters: dict[str, Value]) -> int:
    needed = {"adwin": "grace_period", "kswin": "window_size", "page_hinkley": "min_instances"}.get(kind)
    value = parameters[needed] if needed is not None else 1
    # The one that completes what is needed may already be one too many.
    return max(int(value) - 1, 0)
