"""How SSH comes in: a jump host that leads to devices and nowhere else, and ports that are opened for one of them."""
