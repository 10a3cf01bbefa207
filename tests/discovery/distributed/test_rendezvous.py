"""Workers begin once all are there, alike; otherwise all of them say why not. Workers are threads here."""

import concurrent.futures
import socket
import time

import pytest

from discovery import UserError
from discovery.distributed import rendezvous
from discovery.distributed.cluster import Cluster, host_and_port
from discovery.distributed.rendezvous import join, meet


def free_addresses(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    addresses = tuple(f"127.0.0.1:{s.getsockname()[1]}" for s in sockets)
    for s in sockets:
        s.close()
    return addresses


def meeting(addresses, workers, seconds=20.0, facts=lambda index: {}, delay=lambda index: 0.0):
    """Lets some workers meet; returns, for each, the mistake it was told, or when it began."""

    def one(index):
        time.sleep(delay(index))
        try:
            meet(Cluster(addresses, index), facts(index), time.monotonic() + seconds, lambda line: None)
        except UserError as error:
            return str(error)
        return time.monotonic()

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(one, workers))


@pytest.mark.parametrize("last", [0, 2])
def test_all_wait_for_the_last(last):
    start = time.monotonic()
    began = meeting(free_addresses(3), range(3), delay=lambda index: 1.0 if index == last else 0.0)
    assert all(moment - start >= 1.0 for moment in began)


def test_a_worker_that_does_not_come():
    addresses = free_addresses(3)
    mistakes = meeting(addresses, [0, 2], seconds=1.0)
    assert mistakes == [f"worker 1 ({addresses[1]}) did not come in time"] * 2


def test_a_chief_that_does_not_come():
    addresses = free_addresses(2)
    (mistake,) = meeting(addresses, [1], seconds=0.5)
    assert mistake.startswith(f"the chief ({addresses[0]}) did not come in time: Connection refused")


def test_workers_that_are_not_alike():
    addresses = free_addresses(3)
    mistakes = meeting(addresses, range(3), facts=lambda index: {"--lr": "0.5" if index == 1 else "0.1"})
    assert (
        mistakes[0]
        == f"--lr of worker 1 ({addresses[1]}) is 0.5, and the chief's is 0.1: start all workers alike"
    )
    assert mistakes[1] == mistakes[0]


def test_strangers_and_workers_that_leave_are_no_workers(monkeypatch):
    has_left = rendezvous._has_left  # looked at late, so that whoever leaves has left by then
    monkeypatch.setattr(rendezvous, "_has_left", lambda worker: time.sleep(0.2) or has_left(worker))
    addresses = free_addresses(2)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        chief = pool.submit(meeting, addresses, [0])
        for line in (
            b"",
            b"GET / HTTP/1.0\r\n",
            b'{"index": 7, "facts": {}}\n',
            b'{"index": 1, "facts": {}}\n',
        ):
            while True:
                try:
                    stranger = socket.create_connection(host_and_port(addresses[0]))
                    break
                except OSError:
                    time.sleep(0.02)
            stranger.sendall(line)
            stranger.close()
        time.sleep(0.5)
        assert not chief.done()
        (began,) = meeting(addresses, [1])
        assert isinstance(began, float)
        assert isinstance(chief.result()[0], float)


def test_the_port_is_taken():
    with socket.create_server(("", 0)) as server:
        cluster = Cluster((f"127.0.0.1:{server.getsockname()[1]}", "127.0.0.1:1"), 0)
        with pytest.raises(UserError, match=r"port \d+ of the chief .* cannot be used: Address"):
            join(cluster, 0, {}, 1.0, lambda line: None)
