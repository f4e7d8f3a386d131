"""The questions that /api/v1 answers, as a table: the routes and the OpenAPI document are both made from it."""

from dqmsquare.server.api_v1 import alarms, clusters, delivery, hosts, jobs, runs
from dqmsquare.server.api_v1.operation import PLAIN_TEXT, Operation
from dqmsquare.server.api_v1.statistics import table_operations

_CLUSTER = "/clusters/{cluster}"
OPERATIONS = (
    Operation(
        name="cluster",
        path=_CLUSTER,
        summary="Which runs a cluster has, and how fresh they are",
        read=clusters.read_cluster,
        answer=clusters.Cluster,
    ),
    Operation(
        name="runs",
        path=f"{_CLUSTER}/runs",
        summary="Runs of a cluster, newest first",
        read=runs.read_runs,
        query=runs.RunsQuestion,
        answer=runs.RunList,
    ),
    Operation(
        name="latest_run",
        path=f"{_CLUSTER}/runs/latest",
        summary="The newest run with its jobs",
        read=runs.read_latest,
        answer=runs.Run,
    ),
    Operation(
        name="run",
        path=f"{_CLUSTER}/runs/{{run}}",
        summary="A run with its jobs",
        read=runs.read_run,
        answer=runs.Run,
    ),
    Operation(
        name="delivery",
        path=f"{_CLUSTER}/runs/{{run}}/delivery",
        summary="The files that were delivered for a run",
        read=delivery.read_delivery,
        answer=delivery.Delivery,
    ),
    Operation(
        name="job",
        path=f"{_CLUSTER}/jobs/{{job_id}}",
        summary="A job with its series",
        read=jobs.read_job,
        answer=jobs.JobDetail,
    ),
    Operation(
        name="job_log",
        path=f"{_CLUSTER}/jobs/{{job_id}}/log",
        summary="A job's log",
        read=jobs.read_log,
        answer=jobs.JobLog,
    ),
    Operation(
        name="job_log_text",
        path=f"{_CLUSTER}/jobs/{{job_id}}/log.txt",
        summary="A job's log as plain text",
        read=jobs.read_log_text,
        answer=str,
        media=PLAIN_TEXT,
    ),
    Operation(
        name="hosts",
        path=f"{_CLUSTER}/hosts",
        summary="The hosts of a cluster as they are now",
        read=hosts.read_hosts,
        answer=hosts.HostList,
    ),
    Operation(
        name="host_statuses",
        path=f"{_CLUSTER}/hosts/{{host_id}}/statuses",
        summary="What cluster status said of a host, newest first",
        read=hosts.read_statuses,
        query=hosts.StatusesQuestion,
        answer=hosts.HostStatusList,
    ),
    Operation(
        name="alarms",
        path=f"{_CLUSTER}/alarms",
        summary="Alarms, the one that was raised last first",
        read=alarms.read_alarms,
        query=alarms.AlarmsQuestion,
        answer=alarms.AlarmList,
    ),
    *table_operations(),
)
