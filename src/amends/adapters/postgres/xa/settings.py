"""What can be set about XA."""

from dataclasses import dataclass

from amends.retry import Retry

UNTIL_ANSWERED = Retry(base_s=0.05, cap_s=2.0)


@dataclass(frozen=True, slots=True)
class XaSettings:
    """Times are in seconds.

    `prepares` and `resolutions` (commits and aborts) bound what is at work at once, a connection each; the second
    never wait for the first, since they set free what the first wait for. `lock_wait_s`: how long a statement of an
    effect waits for a lock before the attempt ends; `retry` gives the pauses between attempts, there is no last one.

    The janitor looks every `look_every_s`, resolves what is prepared for longer than `resolve_after_s`, and gives alarm
    for what is prepared for longer than `alarm_after_s`. Marks of ended transactions are kept for `keep_marks_s`.
    """

    prepares: int = 8
    resolutions: int = 4
    lock_wait_s: float = 0.5
    retry: Retry = UNTIL_ANSWERED
    look_every_s: float = 5.0
    resolve_after_s: float = 30.0
    alarm_after_s: float = 300.0
    keep_marks_s: float = 7 * 86400.0
