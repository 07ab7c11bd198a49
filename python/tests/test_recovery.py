"""Ten lines from nothing to "my firmware's driver recovers from a PDP deactivation"."""

from driver import Driver


def test_the_driver_recovers_from_a_pdp_deactivation(modem, broker):
    with Driver(modem) as driver:
        driver.connect("mqtt.example.com", 1883)
        modem.wait("connected")
        modem.fault("pdp-deact")
        modem.wait("disconnected")
        modem.wait("connected", timeout=30)
        driver.publish("up", "back again")
        assert broker.wait_message("up").text == "back again"
