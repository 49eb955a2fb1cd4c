"""What was asked of something that was written, and the answer.

Belongs here: that, and nothing else.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One question and its answer.

    Attributes:
        name: Of the question.
        problems: What is wrong; nothing where all is right.
        observed: What was looked at, in words.
    """

    name: str
    problems: tuple[str, ...]
    observed: str
