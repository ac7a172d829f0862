"""Schedules as CronJobs have them: five fields, in a time zone. What a change of the clock skips comes right after it, what it repeats comes once."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

FIELDS = 5
SCHEDULE_PATTERN = r"^\S+( +\S+){4}$"
ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+/-]*$"
UTC_ZONE = "Etc/UTC"


def tick_before(schedule: str, zone: str, now: datetime) -> datetime:
    """The last tick at or before `now`, in UTC."""
    tick = next(CronSim(schedule, now.astimezone(ZoneInfo(zone)), reverse=True)).astimezone(UTC)
    while (following := tick_after(schedule, zone, tick)) <= now:  # backwards, CronSim leaves out `now` itself and what the clock repeats
        tick = following
    return tick


def tick_after(schedule: str, zone: str, now: datetime) -> datetime:
    """The first tick after `now`, in UTC."""
    ticks = (tick.astimezone(UTC) for tick in CronSim(schedule, now.astimezone(ZoneInfo(zone))))
    return next(tick for tick in ticks if tick > now)  # in an hour that the clock repeats, CronSim starts from the first of the two


def _five_fields(text: str) -> str:
    try:
        next(CronSim(text, datetime(2026, 1, 1)))  # noqa: DTZ001 any time will do
    except CronSimError as error:
        raise ValueError(f"is no schedule: {str(error).lower()}; write minute, hour, day of month, month and day of week, as in 0 3 * * 1") from None
    except StopIteration:
        raise ValueError("never comes: correct the day and the month") from None
    return text


def _known_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone: use a name such as Europe/Berlin") from None
    return text


Schedule = Annotated[str, Field(max_length=128, pattern=SCHEDULE_PATTERN), AfterValidator(_five_fields)]
TimeZone = Annotated[str, Field(max_length=64, pattern=ZONE_PATTERN), AfterValidator(_known_zone)]
