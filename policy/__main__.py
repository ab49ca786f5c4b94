"""The rules of platform-secrets, for `pulumi preview --policy-pack policy`."""

from platform_secrets import policy_pack

policy_pack.run()
