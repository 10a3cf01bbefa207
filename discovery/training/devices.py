"""Which device computes, in words, and what to do where it is not the intended one."""

from __future__ import annotations

import os

import tensorflow as tf

from discovery.distributed.replicas import Replicas

#: Exists where the driver of an NVIDIA GPU is loaded.
_NVIDIA_DRIVER = "/proc/driver/nvidia/version"


def device_in_words(replicas: Replicas) -> str:
    """Returns where a run computes: "CPU, 2 cores", "GPU, NVIDIA H100", "2 replicas on 2 GPUs, ..."."""
    gpus = tf.config.list_physical_devices("GPU")
    n_local = replicas.n // replicas.n_workers
    where = _gpus(gpus[:n_local]) if gpus else f"CPU, {_cores()}"
    if replicas.n == 1:
        return where
    workers = f" of {replicas.n_workers} workers, each" if replicas.n_workers > 1 else ""
    return f"{replicas.n} replicas{workers} on {where}"


def missing_gpu() -> str | None:
    """Returns what to do about an NVIDIA GPU that TensorFlow does not see; None where there is none."""
    if tf.config.list_physical_devices("GPU") or not os.path.exists(_NVIDIA_DRIVER):
        return None
    return (
        "this machine has an NVIDIA GPU that TensorFlow does not see: "
        f"pip install 'tensorflow[and-cuda]=={tf.__version__}'"
    )


def _gpus(gpus):
    names = {tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus}
    return f"{'GPU' if len(gpus) == 1 else f'{len(gpus)} GPUs'}, {', '.join(sorted(names))}"


def _cores():
    """How many cores this process may use, which may be fewer than the machine has."""
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "1 core" if n == 1 else f"{n} cores"
