/*
 * A relay on an Arduino Uno with an Ethernet shield (W5500): the server switches it, for good or for some seconds.
 *
 * Wiring: the relay's input at pin 7. The first four bytes of the EEPROM count the boots.
 * On the server: iotcenter device add pump --udp   prints ID and KEY.
 */
#include <Ethernet.h>

#include <IotCenterDevice.h>

byte MAC[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01}; /* another for each shield */
const char SERVER[] = "192.168.1.20";

const uint8_t ID[16] IOTCENTER_FLASH = {0x00}; /* yours */
const uint8_t KEY[32] IOTCENTER_FLASH = {0x00};

const uint8_t RELAY = 7;

EthernetUDP udp;
IotCenterDevice device(udp, SERVER, ID, KEY);
uint32_t offAt;  /* when the relay goes off by itself; 0: never */
int8_t shown = -1;

void offer(struct iotcenter *to)
{
    iotcenter_offer_series(to, "relay", "", 0);
    iotcenter_offer_command(to, "relay", true);
    iotcenter_offer_argument(to, "on", "boolean", true);
    iotcenter_offer_argument(to, "seconds", "integer", false);
}

void command(struct iotcenter *to, const struct iotcenter_command *command)
{
    bool on = false;
    int32_t seconds = 0;
    if (!iotcenter_is(command, "relay") || !iotcenter_bool_argument(command, "on", &on)) {
        iotcenter_failed(to, "no such command");
        return;
    }
    iotcenter_int_argument(command, "seconds", &seconds);
    if (seconds < 0 || seconds > 86400) {
        iotcenter_failed(to, "a day at most");
        return;
    }
    digitalWrite(RELAY, on ? HIGH : LOW);
    offAt = on && seconds > 0 ? millis() + seconds * 1000UL : 0;
    iotcenter_done(to, iotcenter_bool(on));
}

/* Reports the relay whenever it has changed. */
void show()
{
    int8_t now = digitalRead(RELAY) == HIGH;
    if (now == shown || !device.report())
        return;
    device.read("relay", now == 1);
    if (device.send())
        shown = now;
}

void setup()
{
    pinMode(RELAY, OUTPUT);
    Ethernet.begin(MAC);
    device.onOffer(offer);
    device.onCommand(command);
    device.begin();
}

void loop()
{
    Ethernet.maintain();
    device.poll();
    if (offAt != 0 && (int32_t)(millis() - offAt) >= 0) {
        digitalWrite(RELAY, LOW);
        offAt = 0;
    }
    show();
}
