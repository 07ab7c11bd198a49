"""A firmware's MQTT driver for a Luat module, as small as one that recovers can be. Yours is in C, on the PTY or the TCP port."""

import re
import threading
import time

from pytest_modemq import Line, ModemqError

# What tells a driver that its connection is gone: by the server, and by the network.
GONE = re.compile(rb"\r\n(CLOSED|\+CGEV: (NW|ME) PDN DEACT|RDY)\b")


class Driver:
    """Keeps one connection up: begins anew with the PDP context whenever it is lost."""

    def __init__(self, modem, client_id="dev1"):
        self.line = Line(modem)
        self.client_id = client_id
        self.up = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = None

    def connect(self, host, port):
        """Connects, and again whenever the connection is lost."""
        self._thread = threading.Thread(target=self._keep_up, args=(host, port), daemon=True)
        self._thread.start()

    def publish(self, topic, text):
        """Publishes, as soon as there is a connection."""
        while not self._ended.is_set():
            with self._lock:
                if self.up:
                    self.line.command(f'AT+MPUB="{topic}",1,0,"{text}"')
                    return
            time.sleep(0.01)

    def _keep_up(self, host, port):
        while not self._ended.is_set():
            with self._lock:
                try:
                    if not self.up:
                        self._bring_up(host, port)
                    self._look()
                except (ModemqError, TimeoutError):
                    self.up = False
                except (ConnectionError, OSError):
                    return
            time.sleep(0.02)

    def _look(self):
        self.line.received += self.line.read(0.01)
        if GONE.search(self.line.received):
            self.line.received = b""
            self.up = False

    def _bring_up(self, host, port):
        self.line.command("ATE0", timeout=1)
        # After the network took the PDP context away: a link that is dead must be closed before it is opened again. None is refused.
        self.line.write(b"AT+MIPCLOSE\r")
        self.line.expect([b"\r\nOK\r\n", b"ERROR"])
        while b"+CGATT: 1" not in self.line.command("AT+CGATT?"):
            time.sleep(0.1)
        self.line.command(f'AT+MCONFIG="{self.client_id}"')
        # It brings the PDP context up again, too.
        self.line.command(f'AT+MIPSTART="{host}",{port}', (b"CONNECT OK\r\n", b"ERROR", b"CONNECT FAIL"))
        self.line.command("AT+MCONNECT=1,60", (b"CONNACK OK\r\n", b"ERROR"))
        self.up = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ended.set()
        if self._thread:
            self._thread.join(15)
        self.line.close()
