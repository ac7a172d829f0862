"""Ticks of a schedule, in its time zone (X21)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelplane.api.label_job import LabelJob
from labelplane.api.parse import problems_of
from labelplane.api.schedules import tick_after, tick_before
from tests.manifests import changed, label_job

SCHEDULES = ["* * * * *", "*/15 * * * *", "0 3 * * 1", "30 2 * * *", "0 0 1 */2 *", "5 4 29 2 *"]
ZONES = ["Etc/UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 hypothesis adds the zone


@given(st.sampled_from(SCHEDULES), st.sampled_from(ZONES), MOMENTS)
def test_a_moment_lies_between_its_ticks(schedule: str, zone: str, now: datetime) -> None:
    before, after = tick_before(schedule, zone, now), tick_after(schedule, zone, now)
    assert before <= now < after
    assert tick_after(schedule, zone, before) == after
    assert tick_before(schedule, zone, before) == before
    assert tick_before(schedule, zone, after - timedelta(seconds=1)) == before


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ("2026-01-15T12:00:00", "2026-01-15T01:30:00", "2026-01-16T01:30:00"),
        ("2026-07-15T12:00:00", "2026-07-15T00:30:00", "2026-07-16T00:30:00"),
        ("2026-03-29T00:59:59", "2026-03-28T01:30:00", "2026-03-29T01:00:00"),  # half past two is skipped: at three
        ("2026-10-25T01:00:00", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),  # and comes once where there are two
    ],
)
def test_half_past_two_in_berlin(now: str, before: str, after: str) -> None:
    """In UTC; a change of the clock neither loses a tick nor doubles it."""
    found = [tick("30 2 * * *", "Europe/Berlin", at(now)) for tick in (tick_before, tick_after)]
    assert found == [at(before), at(after)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"schedule": "60 * * * *"}, "spec.schedule: is no schedule: bad minute"),
        ({"schedule": "0 0 30 2 *"}, "spec.schedule"),
        ({"schedule": "0 3 * * 1", "timeZone": "Europe/Atlantis"}, "spec.timeZone: is no time zone: use a name such as Europe/Berlin"),
    ],
)
def test_what_cannot_be_a_schedule_is_named(fields: dict[str, str], words: str) -> None:
    manifest = changed(label_job(), "spec.mode", "scheduled")
    for name, value in fields.items():
        manifest = changed(manifest, f"spec.{name}", value)
    assert any(words in problem for problem in problems_of(manifest, LabelJob)), problems_of(manifest, LabelJob)
