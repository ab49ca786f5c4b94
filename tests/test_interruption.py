"""A failure is told by the engine alone: the program that it then interrupts says nothing."""

import signal
import subprocess
import sys

from tests.declaring import PROJECT

# What Pulumi's language host does around a program, and where an interrupt finds it: it waits for
# the engine in the loop and in a thread.
HOST = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
from platform_secrets.components.interruption import end_at_interrupt
{install}
threads, loop = ThreadPoolExecutor(), asyncio.new_event_loop()
async def wait():
    print("waiting", flush=True)
    await loop.run_in_executor(threads, threading.Event().wait)
try:
    loop.run_until_complete(wait())
finally:
    threads.shutdown(wait=True)
"""


def interrupted(install):
    """What a program says on both outputs after an interrupt, and its exit code."""
    program = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", HOST.format(install=install)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert program.stdout
    assert program.stdout.readline() == "waiting\n"
    program.send_signal(signal.SIGINT)
    said, _ = program.communicate(timeout=30)
    return said, program.returncode


def test_an_interrupted_program_ends_at_once_and_says_nothing():
    assert interrupted("end_at_interrupt()") == ("", -signal.SIGINT)


def test_in_a_thread_where_nothing_can_be_interrupted_it_changes_nothing():
    install = "t = threading.Thread(target=end_at_interrupt); t.start(); t.join()"
    program = HOST.partition("threads, loop")[0].format(install=install)
    program += "import signal; print(signal.getsignal(2) is signal.default_int_handler)"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
