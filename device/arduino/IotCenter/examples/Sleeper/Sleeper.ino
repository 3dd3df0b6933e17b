/*
 * An ESP32 on battery: it wakes every ten minutes, reports its voltage, takes what commands wait, and sleeps deeply.
 *
 * The device and its message lie in the memory that deep sleep keeps. So the session outlives the sleep, a report is one
 * datagram and its answer, and a reading that the server did not hear is sent again after the next sleep, under the same
 * number: it is never counted twice. Here the C core is used without the class, which would be made anew by each start.
 *
 * Wiring: the battery, halved by two resistors, at pin 34.
 * On the server: iotcenter device add garden --udp   prints ID and KEY.
 */
#include <WiFi.h>
#include <WiFiUdp.h>
#include <esp_random.h>
#include <esp_sleep.h>

#include <iotcenter.h>

const char NETWORK[] = "my network";
const char PASSWORD[] = "its password";
const char SERVER[] = "192.168.1.20";

const uint8_t ID[16] = {0x00}; /* yours */
const uint8_t KEY[32] = {0x00};

const uint32_t SLEEP = 10UL * 60 * 1000; /* milliseconds */
const uint32_t LONGEST = 15UL * 1000;    /* that it stays awake for one report */
const uint8_t BATTERY = 34;

RTC_DATA_ATTR struct iotcenter device;
RTC_DATA_ATTR uint8_t message[64];

uint8_t packet[256];
WiFiUDP udp;

void sendDatagram(void *, const uint8_t *data, uint16_t size)
{
    udp.beginPacket(SERVER, 9999);
    udp.write(data, size);
    udp.endPacket();
}

uint32_t readClock(void *)
{
    return millis();
}

bool makeNoise(void *, uint8_t noise[16])
{
    esp_fill_random(noise, 16);
    return true;
}

void offer(void *, struct iotcenter *to)
{
    iotcenter_offer_series(to, "battery", "V", SLEEP / 1000);
    iotcenter_offer_command(to, "identify", false);
}

void command(void *, struct iotcenter *to, const struct iotcenter_command *)
{
    iotcenter_done(to, iotcenter_text("I am awake"));
}

struct iotcenter_config config = {};

void start()
{
    config.id = ID;
    config.key = KEY;
    config.packet = packet;
    config.packet_size = sizeof packet;
    config.message = message;
    config.message_size = sizeof message;
    config.sleepy = true;
    config.send = sendDatagram;
    config.milliseconds = readClock;
    config.entropy = makeNoise;
    config.on_offer = offer;
    config.on_command = command;
    if (esp_sleep_get_wakeup_cause() == ESP_SLEEP_WAKEUP_TIMER)
        iotcenter_resume(&device, &config, SLEEP);
    else
        iotcenter_start(&device, &config);
}

void run()
{
    while (millis() < LONGEST) {
        int size = udp.parsePacket();
        if (size > 0 && size <= (int)sizeof packet && udp.read(packet, sizeof packet) == size)
            iotcenter_receive(&device, (uint16_t)size);
        iotcenter_poll(&device);
        if (!iotcenter_busy(&device) && !iotcenter_listening(&device))
            return;
        delay(5);
    }
}

void setup()
{
    start();
    WiFi.begin(NETWORK, PASSWORD);
    while (WiFi.status() != WL_CONNECTED && millis() < LONGEST)
        delay(20);
    udp.begin(9998);
    if (iotcenter_report(&device)) { /* the last report is still on its way: it goes first, and this one is left out */
        iotcenter_reading(&device, "battery", iotcenter_float(analogReadMilliVolts(BATTERY) * 0.002f), 0);
        iotcenter_send(&device);
    }
    run();
    esp_sleep_enable_timer_wakeup(SLEEP * 1000ULL);
    esp_deep_sleep_start();
}

void loop()
{
}
