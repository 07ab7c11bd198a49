"""Software modules, a broker and faults for tests: see plugin.py for the fixtures, bench.py without pytest."""

from .bench import Bench, Broker, Fault, Line, Message, Modem, ModemqError, WaitTimeout

__all__ = ["Bench", "Broker", "Fault", "Line", "Message", "Modem", "ModemqError", "WaitTimeout"]
