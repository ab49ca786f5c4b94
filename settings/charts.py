"""Where Helm charts come from."""

from typing import Annotated

from settings.model import HOST_AND_PORT, text_of

ChartVersion = Annotated[str, text_of(r"[0-9]+\.[0-9]+\.[0-9]+", "a version such as 2.9.0")]
ChartRepository = Annotated[
    str,
    text_of(
        rf"(https|oci)://{HOST_AND_PORT}(/[A-Za-z0-9._~/-]*)?",
        "an https:// or oci:// address",
        2048,
    ),
]
