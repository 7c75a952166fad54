"""No server: what one processor gives in a loop, which is the limit. Prints samples per second by kind and batch size as JSON."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from served import Served, np


def rate(work: Callable[[], object], samples: int, seconds: float) -> float:
    """Repeat work for some seconds; gives samples per second."""
    work()
    done, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        work()
        done += samples
    return done / took


def main() -> None:
    """Time raw batches of 1, 8 and 32, and a picture where there is one."""
    served, seconds = Served(), float(sys.argv[1])
    found = {}
    for count in (1, 8, 32):
        batch = np.random.default_rng(0).integers(0, 256, (count, *served.shape), dtype=np.uint8)
        found[f"raw {count}"] = rate(partial(served.run, batch), count, seconds)
    for path in sys.argv[2:]:
        body = Path(path).read_bytes()
        found["jpeg 1"] = rate(partial(served.answer, body), 1, seconds)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
