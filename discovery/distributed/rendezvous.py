"""Before training begins, all workers meet at the chief's address.

TensorFlow would wait forever for workers that never come, deaf to Ctrl-C. So workers join its cluster only
once all are known to be there and to have been started alike.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping

import tensorflow as tf

from discovery import UserError
from discovery.distributed.cluster import Cluster, host_and_port

_RETRY_SECONDS = 0.2
_LONGEST_LINE = 1 << 20
#: Once all workers are there, TensorFlow connects them within seconds, or never.
_CONNECTING_SECONDS = 90.0


def join(
    cluster: Cluster, n_gpus: int, facts: Mapping[str, str], seconds: float, log: Callable[[str], None]
) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Makes the strategy of all workers once all of them are there.

    Args:
        cluster: at least two workers.
        n_gpus: GPUs of this worker; where there are none it has one replica on its CPU.
        facts: what else must be the same in all of them, by name.
        seconds: how long to wait.
        log: receives a line that says who is being waited for.

    Raises:
        UserError: some did not come in time, they differ, or an address cannot be used.
    """
    workers = {"the list of workers": ",".join(cluster.addresses), "the number of GPUs": str(n_gpus)}
    meet(cluster, {**workers, **facts}, time.monotonic() + seconds, log)
    return _connect(cluster, n_gpus)


def meet(cluster: Cluster, facts: Mapping[str, str], deadline: float, log: Callable[[str], None]) -> None:
    """Returns in every worker once all of them are there, or raises in all that are.

    Args:
        cluster: at least two workers.
        facts: what must be the same in all of them, by name.
        deadline: until when to wait, by `time.monotonic`.
        log: receives a line that says who is being waited for.

    Raises:
        UserError: as `join`.
    """
    others = f"the other {len(cluster.addresses) - 1}" if cluster.index == 0 else cluster.named(0)
    log(f"{cluster.named(cluster.index)} of {len(cluster.addresses)}: waiting for {others}")
    if cluster.index == 0:
        _receive_all(cluster, facts, deadline)
    else:
        _report_to_chief(cluster, facts, deadline)


def _receive_all(cluster, facts, deadline):
    expected = set(range(1, len(cluster.addresses)))
    told: dict[int, dict] = {}
    present: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_listen(cluster))
        while True:
            present = {index: worker for index, worker in present.items() if not _has_left(worker)}
            if present.keys() == expected:
                break
            if time.monotonic() > deadline:
                absent = ", ".join(cluster.named(index) for index in sorted(expected - present.keys()))
                _answer(present, f"{absent} did not come in time")
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # not one of our workers
                worker = stack.enter_context(server.accept()[0])
                worker.settimeout(5.0)
                message = json.loads(_read_line(worker))
                if message["index"] in expected:
                    present[message["index"]] = worker
                    told[message["index"]] = dict(message["facts"])
        _answer(present, _difference(cluster, told, facts))


def _report_to_chief(cluster, facts, deadline):
    line = json.dumps({"index": cluster.index, "facts": facts}) + "\n"
    reason = "it did not answer"
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(host_and_port(cluster.addresses[0]), timeout=5.0) as chief:
                chief.sendall(line.encode())
                chief.settimeout(max(deadline - time.monotonic(), 0.0) + 5.0)  # the chief answers first
                mistake = json.loads(_read_line(chief))["mistake"]
        except (OSError, ValueError, KeyError, TypeError) as error:  # not there yet, or started again
            reason = getattr(error, "strerror", None) or reason
            time.sleep(_RETRY_SECONDS)
            continue
        if mistake:
            raise UserError(mistake)
        return
    raise UserError(f"the {cluster.named(0)} did not come in time: {reason}; check that it was started")


def _listen(cluster):
    port = host_and_port(cluster.addresses[0])[1]
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise UserError(f"port {port} of the {cluster.named(0)} cannot be used: {error.strerror}") from None
    server.settimeout(_RETRY_SECONDS)
    return server


def _difference(cluster, told, facts):
    """Returns the first difference between a worker and the chief; "" if there is none."""
    for index, worker_facts in sorted(told.items()):
        for fact in sorted(facts.keys() | worker_facts.keys()):
            here, there = facts.get(fact), worker_facts.get(fact)
            if here != there:
                name = cluster.named(index)
                return f"{fact} of {name} is {there}, and the chief's is {here}: start all workers alike"
    return ""


def _answer(present, mistake):
    """Answers all workers that are there, and raises the mistake if there is one."""
    for worker in present.values():
        with contextlib.suppress(OSError):  # a worker that misses this will notice
            worker.sendall((json.dumps({"mistake": mistake}) + "\n").encode())
    if mistake:
        raise UserError(mistake)


def _has_left(worker):
    worker.setblocking(False)
    try:
        return worker.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        worker.settimeout(5.0)


def _read_line(connection):
    with connection.makefile("rb") as file:
        return file.readline(_LONGEST_LINE)


def _connect(cluster, n_gpus):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": n_gpus},
        rpc_layer="grpc",
    )
    implementation = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=implementation.NCCL if n_gpus else implementation.RING
    )
    of_sigterm = signal.getsignal(signal.SIGTERM)
    faulthandler.dump_traceback_later(_CONNECTING_SECONDS, exit=True)  # no Python runs meanwhile
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver, options)
    except tf.errors.OpError as error:
        reason = error.message.split("\n")[0]
        raise UserError(f"{cluster.named(cluster.index)} cannot join its cluster: {reason}") from None
    finally:
        faulthandler.cancel_dump_traceback_later()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, of_sigterm or signal.SIG_DFL)  # TensorFlow replaced it
