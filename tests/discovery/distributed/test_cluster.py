"""Who the workers are, by what TF_CONFIG or SLURM say."""

import json
import re

import pytest
import tensorflow as tf

from discovery import UserError
from discovery.distributed.cluster import Cluster, find_cluster, host_and_port, lost_worker
from discovery.distributed.replicas import make_replicas

WORKERS = ["a:1", "b:2", "[::1]:3"]


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


def tf_config(cluster, kind="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("config", "index"),
    [
        (tf_config({"worker": WORKERS}, index=2), 2),
        (tf_config({"worker": WORKERS[1:], "chief": WORKERS[:1]}, index=1), 2),
        (tf_config({"worker": WORKERS[1:], "chief": WORKERS[:1], "evaluator": ["x:1"]}, "chief"), 0),
    ],
)
def test_tf_config(monkeypatch, config, index):
    monkeypatch.setenv("TF_CONFIG", config)
    assert find_cluster() == Cluster(tuple(WORKERS), index)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "TF_CONFIG is not JSON"),
        ("[]", "has values of unexpected types"),
        (json.dumps({"cluster": {"worker": WORKERS}}), 'has no "task"'),
        (tf_config({"worker": WORKERS}, index=3), "says that this is worker 3, which is not in its cluster"),
        (tf_config({"worker": WORKERS}, "chief"), "says that this is chief 0"),
        (tf_config({"worker": WORKERS, "ps": ["c:3"]}), 'has "ps" in its cluster'),
        (tf_config({"worker": ["a", "b:2"]}), "has 'a' where host:port belongs"),
        (tf_config({"worker": ["a:70000", "b:2"]}), "has 'a:70000' where host:port belongs"),
        (tf_config({"worker": ["a:1", 5]}), "has 5 where host:port belongs"),
        (tf_config({"worker": ["a:1", "a:1"]}), "names an address twice"),
    ],
)
def test_wrong_tf_config(monkeypatch, config, message):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match="TF_CONFIG") as error:
        make_replicas("multi_worker")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_tf_config_is_not_passed_over(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(UserError, match="TF_CONFIG is not JSON"):
        make_replicas("auto")
    assert make_replicas("single").n == 1


def test_there_is_no_cluster():
    with pytest.raises(UserError, match=r"finds no cluster: set TF_CONFIG .*launch_local\.sh"):
        make_replicas("multi_worker")


def test_a_cluster_of_one_is_one_process(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config({"worker": ["a:1"]}))
    replicas = make_replicas("multi_worker")
    assert (replicas.n, replicas.n_workers, replicas.is_chief) == (1, 1, True)


def test_number_of_replicas_is_that_of_the_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config({"worker": WORKERS}))
    with pytest.raises(UserError, match="--replicas=4: 3 workers like this one have 3 in all"):
        make_replicas("multi_worker", 4)


def slurm_step(monkeypatch, host, local_id, **changes):
    variables = {
        "SLURM_JOB_ID": "7040",
        "SLURM_PROCID": "0",
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": "node[9-10]",
        "SLURM_STEP_TASKS_PER_NODE": "2,1",
        "SLURMD_NODENAME": host,
        "SLURM_LOCALID": local_id,
    }
    for name, value in {**variables, **changes}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("host", "local_id"), [("node9", "0"), ("node9", "1"), ("node10", "0")])
def test_slurm(monkeypatch, host, local_id):
    """Each task has the address of its own host, though names of hosts do not sort as their numbers do."""
    slurm_step(monkeypatch, host, local_id)
    cluster = find_cluster()
    assert set(cluster.addresses) == {"node9:19040", "node9:19041", "node10:19040"}
    assert cluster.addresses[cluster.index] == f"{host}:{19040 + int(local_id)}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SLURM_STEP_NODELIST": "node[9"}, "describes no cluster"),
        ({"SLURMD_NODENAME": "elsewhere"}, "describes no cluster"),
        ({"SLURM_STEP_NUM_TASKS": "5"}, "describes no cluster"),
    ],
)
def test_wrong_slurm(monkeypatch, changes, message):
    slurm_step(monkeypatch, "node9", "0", **changes)
    with pytest.raises(UserError, match=f"SLURM {message} .*: start the workers with srun, or set TF_CONFIG"):
        find_cluster()


def test_slurm_outside_a_step(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(UserError, match="SLURM has not set SLURM_JOB_ID: start the workers with srun"):
        find_cluster()


def test_host_and_port():
    assert host_and_port("[::1]:30") == ("::1", 30)
    assert host_and_port("a.b:30") == ("a.b", 30)


def test_errors_of_other_workers():
    def told(cause):
        here = "{{function_node __wrapped__CollectiveBcastRecv_device_/job:worker/replica:0/task:1}}"
        error = tf.errors.UnavailableError(None, None, f"{here} Collective ops is aborted by: {cause}")
        missed = re.search(r"is gone(?: \((.*) was the first not to answer\))?, so", lost_worker(error))
        return missed[1]

    remote = "Socket closed\n from remote target /job:worker/replica:0/task:{} while calling"
    assert told(remote.format(2)) == "worker 2"
    assert told(remote.format(0)) == "the chief"
    assert told("Error reported from /job:worker/task:2: The following") == "worker 2"
    assert told(remote.format(3) + remote.format(2)) == "worker 3"
    assert told("Deadline Exceeded\n\nRPC: /tensorflow.CoordinationService/Heartbeat") == "the chief"
    assert told("something new") is None
    assert lost_worker(tf.errors.InvalidArgumentError(None, None, "Incompatible shapes")) is None
