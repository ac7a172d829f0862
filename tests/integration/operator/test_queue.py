"""The work queue: no key twice at once, none lost, failures ever later."""

import asyncio
import random

from labelplane.handlers.queue import LAST_RETRY_SECONDS, QueueClosedError, WorkQueue
from tests.patience import HANG_SECONDS


def queue() -> WorkQueue[str]:
    return WorkQueue(jitter=lambda: 1.0)


async def test_a_key_added_twice_is_handed_out_once() -> None:
    q = queue()
    q.add("a")
    q.add("a")
    assert await q.take() == "a"
    assert q.depth == 0


async def test_a_key_added_while_processing_comes_again_only_after_done() -> None:
    q = queue()
    q.add("a")
    await q.take()
    q.add("a")
    assert q.depth == 0
    q.done("a")
    assert await q.take() == "a"


async def test_keys_come_in_the_order_they_were_added() -> None:
    q = queue()
    for key in "cab":
        q.add(key)
    assert [await q.take() for _ in range(3)] == ["c", "a", "b"]


async def test_the_earlier_of_two_delays_counts() -> None:
    q = queue()
    q.later("a", 3600)
    q.later("a", 0.01)
    q.later("a", 3600)
    async with asyncio.timeout(HANG_SECONDS):
        assert await q.take() == "a"


async def test_taking_a_key_forgets_its_delay() -> None:
    """The reconcile that starts now decides when to look again."""
    q = queue()
    q.later("a", 0.05)
    q.add("a")
    await q.take()
    q.done("a")
    q.later("b", 0.1)
    async with asyncio.timeout(HANG_SECONDS):
        assert await q.take() == "b"


async def test_failures_double_the_delay_up_to_five_minutes() -> None:
    q, loop, delays = queue(), asyncio.get_running_loop(), []
    for _ in range(12):
        before = loop.time()
        q.retry("a")
        delays.append((q._timers["a"].when() - loop.time(), q._timers["a"].when() - before))
        q.add("a")
        await q.take()
        q.done("a")
    for number, (least, most) in enumerate(delays):  # it was set between two readings of the clock
        assert least - 1e-6 <= min(LAST_RETRY_SECONDS, 2.0**number) <= most + 1e-6
    q.succeeded("a")
    assert q.retry("a") == 1
    q.close()


async def test_closing_wakes_every_waiter() -> None:
    q = queue()
    waiters = [asyncio.create_task(q.take()) for _ in range(3)]
    await asyncio.sleep(0)
    q.close()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert all(isinstance(result, QueueClosedError) for result in results)


async def test_many_workers_never_share_a_key_and_lose_none() -> None:
    """2,000 random additions, 8 workers: the last addition of each key is always followed by a reconcile."""
    q, chance = queue(), random.Random(7)
    busy: set[str] = set()
    idle = asyncio.Event()
    wanted: dict[str, int] = {}
    seen: dict[str, int] = {}

    async def work() -> None:
        while True:
            key = await q.take()
            assert key not in busy
            busy.add(key)
            seen[key] = wanted[key]
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            busy.discard(key)
            q.done(key)
            if not q.depth and not busy:
                idle.set()

    workers = [asyncio.create_task(work()) for _ in range(8)]
    for number in range(2000):
        key = f"key-{chance.randrange(40)}"
        wanted[key] = number
        q.add(key)
        if chance.random() < 0.3:
            await asyncio.sleep(0)
    idle.clear()
    q.add(key)
    async with asyncio.timeout(HANG_SECONDS):
        await idle.wait()
    q.close()
    assert all(isinstance(end, QueueClosedError) for end in await asyncio.gather(*workers, return_exceptions=True))
    assert seen == wanted
