"""By which names and addresses the machine knows itself."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.machine import MAX_NAMES, Names, machine_names
from tests.identity.support import new_directory

NOWHERE = Path("/nonexistent")


def dns_names(names: Names) -> set[str]:
    """The host names among ``names``."""
    return {name.value for name in names if isinstance(name, x509.DNSName)}


def addresses(names: Names) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses among ``names``."""
    found = (name.value for name in names if isinstance(name, x509.IPAddress))
    return {value for value in found if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address)}


class MachineNamesTests(SynchronousTestCase):
    """What the test's own machine says of itself."""

    def test_itself(self) -> None:
        """A machine is reached by its host name and as localhost."""
        found = dns_names(machine_names())
        self.assertLessEqual({"localhost", socket.gethostname().lower()}, found)

    def test_addresses(self) -> None:
        """A machine is reached at its addresses, but not at those that need an interface beside them."""
        found = addresses(machine_names())
        self.assertIn(ipaddress.ip_address("127.0.0.1"), found)
        self.assertFalse([one for one in found if one.version == 6 and one.is_link_local])

    def test_full_name(self) -> None:
        """The name with the domain comes from the file of hosts, whose other lines and comments do not count."""
        host = socket.gethostname()
        hosts = new_directory(self) / "hosts"
        hosts.write_text(
            f"\n# 10.0.0.9 comment {host}\n10.0.0.1 other.example\n127.0.1.1 {host}.example.org {host} # home\n"
        )
        found = dns_names(machine_names(hosts))
        self.assertIn(f"{host}.example.org".lower(), found)
        self.assertFalse({"other.example", "comment", "home"} & found)

    def test_what_no_certificate_takes(self) -> None:
        """What is no host name is left out."""
        hosts = new_directory(self) / "hosts"
        hosts.write_text(f"127.0.1.1 {socket.gethostname()} bü.example *.example -x .example {'a' * 300}\n")
        self.assertFalse({"bü.example", "*.example", "-x", ".example", "a" * 300} & dns_names(machine_names(hosts)))

    def test_temporary_addresses(self) -> None:
        """An IPv6 address of the day does not count: a certificate for it would soon be wrong."""
        every = machine_names(NOWHERE, NOWHERE)
        ours = [one for one in addresses(every) if one.version == 6]
        flags = new_directory(self) / "if_inet6"
        flags.write_text("".join(f"{one.packed.hex()} 04 40 00 01     eth0\n" for one in ours))
        self.assertFalse([one for one in addresses(machine_names(NOWHERE, flags)) if one.version == 6])

    def test_bounded(self) -> None:
        """A machine of very many names still has a certificate that fits into a handshake."""
        hosts = new_directory(self) / "hosts"
        hosts.write_text(f"127.0.1.1 {socket.gethostname()} " + " ".join(f"name{n}" for n in range(5000)))
        self.assertEqual(len(machine_names(hosts)), MAX_NAMES)
