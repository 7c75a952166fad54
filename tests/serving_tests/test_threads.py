"""Where a batch runs: on the event loop while it is short, on a thread when a processor to spare makes that quicker."""

import asyncio
import threading

import pytest

from serving.threads import INLINE_ALONE_S, INLINE_S, Threads


@pytest.mark.parametrize(
    ("slots", "expected", "inline"),
    [
        pytest.param(1, INLINE_ALONE_S * 0.9, True, id="alone, short"),
        pytest.param(1, INLINE_ALONE_S, False, id="alone, long"),
        pytest.param(2, INLINE_S * 0.9, True, id="not alone, short"),
        pytest.param(2, INLINE_ALONE_S * 0.9, False, id="not alone, as short as would be inline alone"),
    ],
)
def test_short_batches_run_on_the_event_loop(slots: int, expected: float, inline: bool) -> None:
    async def run() -> bool:
        threads, came = Threads(slots), asyncio.get_running_loop().create_future()
        threads.start(threading.get_ident, came.set_result, expected)
        where = await came
        threads.close()
        return where == threading.get_ident()

    assert asyncio.run(run()) is inline
