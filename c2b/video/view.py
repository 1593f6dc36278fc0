"""A view of a recording: other frames than its own, of the same file, with the same meaning."""

from __future__ import annotations

from c2b.video.recording import Recording

#: What the numbers of a view mean is what those of the recording mean.
SAME = (
    *("path", "format", "dtype", "white", "black", "white_stated", "bits", "response", "colour", "shutter", "rate", "rate_nominal"),
    *("record", "presentation", "made_of"),
)


class View(Recording):
    """Frames made of those of ``whole``; what a subclass changes, it sets after this. Closing it closes that recording.

    Parameters
    ----------
    whole : Recording
    """

    def __init__(self, whole: Recording) -> None:
        self._whole = whole
        for name in SAME:
            setattr(self, name, getattr(whole, name))

    def note(self, line: str) -> None:
        self._whole.note(line)

    @property
    def notes(self) -> tuple[str, ...]:
        return self._whole.notes

    def close(self) -> None:
        self._whole.close()
