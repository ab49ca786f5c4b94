"""What must never stand in an environment, as rules over Kubernetes objects and over
resources at providers.

Nothing here knows how the objects are made, so a fault in what makes them can't hide itself.
"""

from platform_secrets.policy.judged import Asked, Violation
from platform_secrets.policy.rules import RESOURCE_RULES, RULES, Rule, violations

__all__ = ["RESOURCE_RULES", "RULES", "Asked", "Rule", "Violation", "violations"]
