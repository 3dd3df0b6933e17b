"""``iotdevice registrar``: a device that has only a name and a password, at the center's registrar and among its
peers."""
