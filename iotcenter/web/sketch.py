"""A whole sketch for a device over UDP: to be opened in the Arduino IDE, and given the Wi-Fi's name and password."""

from __future__ import annotations

from string import Template

from iotcenter.web.udp_key import UdpKeyForms

SKETCH = Template("""\
/*
 * $name reports to IotCenter from an ESP32, an ESP8266 or a Pico W. It needs the library IotCenter.
 * Put in the name and the password of your Wi-Fi. Who has this file has the key: keep it to yourself.
 */
#ifdef ESP8266
#include <ESP8266WiFi.h>
#else
#include <WiFi.h>
#endif
#include <WiFiUdp.h>

#include <IotCenterDevice.h>

const char NETWORK[] = "my network";
const char PASSWORD[] = "its password";
const char SERVER[] = "$host";
const uint16_t PORT = $port;

$arrays

const uint32_t EVERY = 10; /* seconds */
const uint8_t LIGHT = 2;   /* the pin of a light */

WiFiUDP udp;
IotCenterDevice device(udp, SERVER, ID, KEY, PORT);
uint32_t measured;

void offer(struct iotcenter *to)
{
    iotcenter_offer_series(to, "uptime", "s", EVERY);
    iotcenter_offer_command(to, "light", false);
    iotcenter_offer_argument(to, "on", "boolean", true);
}

void command(struct iotcenter *to, const struct iotcenter_command *command)
{
    bool on;
    if (!iotcenter_is(command, "light") || !iotcenter_bool_argument(command, "on", &on)) {
        iotcenter_failed(to, "no such command");
        return;
    }
    digitalWrite(LIGHT, on);
    iotcenter_done(to, iotcenter_bool(on));
}

void setup()
{
    pinMode(LIGHT, OUTPUT);
    WiFi.begin(NETWORK, PASSWORD);
    while (WiFi.status() != WL_CONNECTED)
        delay(100);
    device.onOffer(offer);
    device.onCommand(command);
    device.begin();
}

void loop()
{
    device.poll();
    if (millis() - measured >= EVERY * 1000 && device.report()) {
        measured = millis();
        device.read("uptime", (long)(millis() / 1000)); /* your own sensor here */
        device.send();
    }
    delay(10);
}
""")


def sketch(name: str, forms: UdpKeyForms, host: str, port: int) -> str:
    """The text of the sketch for the device ``name``, which finds the server at ``host`` and ``port``."""
    return SKETCH.substitute(name=name, host=host, port=port, arrays=forms.c())
