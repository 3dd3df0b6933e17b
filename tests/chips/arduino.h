/*
 * As much of Arduino, of its libraries and of the ESP32's as the examples name: what compiles against this compiles there,
 * as far as the language goes. Every header that they include is this one.
 */
#ifndef ARDUINO_STAND_IN_H
#define ARDUINO_STAND_IN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define A0 14
#define RTC_DATA_ATTR

typedef uint8_t byte;

enum { WL_CONNECTED = 3, ESP_SLEEP_WAKEUP_TIMER = 4 };

uint32_t millis();
void delay(uint32_t);
void pinMode(uint8_t, uint8_t);
void digitalWrite(uint8_t, uint8_t);
int digitalRead(uint8_t);
int analogRead(uint8_t);
uint32_t analogReadMilliVolts(uint8_t);
uint32_t esp_random();
void esp_fill_random(void *, size_t);
int esp_sleep_get_wakeup_cause();
void esp_sleep_enable_timer_wakeup(uint64_t);
void esp_deep_sleep_start();

class UDP {
public:
    virtual uint8_t begin(uint16_t) = 0;
    virtual int beginPacket(const char *, uint16_t) = 0;
    virtual int endPacket() = 0;
    virtual size_t write(const uint8_t *, size_t) = 0;
    virtual int parsePacket() = 0;
    virtual int read(unsigned char *, size_t) = 0;
};

class AnyUDP : public UDP {
public:
    uint8_t begin(uint16_t);
    int beginPacket(const char *, uint16_t);
    int endPacket();
    size_t write(const uint8_t *, size_t);
    int parsePacket();
    int read(unsigned char *, size_t);
};

typedef AnyUDP EthernetUDP;
typedef AnyUDP WiFiUDP;

struct EthernetClass {
    int begin(uint8_t *);
    int maintain();
};

struct WiFiClass {
    void begin(const char *, const char *);
    int status();
};

struct EEPROMClass {
    template <typename T> T &get(int, T &value) { return value; }
    template <typename T> const T &put(int, const T &value) { return value; }
};

extern EthernetClass Ethernet;
extern WiFiClass WiFi;
extern EEPROMClass EEPROM;

#endif
