"""Set-up of the whole test session."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

from tests.scripts.processes import Processes

# Tests of replicas need several devices, and devices can be split only before the first one is used. Logical
# CPU devices share one thread pool: what runs on the first alone is as fast as without the others.
N_LOGICAL_CPUS = 4
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * N_LOGICAL_CPUS
)


def pytest_collection_modifyitems(items):
    """Puts files with slow tests first, so that of two processes neither is left with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def processes(tmp_path_factory):
    """Starts scripts and modules in processes of their own."""
    processes = Processes(tmp_path_factory.mktemp("processes"))
    yield processes
    processes.close()
