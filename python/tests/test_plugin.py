"""The plugin itself: its fixtures, its waits, and that nothing stays behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from pytest_modemq import Bench, ModemqError, WaitTimeout
from pytest_modemq.bench import find_binary


# Found before pytester goes to a folder of its own.
BINARY = os.path.abspath(find_binary())


def log_in(modem):
    modem.wait("pdp-up")
    line = modem.line()
    line.command("AT")
    line.command('AT+MCONFIG="dev1"')
    line.command('AT+MIPSTART="any.example",1883', b"CONNECT OK\r\n")
    line.command("AT+MCONNECT=1,60", b"CONNACK OK\r\n")
    return line


@pytest.mark.modemq(port="tcp", seed=7)
def test_messages_are_found_once_each_and_in_order(modem, broker):
    with log_in(modem) as line:
        line.command('AT+MSUB="down/#",1', b"SUBACK\r\n")
        broker.wait("subscribed down/x")
        for number in range(3):
            line.command(f'AT+MPUB="up/{number % 2}",1,0,"{number}"')
        # All of them came before these waits.
        assert [broker.wait_message("up/#").text for _ in range(3)] == ["0", "1", "2"]
        assert broker.wait_message("up/1").text == "1"
        with pytest.raises(WaitTimeout, match="not in 20 ms: message on up/1"):
            broker.wait_message("up/1", timeout=0.02)
        broker.publish("down/x", {"on": 1}, qos=1)
        assert b'"down/x",9 byte,{"on": 1}' in line.expect(b"}\r\n")
        assert modem.wait("message on down/x")["event"]["way"] == "received"


def test_the_bench_answers_for_itself(modem, broker):
    with log_in(modem) as line:
        assert modem.state()["links"][0]["session"]["client_id"] == "dev1"
        assert [client["client_id"] for client in broker.clients()] == ["dev1"]
        broker.drop("dev1")
        modem.wait("disconnected")
        modem.set(signal=3, registration="denied")
        modem.wait("unregistered")
        assert modem.state()["signal"] == 3
        modem.set(registration="home")
        modem.wait("registered")
        with modem.fault("stuck"):
            assert modem.faults()[0]["active"]
        assert modem.faults() == []
        line.command("AT")
        modem.power_cut()
        assert modem.state()["power"] == "off"
        modem.power_cycle()
        modem.wait("booted")
        assert modem.weather("city") and modem.faults()
        modem.clear_faults()
        with pytest.raises(ModemqError, match='did you mean "pdp-deact"'):
            modem.fault("pdp-deactt")


def test_several_modules_share_a_broker(modem, broker):
    other = modem.bench.add("ec20", port="tcp", sim="absent")
    other.wait("booted")
    assert other.state()["sim"] == "absent"
    assert other.imei != modem.imei and other.tcp
    other.remove()
    with pytest.raises(ModemqError, match="there is no module 1"):
        other.state()


def test_what_the_program_says_is_the_error():
    with pytest.raises(ModemqError, match="no such model"):
        Bench(model="nokia")


def test_a_failure_shows_the_trace(pytester, monkeypatch):
    monkeypatch.setenv("MODEMQ", BINARY)
    pytester.makepyfile("def test_it(modem):\n    modem.wait('booted')\n    assert False")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*trace of module 0 (air780ep)*", "*host <-*RDY*"])


def test_a_killed_test_leaves_nothing_behind(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from pytest_modemq import Bench
            bench = Bench()
            print(bench._program.pid, bench.modem.pty, flush=True)
            time.sleep(600)
            """
        )
    )
    run = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    pid, pty = run.stdout.readline().split()
    assert os.path.islink(pty)
    run.send_signal(signal.SIGKILL)
    run.wait()
    end = time.monotonic() + 30
    while os.path.exists(f"/proc/{pid}") and "Z" not in open(f"/proc/{pid}/stat").read():
        assert time.monotonic() < end, "the program still runs"
        time.sleep(0.01)
    assert not os.path.islink(pty)
