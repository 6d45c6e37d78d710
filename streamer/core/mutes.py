"""Mutes: of what nobody is told for a while, and what may not fire again yet, because a person said so."""

from collections.abc import Iterable, Sequence

import msgspec

from streamer.core.cause import Cause, Judge


class MuteRule(msgspec.Struct, frozen=True):
    """Of which incidents of an endpoint nobody is told.

    Attributes
    ----------
    cause : Cause or None
        ``None``: of any.
    feature : str or None
        Only of this feature; ``None``: of any, and of the endpoint as a whole.
    until_at : int
        Watermark at which it ends, milliseconds since the epoch.
    """

    cause: Cause | None
    feature: str | None
    until_at: int


class Held(msgspec.Struct):
    """A cause that may not fire: a person ended its incident while the condition went on.

    Attributes
    ----------
    cause : Cause
        Which.
    until_at : int
        End of the last window that was broken.
    opens_at : int or None
        Windows that end by then are passed over, whatever they hold; ``None``: until the cause has
        been judged well as long as a firing alert needs to resolve.
    judges : tuple of Judge
        Who must judge it well.
    """

    cause: Cause
    until_at: int
    opens_at: int | None = None
    judges: tuple[Judge, ...] = (Judge.RULES,)


def muted_until(mutes: Sequence[MuteRule], cause: Cause, features: Iterable[str]) -> int:
    """Watermark until which nobody is told of an incident; 0 for one that is not muted.

    Parameters
    ----------
    mutes : sequence of MuteRule
        Of its endpoint.
    cause : Cause
        The incident's.
    features : iterable of str
        Those with a part in it: mutes of single features hold only where each of them is muted.
    """
    mine = [mute for mute in mutes if mute.cause in (None, cause)]
    whole = max((mute.until_at for mute in mine if mute.feature is None), default=0)
    each = [max((m.until_at for m in mine if m.feature == feature), default=0) for feature in set(features)]
    return max(whole, min((max(until_at, whole) for until_at in each), default=0))
