"""How the ranks of a group find one another, after a restart too.

torchrun keeps one store for all attempts of a training, and PyTorch takes the addresses that killed processes left in it
for those of the living. So the ranks first agree on a corner of the store that is new: each asks under a name that it has
made up, and rank 0 answers whatever is asked, also by the dead, until each living one has said that it knows.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from edge.errors import SetupError

_PAUSE_S = 0.01


def meet(wait: timedelta) -> tuple[Store, int, int]:
    """Return a store that no earlier attempt has written to, this rank's number, and how many there are.

    Args:
        wait: How long to wait for the others.

    Raises:
        SetupError: The others do not come.
        RuntimeError: The store cannot be reached.
    """
    store, rank, count = next(rendezvous("env://", timeout=wait))
    return fresh(store, rank, count, wait), rank, count


def fresh(store: Store, rank: int, count: int, wait: timedelta) -> Store:
    """Agree with the other ranks on a new corner of a store, and return it.

    Raises:
        SetupError: The others do not come.
    """
    name = uuid.uuid4().hex
    if rank > 0:
        store.set(f"tandem/asks/{rank}", name)
        corner = store.get(f"tandem/answers/{name}").decode()  # waits for it
        store.set(f"tandem/knows/{corner}/{rank}", "yes")
        return PrefixStore(corner, store)
    missing, last = set(range(1, count)), time.monotonic() + wait.total_seconds()
    while missing:
        missing = {other for other in missing if not store.check([f"tandem/knows/{name}/{other}"])}
        for other in missing:
            if store.check([f"tandem/asks/{other}"]):
                store.set(f"tandem/answers/{store.get(f'tandem/asks/{other}').decode()}", name)
        if time.monotonic() > last:
            raise SetupError(f"rank 0 of {count}: waited {wait} for the ranks {', '.join(map(str, sorted(missing)))}; start them too")
        time.sleep(_PAUSE_S if missing else 0)
    return PrefixStore(name, store)
