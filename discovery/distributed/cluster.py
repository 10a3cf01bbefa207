"""The workers of one training run: who they are, by TF_CONFIG or SLURM, and what to say when one is lost."""

from __future__ import annotations

import json
import os
import re
from typing import NamedTuple

import tensorflow as tf

from discovery import UserError

_ADDRESS = re.compile(r"([^\s:\[\]/]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
#: Ports of SLURM jobs start here, below those that systems assign by themselves.
_SLURM_PORTS, _N_SLURM_PORTS = 12_000, 20_000
_COLLECTIVE_FAILED = re.compile(r"Collective ops is aborted|CoordinationService|WorkerService")
_LOST = re.compile(r"(?:remote target|reported from) /job:worker/(?:replica:0/)?task:(\d+)")


class Cluster(NamedTuple):
    """All workers, and which of them this process is; the first is the chief.

    Attributes:
        addresses: `host:port` of every worker, the same in every process.
        index: index of this process.
    """

    addresses: tuple[str, ...]
    index: int

    def named(self, index: int) -> str:
        """Returns what messages call a worker."""
        return f"{'chief' if index == 0 else f'worker {index}'} ({self.addresses[index]})"


def find_cluster() -> Cluster:
    """Reads the cluster that the environment describes: by TF_CONFIG, else by SLURM.

    Raises:
        UserError: there is none, or its description is wrong.
    """
    if os.environ.get("TF_CONFIG"):
        return _from_tf_config(os.environ["TF_CONFIG"])
    if "SLURM_PROCID" in os.environ:
        return _from_slurm()
    raise UserError(
        "--strategy=multi_worker finds no cluster: set TF_CONFIG for every worker, start them with srun, or "
        "on one machine with scripts/launch_local.sh"
    )


def host_and_port(address: str) -> tuple[str, int]:
    """Splits `host:port`; the host may be an IPv6 address in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def lost_worker(error: tf.errors.OpError) -> str | None:
    """Returns the message for an error that the loss of another worker caused; None for other errors."""
    if not _COLLECTIVE_FAILED.search(error.message):
        return None
    missed = ""
    lost = _LOST.search(error.message)  # where several are named, it began with the first
    if lost or "CoordinationService/Heartbeat" in error.message:  # heartbeats go to the chief
        name = f"worker {lost[1]}" if lost and lost[1] != "0" else "the chief"
        missed = f" ({name} was the first not to answer)"
    return (
        f"a worker of this training is gone{missed}, so this one stopped too: see the workers' output; "
        "snapshots are kept, and starting all workers again resumes from the last one"
    )


def _from_tf_config(text):
    def wrong(what):
        return UserError(
            f'TF_CONFIG {what}: it should look like {{"cluster": {{"worker": ["host:port", ...]}}, '
            '"task": {"type": "worker", "index": 0}}'
        )

    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        kind, index = task["type"], int(task["index"])
        jobs = {name: list(addresses) for name, addresses in jobs.items() if name != "evaluator"}
    except json.JSONDecodeError as error:
        raise wrong(f"is not JSON ({error})") from None
    except KeyError as error:
        raise wrong(f'has no "{error.args[0]}"') from None
    except (TypeError, ValueError, AttributeError):
        raise wrong("has values of unexpected types") from None
    unknown = sorted(jobs.keys() - {"chief", "worker"})
    if unknown:
        raise wrong(f'has "{unknown[0]}" in its cluster, which may have only "chief" and "worker"')
    if len(jobs.get("chief", [])) > 1:
        raise wrong("has several chiefs")
    if not 0 <= index < len(jobs.get(kind, [])):
        raise wrong(f"says that this is {kind} {index}, which is not in its cluster")
    addresses = [*jobs.get("chief", []), *jobs.get("worker", [])]
    if kind == "worker":
        index += len(jobs.get("chief", []))
    return _checked(addresses, index, wrong)


def _from_slurm():
    def wrong(what):
        return UserError(f"SLURM {what}: start the workers with srun, or set TF_CONFIG")

    try:
        job, host, local = (os.environ[f"SLURM{v}"] for v in ("_JOB_ID", "D_NODENAME", "_LOCALID"))
        ports = _SLURM_PORTS + int(job) % _N_SLURM_PORTS
        # Only the resolver's addresses are used: each worker has the GPUs that SLURM lets it see.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=ports, gpus_per_node=_N_SLURM_PORTS, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().as_dict()["worker"]
        # The resolver sorts hosts by name, so a task's rank need not be the index of its address.
        return _checked(addresses, addresses.index(f"{host}:{ports + int(local)}"), wrong)
    except KeyError as error:
        raise wrong(f"has not set {error.args[0]}") from None
    except (RuntimeError, ValueError) as error:
        raise wrong(f"describes no cluster ({error})") from None


def _checked(addresses, index, wrong):
    for address in addresses:
        match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if not match or not 0 < int(match[2]) < 65_536:
            raise wrong(f"has {address!r} where host:port belongs")
    if len(set(addresses)) < len(addresses):
        raise wrong("names an address twice")
    return Cluster(tuple(addresses), index)
