"""The cluster as the clouds see it: the issuer of ServiceAccount tokens that they federate with."""

from dataclasses import dataclass

import jwt


@dataclass(frozen=True)
class ClusterIssuer:
    """`url`: the API server's `--service-account-issuer`; `jwks`: what its /openid/v1/jwks says."""

    url: str
    jwks: dict

    def subject(self, token: str, audience: str) -> str:
        """Returns `system:serviceaccount:<namespace>:<name>`.

        Raises the subclass of `jwt.InvalidTokenError` that names the first failed check:
        signature, time, issuer, audience.
        """
        claims = jwt.decode(
            token,
            self._key(token),
            algorithms=["RS256", "ES256"],
            audience=audience,
            issuer=self.url,
            options={"require": ["aud", "exp", "iss", "sub"]},
        )
        return claims["sub"]

    def _key(self, token: str) -> jwt.PyJWK:
        key_id = jwt.get_unverified_header(token).get("kid")
        for key in jwt.PyJWKSet.from_dict(self.jwks).keys:
            if key.key_id == key_id:
                return key
        raise jwt.InvalidSignatureError("signed with a key that the cluster does not publish")
