"""The layer on real parts."""

import os

# Parts are started by fork while the cloud servers' gRPC threads run; gRPC's own handlers of a fork
# break the child now and then before it becomes the program. Read when gRPC is first imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
