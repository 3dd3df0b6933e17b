"""The SSH gateway, with the real OpenSSH on both sides."""
