"""EKS Pod Identity as a pod sees it: an agent on its node that trades its token for credentials."""

import json
from collections.abc import Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import jwt

from tests.e2e.aws import REGION
from tests.e2e.aws_gate import Caller
from tests.e2e.aws_policies import DeclaredAwsGate, allows
from tests.e2e.cluster import Cluster
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run

AUDIENCE = "pods.eks.amazonaws.com"
PRINCIPAL = {"Service": AUDIENCE}
ACTIONS = ("sts:AssumeRole", "sts:TagSession")


class PodIdentityAgent:
    """Gives the credentials of the role that `gate`'s AWS associates with a token's account, if the
    role trusts Pod Identity with that account of the association's cluster."""

    def __init__(self, gate: DeclaredAwsGate) -> None:
        self._gate = gate

    def __enter__(self) -> "PodIdentityAgent":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/credentials"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def credentials(self, token: str) -> dict[str, str] | None:
        """As the SDK reads them; None where the token or the role's trust is not enough."""
        try:
            subject = self._gate.issuer.subject(token, AUDIENCE)
        except jwt.InvalidTokenError:
            return None
        _, _, namespace, account = subject.split(":")
        found = self._gate.aws.associations.get((namespace, account))
        if found is None:
            return None
        role = found["roleArn"]
        cluster = f"arn:aws:eks:{REGION}:{role.split(':')[4]}:cluster/{found['clusterName']}"
        tags = {
            "aws:RequestTag/eks-cluster-arn": cluster,
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/kubernetes-service-account": account,
        }
        trust = self._gate.trust(role)
        if not all(allows(trust, action, role, tags, PRINCIPAL) for action in ACTIONS):
            return None
        made = self._gate.aws.client("sts").assume_role(RoleArn=role, RoleSessionName="eks")
        keys = made["Credentials"]
        self._gate.admit(keys["AccessKeyId"], Caller(subject, role))
        return {
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
            "Expiration": f"{keys['Expiration'] - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
        }


class PodIdentityRelease(OperatorRelease):
    """The operator with what EKS sets in its pod: the agent's address, and a file with the token
    that the kubelet keeps."""

    def __init__(
        self,
        run: Run,
        cluster: Cluster,
        *,
        agent: PodIdentityAgent,
        account: tuple[str, str],
        env: Mapping[str, str],
    ) -> None:
        self._account = account
        self._token_file = run.folder / "pod-identity-token"
        self._token_file.touch(mode=0o600)
        more = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self._token_file),
        }
        super().__init__(run, cluster, env={**env, **more})

    def start(self) -> None:
        token = self._cluster.token(*self._account, audience=AUDIENCE)
        self._token_file.write_text(token, encoding="utf-8")
        super().start()


def _handler(agent: PodIdentityAgent) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = agent.credentials(self.headers.get("Authorization", ""))
            content = json.dumps(found or {"message": "no association"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: object) -> None:
            """Silent."""

    return Handler
