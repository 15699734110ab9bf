"""The queue of a pool hands out what urllib3's would, in the same order."""

from __future__ import annotations

import contextlib
import gc
import queue
import threading
from random import Random

import pytest
import urllib3

from resilient_session._transport._places import Places
from resilient_session._transport._pools import _pool_class


def filled(cls, size):
    made = cls(size)
    for _ in range(size):
        made.put(None)
    return made


def done(places, act, item):
    """Return what an act returns or raises, and what is left."""
    try:
        came = places.put(item, block=False) if act == "put" else places.get(block=False)
    except (queue.Full, queue.Empty) as error:
        came = type(error)
    return came, places.qsize(), places.empty(), places.full()


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("seed", range(20))
def test_what_comes_out_is_what_urllib3_would_get(size, seed):
    random = Random(seed)  # noqa: S311 - the same acts each time
    ours, theirs = filled(Places, size), filled(queue.LifoQueue, size)
    for number in range(60):
        act, item = random.choice(["put", "get", "get"]), random.choice([None, number])
        assert done(ours, act, item) == done(theirs, act, item)


def test_places_are_not_made_before_they_are_needed():
    places = filled(Places, 64)
    assert (places.qsize(), places.queue) == (64, [])


def test_filling_beyond_the_size_blocks_as_ever():
    places = filled(Places, 2)
    with pytest.raises(queue.Full):
        places.put(None, timeout=0)


def test_filling_a_part_and_taking_from_it():
    places = Places(3)
    places.put(None)
    places.put("connection")
    places.put(None)
    assert [places.get(block=False) for _ in range(3)] == [None, "connection", None]
    with pytest.raises(queue.Empty):
        places.get(block=False)


def test_who_waits_for_room_is_woken():
    places = filled(Places, 1)
    waiting = threading.Thread(target=places.put, args=("connection",))
    waiting.start()
    assert places.get() is None
    waiting.join(5)
    assert places.get(timeout=5) == "connection"


def test_threads_take_each_place_once():
    places = filled(Places, 200)
    taken = []

    def take():
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(places.get(block=False))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert taken == [None] * 200


def emptied_as_urllib3_does(places):
    """Return how often something came out until the queue was empty."""
    taken = 0
    with contextlib.suppress(queue.Empty):
        while True:
            places.get(block=False)
            taken += 1
    return taken


@pytest.mark.parametrize("used", [0, 1])
def test_untouched_places_end_with_their_pool(used):
    pool = _pool_class(urllib3.HTTPConnectionPool)("localhost", maxsize=50)
    for _ in range(used):
        pool._put_conn(pool._get_conn())
    places = pool.pool
    del pool
    gc.collect()
    assert (places.qsize(), emptied_as_urllib3_does(places)) == (0, 0)


def test_untouched_places_end_when_their_pool_is_closed(monkeypatch):
    taken, get = [], Places.get

    def counted(places, **options):
        taken.append(options)
        return get(places, **options)

    pool = _pool_class(urllib3.HTTPConnectionPool)("localhost", maxsize=50)
    places = pool.pool
    monkeypatch.setattr(Places, "get", counted)
    pool.close()
    assert (places.qsize(), len(taken)) == (0, 1)


def test_places_last_as_long_as_their_pool():
    pool = _pool_class(urllib3.HTTPConnectionPool)("localhost", maxsize=50)
    assert (emptied_as_urllib3_does(pool.pool), pool.pool.qsize()) == (50, 0)


def test_a_queue_of_somebodys_own_stays():
    class Own(queue.LifoQueue):
        pass

    class Pool(urllib3.HTTPConnectionPool):
        QueueCls = Own

    assert type(_pool_class(Pool)("localhost").pool) is Own
    assert type(_pool_class(urllib3.HTTPConnectionPool)("localhost").pool) is Places


def test_a_queue_module_that_was_patched_stays(monkeypatch):
    monkeypatch.setattr(queue.LifoQueue, "__module__", "gevent.queue")
    assert type(_pool_class(urllib3.HTTPConnectionPool)("localhost").pool) is queue.LifoQueue
