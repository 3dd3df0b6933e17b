/*
 * The Arduino class around the C core: one device over any UDP (EthernetUDP, WiFiUDP, ...). See the examples.
 *
 * Where the chip has no random source (AVR), the class counts the boots in four bytes of EEPROM, and begin() writes them
 * once: choose an address that nothing else uses.
 */
#ifndef IOTCENTER_DEVICE_H
#define IOTCENTER_DEVICE_H

#include <Arduino.h>
#include <Udp.h>

#include "iotcenter.h"

/* Bytes of the buffers; -D sets others. A packet of 128 takes commands of up to 95 bytes; see the README. */
#ifndef IOTCENTER_PACKET
#ifdef __AVR__
#define IOTCENTER_PACKET 128
#else
#define IOTCENTER_PACKET 512
#endif
#endif

#ifndef IOTCENTER_MESSAGE
#ifdef __AVR__
#define IOTCENTER_MESSAGE 64
#else
#define IOTCENTER_MESSAGE 256
#endif
#endif

class IotCenterDevice {
public:
    typedef void (*Offer)(struct iotcenter *device);
    typedef void (*Command)(struct iotcenter *device, const struct iotcenter_command *command);

    /* `server` is a name or an address; `id` and `key` are IOTCENTER_FLASH arrays of 16 and 32 bytes. All of them live as
     * long as the device. */
    IotCenterDevice(UDP &udp, const char *server, const uint8_t *id, const uint8_t *key, uint16_t port = 9999);

    /* Before begin(): what the device offers, what it does on a command, and whether it sleeps between reports. */
    void onOffer(Offer offer) { _offer = offer; }
    void onCommand(Command command) { _command = command; }
    void sleepy() { _config.sleepy = true; }

    /* Opens the UDP port `port` of this device, and starts. The network must be up. `address` is where the boot count lies
     * in EEPROM, where there is one. */
    bool begin(uint16_t port = 9998, int address = 0);

    /* Call it from loop(). Returns for how many milliseconds it may be left alone if nothing comes. */
    uint32_t poll();

    /* report(), read() for each reading, send(). report() is false while another message is on its way. */
    bool report() { return iotcenter_report(&_device); }
    bool read(const char *series, float value, uint32_t age = 0);
    bool read(const char *series, double value, uint32_t age = 0) { return read(series, (float)value, age); }
    bool read(const char *series, long value, uint32_t age = 0);
    bool read(const char *series, int value, uint32_t age = 0) { return read(series, (long)value, age); }
    bool read(const char *series, bool value, uint32_t age = 0);
    bool read(const char *series, const char *value, uint32_t age = 0);
    bool send() { return iotcenter_send(&_device); }

    bool log(const char *text, const char *level = "info") { return iotcenter_log(&_device, level, text); }

    bool busy() const { return iotcenter_busy(&_device); }
    bool listening() const { return iotcenter_listening(&_device); }
    bool online() const { return _online; }
    uint32_t time() const { return iotcenter_time(&_device); }

    /* millis() stood still for so long, since the chip slept. */
    void slept(uint32_t milliseconds) { _slept += milliseconds; }

private:
    static void sendDatagram(void *self, const uint8_t *data, uint16_t size);
    static uint32_t readClock(void *self);
    static void tellOffer(void *self, struct iotcenter *device);
    static void runCommand(void *self, struct iotcenter *device, const struct iotcenter_command *command);
    static void tellState(void *self, enum iotcenter_state state);

    UDP &_udp;
    const char *_server;
    uint16_t _port;
    Offer _offer;
    Command _command;
    uint32_t _slept;
    bool _online;
    uint8_t _packet[IOTCENTER_PACKET], _message[IOTCENTER_MESSAGE];
    struct iotcenter_config _config;
    struct iotcenter _device;
};

#endif
