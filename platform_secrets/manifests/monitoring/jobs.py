"""What kube-state-metrics says of the rotator's two CronJobs, as PromQL.

A Job tells how it ended and outlives its pod, so no gateway keeps results: the last Job is looked
at, until a later one is complete.
"""

from datetime import timedelta

# What kube-state-metrics calls a Job's end. It has no name for that which the Job's own rules make
# of an exit code: those are the rotator's final ones (rotator/contract.py).
_OF_THE_CLUSTER = "BackoffLimitExceeded|DeadlineExceeded|Evicted"
_BY_ITS_RULES = f'(kube_job_status_failed{{reason!~"{_OF_THE_CLUSTER}"}} > 0)'
_SAME_JOB = "on (namespace, job_name)"


class Jobs:
    """The Jobs of one CronJob, those that people made of it too."""

    def __init__(self, namespace: str, cron_job: str) -> None:
        self._namespace = f'namespace="{namespace}"'
        self._cron_job = f'{self._namespace},cronjob="{cron_job}"'
        owner = f'owner_kind="CronJob",owner_name="{cron_job}"'
        self._owned = f"kube_job_owner{{{self._namespace},{owner}}}"
        self._created = f"max by (namespace) (kube_cronjob_created{{{self._cron_job}}})"
        self._complete = f'(kube_job_complete{{{self._namespace},condition="true"}} == 1)'
        failed = f'(kube_job_failed{{{self._namespace},condition="true"}} == 1)'
        self.final = f"{failed} and {_SAME_JOB} {_BY_ITS_RULES}"
        """Ended with a verdict that tells people what to do; no pod followed."""
        self.gave_up = f"{failed} unless {_SAME_JOB} {_BY_ITS_RULES}"
        """Ended after all its pods failed, or in no time."""
        self.since_complete = f"time() - ({self._last_start(self._complete)})"
        """Seconds since the start of the last one that went well; nothing where none has."""

    def last_was(self, ended: str) -> str:
        """Whether one ended so, and no later one is complete. The first may have started in the
        second in which its CronJob was made."""
        return (
            f"{self._last_start(ended)} >= on (namespace) "
            f"({self._last_start(self._complete)} or {self._created})"
        )

    def without_verdict_for(self, pause: timedelta) -> str:
        """Whether none was complete or told people what to do for so long."""
        since = f"{self._last_start(f'{self._complete} or ({self.final})')} or {self._created}"
        return f"time() - ({since}) > {pause.total_seconds():.0f}"

    def not_scheduled_for(self, pause: timedelta) -> str:
        """Whether none was started for so long, there is no such CronJob, or nobody tells."""
        last = f"kube_cronjob_status_last_schedule_time{{{self._cron_job}}}"
        since = f"max by (namespace) ({last}) or {self._created}"
        missing = f"absent(kube_cronjob_created{{{self._cron_job}}})"
        return f"time() - ({since}) > {pause.total_seconds():.0f} or {missing}"

    def _last_start(self, ended: str) -> str:
        return (
            f"max by (namespace) (kube_job_status_start_time{{{self._namespace}}}"
            f" and {_SAME_JOB} ({ended}) and {_SAME_JOB} {self._owned})"
        )
