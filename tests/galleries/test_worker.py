"""Threads with a bounded queue: what is given up is neither run nor kept."""

import asyncio
import gc
import threading
import weakref

from sbirctl.galleries.server.worker import Worker


class Work:
    """A job that holds something large."""

    ran = False

    def __call__(self):
        type(self).ran = True


def test_a_job_given_up_before_its_turn_is_not_kept_until_then():
    async def play():
        worker, hold = Worker("test", 1, 2), threading.Event()
        try:
            first = asyncio.create_task(worker.run(hold.wait))
            work = Work()
            seen = weakref.ref(work)
            second = asyncio.create_task(worker.run(work))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait({second})
            del work, second
            gc.collect()
            assert seen() is None
            hold.set()
            assert await first
            assert await worker.run(lambda: 5) == 5
        finally:
            hold.set()
            worker.close()

    asyncio.run(play())
    assert not Work.ran
