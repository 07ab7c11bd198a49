"""The fixtures: `modem` and `broker` of one program, and `modem_factory` for others."""

import pytest

from .bench import Bench, ModemqError


def pytest_addoption(parser):
    group = parser.getgroup("modemq")
    group.addoption("--modemq-model", help="which module the fixture modem is (default: air780ep)")
    parser.addini("modemq_model", "which module the fixture modem is", default="air780ep")


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "modemq(model=, port='pty'|'tcp'|'rfc2217', pace='fast'|'real', seed=, resolve='*', args=[]): how the fixture modem is made",
    )


@pytest.fixture
def modem_factory(request):
    """Starts programs with a module and a broker each: modem_factory(model="ec20", port="tcp", seed=7)."""
    benches = []

    def make(**options):
        config = request.config
        model = config.getoption("--modemq-model") or config.getini("modemq_model")
        bench = Bench(**{"model": model, **options})
        benches.append(bench)
        return bench.modem

    request.node.stash[_BENCHES] = benches
    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def modem(request, modem_factory):
    """A module, as the marker `modemq` makes it."""
    marker = request.node.get_closest_marker("modemq")
    return modem_factory(**(marker.kwargs if marker else {}))


@pytest.fixture
def broker(modem):
    """The broker that the modem reaches by every name."""
    return modem.bench.broker


_BENCHES = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and report.failed:
        for bench in item.stash.get(_BENCHES, []):
            for modem in bench.modems:
                try:
                    report.sections.append((f"trace of module {modem.id} ({modem.model})", modem.trace_text()))
                except (ModemqError, OSError) as error:
                    report.sections.append((f"trace of module {modem.id}", f"none: {error}"))
    return report
