"""Answers that contradict the decision: the saga gets stuck, a person has to look."""

from amends.messages import Refusal


class Lost(Refusal):
    """To be committed, and neither prepared nor committed: somebody has ended it by hand, or the database lost it."""

    gid: str


class CommittedAlready(Refusal):
    """To be aborted, and it was committed: somebody has ended it by hand."""

    gid: str
