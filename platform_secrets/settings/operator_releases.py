"""The External Secrets Operator's API that is used here, and what each release of it lacks."""

from collections.abc import Iterator

EXTERNAL_SECRETS_API = "external-secrets.io/v1"
PUSH_SECRETS_API = "external-secrets.io/v1alpha1"
GENERATORS_API = "generators.external-secrets.io/v1alpha1"
PUSH_METADATA_API = "kubernetes.external-secrets.io/v1alpha1"

Release = tuple[int, int, int]

# As every release's CRDs and its chart's values say.
_FIRST_WITH_V1: Release = (0, 16, 0)
_FIRST_THAT_BOUNDS_TOKENS: Release = (2, 5, 0)
_LAST_MINORS = {0: 20, 1: 3}
"""Of each major release that is followed by another one."""


def release_of(version: str) -> Release:
    """A chart's version in parts; the operator has the same."""
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def release_fault(release: Release) -> str | None:
    """Why nothing works with this release."""
    major, minor, _ = release
    if release < _FIRST_WITH_V1:
        first = _text(_FIRST_WITH_V1)
        return f"knows no {EXTERNAL_SECRETS_API}, which all is written in: take {first} or later"
    if minor > (last := _LAST_MINORS.get(major, minor)):
        return f"was never released: {major}.{last} is the last before {major + 1}.0"
    return None


def release_doubts(release: Release, newest_known: Release) -> Iterator[str]:
    """What to think of before one takes this release; patches of a known one are known."""
    if release < _FIRST_THAT_BOUNDS_TOKENS:
        first = _text(_FIRST_THAT_BOUNDS_TOKENS)
        yield (
            "does not know `rbac.serviceAccountTokenCreate`, so the operator may ask for tokens of "
            f"every account of the cluster or namespace that it serves: take {first} or later, or "
            "refuse it those of all but the stores' accounts by an admission policy of yours"
        )
    if release[:2] > newest_known[:2]:
        yield (
            f"is newer than {_text(newest_known)}, the newest that this version of "
            "platform-secrets knows: read its release notes, and try a rotation in staging first"
        )


def _text(release: Release) -> str:
    return ".".join(map(str, release))
