"""The one error a user of c2b causes and can mend."""


class Refusal(ValueError):
    """What was asked for cannot be done; the message says why, and what would be right, in one line.

    The command line catches ``Refusal`` and ``OSError`` and nothing else, so that a bug stays visible as a traceback. Line breaks
    that names in a damaged file may hold become spaces.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(" ".join(reason.splitlines()))
