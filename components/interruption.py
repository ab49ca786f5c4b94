"""How the program ends when the engine has no more use for it."""

import signal
import threading


def end_at_interrupt() -> None:
    """From now on an interrupt ends the process at once, without a traceback.

    The engine interrupts a program when something has failed, and tells what; Python would add the
    place where it was waiting. A program that the engine runs in a thread is not interrupted.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
