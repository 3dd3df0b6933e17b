"""The registrar protocol: devices that have only a name and a password. Text in, packets out."""
