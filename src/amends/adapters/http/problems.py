"""How an endpoint says no, for one message or for a whole request: problem details (RFC 9457)."""

import msgspec

MEDIA_TYPE = "application/problem+json"
TYPE = "/problems/"


class ProblemDetails(msgspec.Struct, frozen=True):
    """The body of an error; `type` is `/problems/<name>` and stable."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""

    @property
    def name(self) -> str:
        """`unknown-message`; of a foreign server's problem what it has, such as `http-502`."""
        return self.type.rpartition("/")[2] if self.type != "about:blank" else f"http-{self.status}"


def problem(status: int, name: str, detail: str) -> ProblemDetails:
    """One of ours: its title is its name."""
    return ProblemDetails(TYPE + name, name.replace("-", " ").capitalize(), status, detail)


class Rejected(Exception):
    """Nothing of the request was done, and the same again would not be done either, unless `retry_after_s` is given."""

    def __init__(self, details: ProblemDetails, retry_after_s: float | None = None) -> None:
        super().__init__(f"{details.status} {details.name}: {details.detail}")
        self.details = details
        self.retry_after_s = retry_after_s


def rejected(status: int, name: str, detail: str, retry_after_s: float | None = None) -> Rejected:
    return Rejected(problem(status, name, detail), retry_after_s)
