"""The rules of docs/policy.md, for `pulumi preview --policy-pack policy`."""

from platform_secrets import policy_pack

policy_pack.run()
