"""Set-up of the whole test session."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

# Tests of replicas need several devices, and devices can be split only before the first one is used. Logical
# CPU devices share one thread pool: what runs on the first alone is as fast as without the others.
N_LOGICAL_CPUS = 4
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * N_LOGICAL_CPUS
)
