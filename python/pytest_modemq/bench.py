"""A program `modemq module --control` and what it can be asked for. Needs nothing but Python."""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


class ModemqError(Exception):
    """What the program refuses, in its own words."""

    def __init__(self, text, status=None):
        super().__init__(text)
        self.status = status


class WaitTimeout(ModemqError, AssertionError):
    """It did not happen in time."""


def find_binary():
    """$MODEMQ, or what cargo has built last in a folder target here or above, or `modemq` of the PATH."""
    named = os.environ.get("MODEMQ")
    if named:
        return named
    for folder in [Path.cwd(), *Path.cwd().parents]:
        built = [folder / "target" / profile / "modemq" for profile in ("release", "debug")]
        built = [path for path in built if path.is_file()]
        if built:
            return str(max(built, key=lambda path: path.stat().st_mtime))
    found = shutil.which("modemq")
    if found:
        return found
    raise ModemqError("no modemq: set MODEMQ, or build it (cargo build --release), or install it (cargo install)")


class Bench:
    """The program with its first module and its broker. It ends with `close`, or when this process ends, however it does."""

    def __init__(self, model="air780ep", port="pty", pace="fast", seed=None, resolve="*", args=(), binary=None):
        self._folder = tempfile.TemporaryDirectory(prefix="modemq-")
        line = {"pty": f"{self._folder.name}/modem", "tcp": "127.0.0.1:0", "rfc2217": "127.0.0.1:0"}
        if port not in line:
            raise ModemqError(f"a port is 'pty', 'tcp' or 'rfc2217', not {port!r}")
        command = [binary or find_binary(), "module", model, f"--{port}", line[port], "--pace", pace]
        command += ["--broker", "127.0.0.1:0", "--control", "127.0.0.1:0", "--stop-on-eof"]
        if resolve:
            command += ["--resolve", f"{resolve}=broker"]
        if seed is not None:
            command += ["--seed", str(seed)]
        command += [str(arg) for arg in args]
        environment = {name: value for name, value in os.environ.items() if name != "MODEMQ_CONTROL_TOKEN"}
        self._errors = tempfile.TemporaryFile(mode="w+", errors="replace")
        # The program stops when this end of the pipe is closed: so even `kill -9` of the tests leaves nothing behind.
        self._program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment, text=True
        )
        self.url, broker = None, None
        for text in self._program.stdout:
            if text.startswith("broker on "):
                broker = text.split()[2]
            if text.startswith("control on "):
                self.url = text.split()[2]
                break
        if self.url is None:
            self._program.wait()
            self._errors.seek(0)
            text = self._errors.read().strip()
            self.close()
            raise ModemqError(text or f"{command[0]} does not start")
        self.modems = []
        self.modem = self._adopt(self.request("GET", "/modules/0"))
        self.broker = Broker(self, broker)

    def add(self, model="air780ep", port="pty", **options):
        """Powers one more module on, with options of `modemq module`: `imei`, `sim`, `apn_allow` …"""
        body = {"model": model, **options}
        if port != "pty":
            body["port"] = {port: "127.0.0.1:0"}
        return self._adopt(self.request("POST", "/modules", body))

    def mark(self):
        """Something is done now: waits for a module look at what happens to it from here on."""
        for modem in self.modems:
            modem.mark()

    def close(self):
        """Stops the program."""
        if self._program.stdin:
            self._program.stdin.close()
        try:
            self._program.wait(10)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        self._program.stdout.close()
        self._errors.close()
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def request(self, method, path, body=None, timeout=30.0, **query):
        """One request; the answer as Python has it."""
        query = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        url = self.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            # No proxy: it is this machine.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            try:
                text = json.load(error)["error"]
            except ValueError:
                text = str(error)
            kind = WaitTimeout if error.code == 408 else ModemqError
            raise kind(text, error.code) from None
        return json.loads(text) if text else None

    def _adopt(self, found):
        modem = Modem(self, found)
        self.modems.append(modem)
        return modem


class _Waits:
    """Waits on a journal of the program: each thing is found once, and none is missed between two waits."""

    def __init__(self, bench, path):
        self.bench = bench
        self._path = path
        self._marked = 0
        self._found = {}

    def mark(self):
        """Waits look at what happens from here on."""
        self._mark_at(self.bench.request("GET", self._path)["cursor"])

    def _mark_at(self, cursor):
        self._marked = cursor
        self._found.clear()

    def wait(self, condition, timeout=10.0, since=None):
        """Waits until something is so: 'connected', 'registered', 'subscribed a/b', 'message on a/#', 'trace RDY' …

        Found is what happened since the last thing that was done to the bench (a fault, `set`, `reboot` …, or `mark`) and was not found
        before, or what is so now. The answer is the entry, or None when it is so already.
        """
        if since is None:
            since, now = max(self._marked, self._found.get(condition, 0)), "true"
        else:
            now = "false"
        query = {"for_": condition, "since": since, "now": now, "timeout_ms": int(timeout * 1000)}
        found = self.bench.request("GET", self._path + "/wait", timeout=timeout + 30, **query)
        self._found[condition] = found["cursor"]
        return found["entry"]

    def trace(self, since=None, limit=100):
        """The last lines of the trace, or those after a cursor."""
        return self.bench.request("GET", self._path + "/trace", since=since, limit=limit)["entries"]

    def trace_text(self, limit=200):
        """The same for people."""
        lines = (entry for entry in self.trace(limit=limit) if entry["kind"] != "event")
        return "\n".join(f"{entry['us'] / 1e6:9.3f} {entry['kind']:<8} {entry['text']}" for entry in lines)


class Modem(_Waits):
    """A module."""

    def __init__(self, bench, found):
        super().__init__(bench, f"/modules/{found['id']}")
        self.id = found["id"]
        self.model = found["model"]
        self.imei = found["imei"]
        kind, address = found["port"]["kind"], found["port"]["address"]
        #: The path of its pseudo-terminal, or None.
        self.pty = address if kind == "pty" else None
        #: Host and port of its TCP port, raw or with RFC 2217, or None.
        self.tcp = None if kind == "pty" else _address(address)
        #: What pyserial's serial_for_url opens.
        self.port = {"pty": address, "tcp": f"socket://{address}", "rfc2217": f"rfc2217://{address}"}[kind]

    def state(self):
        """Power, registration, signal, SIM, PDP contexts, links and sessions, serial counters."""
        return self.bench.request("GET", self._path)["state"]

    def set(self, **world):
        """Sets signal (0 to 31, 99), sim, registration, unix_time."""
        return self._act("PATCH", "", world)["state"]

    def fault(self, line):
        """Breaks something, as --fault has it: fault("pdp-deact"), fault("latency 200ms on link for 30s")."""
        answer = self._act("POST", "/faults", {"fault": line})
        return Fault(self, answer["id"], answer["fault"])

    def faults(self):
        """The faults that are there or will be."""
        return self.bench.request("GET", self._path + "/faults")["faults"]

    def clear_faults(self):
        """Takes every fault away: the world heals."""
        self.bench.mark()
        self.bench.request("DELETE", self._path + "/faults")

    def weather(self, name=None, lines=None):
        """Breaks many things: weather("night-train"), or lines of one's own."""
        answer = self._act("POST", "/weather", {"weather": name} if lines is None else {"lines": lines})
        return [Fault(self, fault["id"], fault["fault"]) for fault in answer["faults"]]

    def reboot(self):
        """The firmware crashes and starts again."""
        return self._act("POST", "/power", {"action": "reboot"})["state"]

    def power_cycle(self):
        """Cuts power, and gives it back."""
        return self._act("POST", "/power", {"action": "cycle"})["state"]

    def power_cut(self):
        """Cuts power, until power_cycle."""
        return self._act("POST", "/power", {"action": "cut"})["state"]

    def remove(self):
        """Powers it off for good."""
        self.bench.request("DELETE", self._path)
        self.bench.modems.remove(self)

    def line(self):
        """The host's end of its serial line."""
        return Line(self)

    def _act(self, method, path, body):
        answer = self.bench.request(method, self._path + path, body)
        self._mark_at(answer["cursor"])
        return answer


class Fault:
    """A fault that was injected. As a context manager it is there for a block: with modem.fault("stuck"): …"""

    def __init__(self, modem, number, line):
        self.modem, self.id, self.line = modem, number, line

    def clear(self):
        """Takes it away; one that is over is gone already."""
        self.modem.bench.mark()
        try:
            self.modem.bench.request("DELETE", f"{self.modem._path}/faults/{self.id}")
        except ModemqError as error:
            if error.status != 404:
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clear()

    def __repr__(self):
        return f"Fault({self.line!r})"


class Message:
    """A message that a client has published."""

    def __init__(self, event):
        self.topic = event["topic"]
        self.payload = base64.b64decode(event["payload_base64"])
        self.qos = event["qos"]
        self.retain = event["retain"]
        self.client_id = event.get("client_id")

    @property
    def text(self):
        """The payload as text."""
        return self.payload.decode()

    def json(self):
        """The payload as JSON."""
        return json.loads(self.payload)

    def __repr__(self):
        return f"Message({self.topic!r}, {self.payload!r}, qos={self.qos})"


class Broker(_Waits):
    """The broker in the same program."""

    def __init__(self, bench, address):
        super().__init__(bench, "/broker")
        self.host, self.port = _address(address)

    def clients(self):
        """The sessions: who is online, and what each has subscribed to."""
        return self.bench.request("GET", "/broker/clients")["clients"]

    def publish(self, topic, payload=b"", qos=0, retain=False):
        """Publishes bytes, text, or anything else as JSON."""
        if not isinstance(payload, (bytes, bytearray, str)):
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        body = {"topic": topic, "payload_base64": base64.b64encode(payload).decode(), "qos": qos, "retain": retain}
        self.bench.request("POST", "/broker/messages", body)

    def wait_message(self, topic, timeout=10.0):
        """The next message on a topic or filter that was not found before, from the start of the program or the last mark."""
        return Message(self.wait(f"message on {topic}", timeout)["event"])

    def drop(self, client_id):
        """Throws a client out."""
        self.bench.mark()
        self.bench.request("DELETE", "/broker/clients/" + urllib.parse.quote(client_id, safe=""))

    def iotda(self, request, **members):
        """Asks the platform behind the broker, when there is one: iotda("shadow", device="dev1")."""
        body = {"request": request, **members}
        return self.bench.request("POST", "/broker/iotda", body, timeout=90.0)["answer"]


class Line:
    """The host's end of a serial line: what a driver reads and writes."""

    def __init__(self, modem):
        self.received = b""
        self._file = self._socket = None
        if modem.tcp:
            self._socket = socket.create_connection(modem.tcp, timeout=10)
            self._descriptor = self._socket.fileno()
        else:
            self._file = os.open(modem.pty, os.O_RDWR | os.O_NOCTTY)
            self._descriptor = self._file

    def write(self, data):
        """Sends bytes."""
        while data:
            data = data[os.write(self._descriptor, data) :]

    def read(self, timeout=0.0):
        """What has come, within a time; empty when nothing has."""
        import select

        if select.select([self._descriptor], [], [], timeout)[0]:
            data = os.read(self._descriptor, 4096)
            if not data:
                raise ConnectionError("the module is gone")
            return data
        return b""

    def expect(self, wanted, timeout=10.0):
        """Reads up to and with one of these texts; what came before it is in the answer too."""
        wanted = [wanted] if isinstance(wanted, bytes) else list(wanted)
        end = time.monotonic() + timeout
        while True:
            ends = [self.received.find(text) + len(text) for text in wanted if text in self.received]
            if ends:
                found, self.received = self.received[: min(ends)], self.received[min(ends) :]
                return found
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"none of {wanted} within {timeout} s; got {self.received!r}")
            self.received += self.read(left)

    def command(self, text, wanted=(b"\r\nOK\r\n", b"ERROR"), timeout=10.0):
        """Sends a command line and reads its reply; it has to succeed."""
        self.write(text.encode() + b"\r")
        reply = self.expect(wanted, timeout)
        if reply.endswith(b"ERROR"):
            raise ModemqError(f"{text}: {reply!r}")
        return reply

    def close(self):
        """Hangs up."""
        if self._socket:
            self._socket.close()
        elif self._file is not None:
            os.close(self._file)
        self._file = self._socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)
