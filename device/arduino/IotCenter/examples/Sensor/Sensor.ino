/*
 * A sensor on an ESP32 or an ESP8266: it reports a temperature and a humidity every ten seconds.
 *
 * Wiring: an analogue thermometer (TMP36) at A0. The humidity is made up; put your own sensor in its place.
 * On the server: iotcenter device add kitchen --udp   prints ID and KEY.
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
const char SERVER[] = "192.168.1.20";

const uint8_t ID[16] IOTCENTER_FLASH = {0x00};  /* yours */
const uint8_t KEY[32] IOTCENTER_FLASH = {0x00};

const uint32_t EVERY = 10; /* seconds */

WiFiUDP udp;
IotCenterDevice device(udp, SERVER, ID, KEY);
uint32_t measured;

void offer(struct iotcenter *to)
{
    iotcenter_offer_series(to, "temperature", "Cel", EVERY);
    iotcenter_offer_series(to, "humidity", "%RH", EVERY);
}

float temperature()
{
    return analogRead(A0) * (3300.0f / 4096) / 10 - 50;
}

void setup()
{
    WiFi.begin(NETWORK, PASSWORD);
    while (WiFi.status() != WL_CONNECTED)
        delay(100);
    device.onOffer(offer);
    device.begin();
}

void loop()
{
    device.poll();
    if (millis() - measured >= EVERY * 1000 && device.report()) {
        measured = millis();
        device.read("temperature", temperature());
        device.read("humidity", 40);
        device.send();
    }
    delay(10);
}
