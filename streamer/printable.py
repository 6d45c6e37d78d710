"""Text from outside, so that nothing in it can steer a terminal."""


def printable(text: str, instead: str = "?") -> str:
    """A text whose every character can be printed; others are replaced.

    Parameters
    ----------
    text : str
        Names, messages: whatever somebody else wrote.
    instead : str
        In place of what can't be printed.
    """
    return "".join(c if c.isprintable() else instead for c in text)
