#include "IotCenterDevice.h"

#if defined(ESP32)
#include <esp_random.h>
#elif defined(ARDUINO_ARCH_RP2040)
#include <pico/rand.h>
#elif !defined(ESP8266)
#include <EEPROM.h>
#endif

#if defined(ESP32) || defined(ESP8266) || defined(ARDUINO_ARCH_RP2040)

static uint32_t randomWord()
{
#if defined(ESP32)
    return esp_random(); /* truly random while the radio is on */
#elif defined(ESP8266)
    return RANDOM_REG32;
#else
    return get_rand_32();
#endif
}

static bool makeNoise(void *, uint8_t noise[16])
{
    for (uint8_t i = 0; i < 16; i += 4) {
        uint32_t word = randomWord();
        memcpy(noise + i, &word, 4);
    }
    return true;
}

static bool (*const ENTROPY)(void *, uint8_t[16]) = makeNoise;

static uint32_t countBoots(int)
{
    return 0;
}

#else

static bool (*const ENTROPY)(void *, uint8_t[16]) = NULL;

/* It is written before it is used: a count that was used never comes again. */
static uint32_t countBoots(int address)
{
    uint32_t boots;
    EEPROM.get(address, boots);
    boots = boots == UINT32_MAX ? 1 : boots + 1; /* a fresh EEPROM is all ones */
    EEPROM.put(address, boots);
    return boots;
}

#endif

IotCenterDevice::IotCenterDevice(UDP &udp, const char *server, const uint8_t *id, const uint8_t *key, uint16_t port)
    : _udp(udp), _server(server), _port(port), _offer(NULL), _command(NULL), _slept(0), _online(false), _config(),
      _device()
{
    _config.id = id;
    _config.key = key;
    _config.packet = _packet;
    _config.packet_size = sizeof _packet;
    _config.message = _message;
    _config.message_size = sizeof _message;
    _config.user = this;
    _config.send = sendDatagram;
    _config.milliseconds = readClock;
    _config.entropy = ENTROPY;
    _config.on_offer = tellOffer;
    _config.on_command = runCommand;
    _config.on_state = tellState;
}

bool IotCenterDevice::begin(uint16_t port, int address)
{
    _config.boots = countBoots(address);
    return _udp.begin(port) && iotcenter_start(&_device, &_config) == IOTCENTER_OK;
}

uint32_t IotCenterDevice::poll()
{
    int size = _udp.parsePacket();
    if (size > 0 && size <= (int)sizeof _packet && _udp.read(_packet, sizeof _packet) == size)
        iotcenter_receive(&_device, (uint16_t)size);
    return iotcenter_poll(&_device);
}

bool IotCenterDevice::read(const char *series, float value, uint32_t age)
{
    return iotcenter_reading(&_device, series, iotcenter_float(value), age);
}

bool IotCenterDevice::read(const char *series, long value, uint32_t age)
{
    return iotcenter_reading(&_device, series, iotcenter_int(value), age);
}

bool IotCenterDevice::read(const char *series, bool value, uint32_t age)
{
    return iotcenter_reading(&_device, series, iotcenter_bool(value), age);
}

bool IotCenterDevice::read(const char *series, const char *value, uint32_t age)
{
    return iotcenter_reading(&_device, series, iotcenter_text(value), age);
}

void IotCenterDevice::sendDatagram(void *self, const uint8_t *data, uint16_t size)
{
    IotCenterDevice *device = static_cast<IotCenterDevice *>(self);
    if (!device->_udp.beginPacket(device->_server, device->_port))
        return; /* as good as lost: the core sends again */
    device->_udp.write(data, size);
    device->_udp.endPacket();
}

uint32_t IotCenterDevice::readClock(void *self)
{
    return millis() + static_cast<IotCenterDevice *>(self)->_slept;
}

void IotCenterDevice::tellOffer(void *self, struct iotcenter *device)
{
    if (static_cast<IotCenterDevice *>(self)->_offer != NULL)
        static_cast<IotCenterDevice *>(self)->_offer(device);
}

void IotCenterDevice::runCommand(void *self, struct iotcenter *device, const struct iotcenter_command *command)
{
    if (static_cast<IotCenterDevice *>(self)->_command != NULL)
        static_cast<IotCenterDevice *>(self)->_command(device, command);
    else
        iotcenter_failed(device, "no commands here");
}

void IotCenterDevice::tellState(void *self, enum iotcenter_state state)
{
    static_cast<IotCenterDevice *>(self)->_online = state == IOTCENTER_ONLINE;
}
