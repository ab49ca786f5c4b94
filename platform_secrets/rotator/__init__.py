"""Rotates what is due in one environment: a checked transaction that never sees a value.

The operator makes, keeps and pushes every value. This program creates one-shot objects for it,
waits for proof that each step is done, restarts the services that read the key, and puts the value
before back where a service does not come up with the new one. Each step is recognised from what is
in the cluster, so that a run that was killed anywhere is finished by the next.

Read in this order: `plan` (what there is), `due` (what is due), `run`, `preflight`, `batch` (the
transaction), `rotation`, `generated`, `database` and `secrets_manager` (its steps),
`operator_objects`, `rollout`, `memory`, `api`, `aws`, `trust`.
Standard library only: it runs in a stock Python image, from a ConfigMap.
"""
