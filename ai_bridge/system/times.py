"""Times as text and back: the only module that formats and parses them. All of them are in UTC but `local_minute`.

There are two forms. A *date* is RFC 3339 (`2026-11-22T03:24:05Z`), for people and headers. A *stamp* is the 20
digits `YYYYMMDDHHMMSSffffff`; IDs carry one, and stamps sort as their times do. A send needs this module, so it
imports only `time`. The functions that parse import what they need.
"""

import time

STAMP_DIGITS = 20
_WHOLE_SECONDS = 14
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# More digits than these make a duration that no clock can go back by.
_MOST_DIGITS = 9
# A hundred years: a time later than the year 9999 has no form.
_LONGEST_S = 100 * 366 * 86_400


def format_utc(seconds: float, fraction: str = "") -> str:
    """Return seconds since the epoch as a date; `fraction` are the digits behind its decimal point, '' for none."""
    point = f".{fraction}" if fraction else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{point}Z"


def parse_utc(text: object) -> float:
    """Return the seconds since the epoch of a date of whole seconds, 0.0 if `text` is none."""
    try:
        return _seconds(str(text), "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return 0.0


def format_stamp(nanoseconds: int) -> str:
    """Return nanoseconds since the epoch as a stamp; what is less than a microsecond is cut off."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y%m%d%H%M%S', time.gmtime(seconds))}{rest // 1000:06d}"


def parse_stamp(stamp: str) -> float:
    """Return the seconds since the epoch of a stamp; raises ValueError if it names no time."""
    if len(stamp) != STAMP_DIGITS or not (stamp.isascii() and stamp.isdigit()):
        raise _no_time(stamp)
    return _seconds(stamp[:_WHOLE_SECONDS], "%Y%m%d%H%M%S") + int(stamp[_WHOLE_SECONDS:]) / 1e6


def stamp_to_date(stamp: str) -> str:
    """Return the date, with microseconds, of a stamp."""
    day, hour = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}", f"{stamp[8:10]}:{stamp[10:12]}:{stamp[12:14]}"
    return f"{day}T{hour}.{stamp[14:]}Z"


def date_to_stamp(date: str) -> str:
    """Return the stamp of a date, with or without a fraction; raises ValueError if it is no time, or not in UTC."""
    digits = "".join(ch for ch in date if ch in "0123456789")
    _seconds(date[:19], "%Y-%m-%dT%H:%M:%S")
    if not date.endswith("Z") or len(digits) > STAMP_DIGITS:
        raise _no_time(date)
    return digits.ljust(STAMP_DIGITS, "0")


def without_fraction(date: str) -> str:
    """Return a date to the second; any other text is returned unchanged."""
    whole, point, rest = date.partition(".")
    is_date = point and rest[-1:] == "Z" and rest[:-1].isdigit() and parse_utc(f"{whole}Z")
    return f"{whole}Z" if is_date else date


def to_minute(date: str) -> str:
    """Return a date as `2026-11-22 03:24Z`; '' for a text that is no date."""
    whole = without_fraction(date)
    return f"{whole[:10]} {whole[11:16]}Z" if parse_utc(whole) else ""


def age(seconds: float) -> str:
    """Return a time span as people say it: `12 s`, `5 min`, `3 h`, `2 d`."""
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def ago(seconds: float) -> str:
    """Return how long ago something was: `5 min ago`; `just now` within a second, or if it is still to come."""
    return f"{age(seconds)} ago" if seconds >= 1 else "just now"


def parse_duration(text: str, what: str) -> int:
    """Return the seconds of a duration: a whole number with `s`, `m`, `h` or `d` behind it, like `90m` or `30d`.

    `what` names the option or setting that holds it, for the refusal. Raises `BadDuration`.
    """
    number, unit = text[:-1], text[-1:]
    if unit in _SECONDS and number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS:
        seconds = int(number) * _SECONDS[unit]
        if seconds <= _LONGEST_S:
            return seconds
    from ai_bridge.errors import BadDuration  # a send needs no refusals here

    raise BadDuration(option=what, text=text)


def stamp_before(seconds: float) -> str:
    """Return the stamp of the moment that was so many seconds ago; the year 1970 if that is earlier."""
    return format_stamp(max(0, time.time_ns() - int(seconds * 1_000_000_000)))


def local_minute(seconds: float) -> str:
    """Return seconds since the epoch as `2026-11-22 04:24`, in the time zone of this process."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _seconds(text: str, form: str) -> float:
    from calendar import timegm

    try:
        return float(timegm(time.strptime(text, form)))
    except ValueError:
        raise _no_time(text) from None


def _no_time(text: str) -> ValueError:
    return ValueError(f"no time in UTC: {text!r}")
