"""``iotcenter device ...`` and ``iotcenter enroll``: who the devices are."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.asking import confirm
from iotcenter.cli.output import Answer, age, facts, length, moment, plain, say, table
from iotcenter.cli.udp import key_answer

KEPT = ("raw", "minutes", "hours", "days")
"""What has a time for which it is kept: readings as they came, and summed up."""


def list_all(api: Api, given: Namespace) -> Answer:
    """All devices, one a line."""
    devices = api.get("devices")
    now = time.time()
    rows = [(each["name"], state(each), each["transport"], age(each["last_seen"], now)) for each in devices]
    empty = "There are no devices yet. Add one with: iotcenter enroll NAME"
    return Answer(devices, table(("Name", "State", "Transport", "Seen"), rows, empty))


def show(api: Api, given: Namespace) -> Answer:
    """What a device is, what it offers, and its newest values."""
    device = api.get("devices", given.name)
    about = facts(
        (
            ("Name", device["name"]),
            ("State", state(device)),
            ("Why", device["reason"]),
            ("Seen", age(device["last_seen"], time.time())),
            ("Address", device["address"]),
            ("Transport", device["transport"]),
            ("Agent", device["agent"]),
            ("Application", " ".join(filter(None, (device["app"], device["app_detail"])))),
            ("Clock", clock(device)),
            ("Readings", ", ".join(f"{count} {what}" for what, count in device["account"].items())),
            ("Commands", ", ".join(offer["name"] for offer in device["commands"])),
            ("Id", device["id"]),
        )
    )
    values = table(
        ("Series", "Value", "Unit", "At"), [_value(each) for each in device["series"]], "It reported nothing yet."
    )

    def both() -> None:
        about()
        print()
        values()

    return Answer(device, both)


def state(device: dict[str, Any]) -> str:
    """A device's state in one word."""
    return "revoked" if device["revoked"] else str(device["state"])


def clock(device: dict[str, Any]) -> str | None:
    """What is known of a device's clock; None where that is nothing."""
    off = device["clock_offset"]
    if device["clock"] == "none":
        return "none: readings are placed by their ages"
    if off is None:
        return None
    way = f"{length(abs(off))} {'ahead' if off > 0 else 'behind'}"
    return f"{way}: the times of readings are set right" if device["clock"] == "wrong" else f"right, {way}"


def _value(series: dict[str, Any]) -> tuple[object, ...]:
    value, decimals = series["value"], series["decimals"]
    if isinstance(value, float) and decimals is not None:
        value = f"{value:.{decimals}f}"
    return series["name"], value, series["unit"], moment(series["time"])


def add(api: Api, given: Namespace) -> Answer:
    """A new device, and the token that it enrolls with; over UDP, its id and its key. Fails where the name is taken."""
    if given.registrar:
        body = {"name": given.name, "address": given.address, "transport": "registrar"}
        return _expected(api.post("devices", body=body))
    if given.udp or given.udp_v1:
        return key_answer(api.post("devices", body={"name": given.name, "transport": "udp" if given.udp else "udp-v1"}))
    return _token(api.post("devices", body=_wanted(given)))


def enroll(api: Api, given: Namespace) -> Answer:
    """A token for a device that is new, or for a known one that is set up again."""
    return _token(api.post("enrollments", body=_wanted(given)))


def _wanted(given: Namespace) -> dict[str, object]:
    return {"name": given.name, "lifetime": given.lifetime, "address": given.address}


def _token(issued: dict[str, Any]) -> Answer:
    def show() -> None:
        print("Run this on the device:")
        print(f"  {plain(issued['line'])}")
        print("Or, where the agent is installed already:")
        print(f"  iotdevice enroll {plain(issued['token'])}")

    return Answer(issued, show)


def _expected(device: dict[str, Any]) -> Answer:
    def show() -> None:
        if device["line"]:
            print(f"{device['name']} may register now. Run this on the device, and choose Register:")
            print(f"  {plain(device['line'])}")
        else:
            print(f"{device['name']} may register once the registrar is on: --registrar 9997, or [registrar] listen")

    return Answer(device, show)


def rename(api: Api, given: Namespace) -> Answer:
    """Give a device another name; its readings stay with it."""
    device = api.patch("devices", given.name, body={"name": given.new})
    return Answer(device, say(f"{given.name} is now {device['name']}"))


def revoke(api: Api, given: Namespace) -> Answer:
    """Bar a device at once; its readings stay."""
    confirm(f"Bar {given.name} from now on?", given.yes)
    return Answer(api.post("devices", given.name, "revoke"), say(f"{given.name} is barred"))


def retention(api: Api, given: Namespace) -> Answer:
    """For how many days the readings of a device are kept; or keep a series for so many."""
    if given.series is not None:
        days = {what: getattr(given, what) for what in KEPT}
        kept = {given.series: api.patch("devices", given.name, "retention", body={"series": given.series, **days})}
    else:
        kept = api.get("devices", given.name, "retention")
    rows = [(series, *(_kept(rule[what]) for what in KEPT)) for series, rule in kept.items()]
    return Answer(kept, table(("Series", *map(str.capitalize, KEPT)), rows, "It reported nothing yet."))


def _kept(days: int | None) -> str:
    return "as configured" if days is None else f"{days} days" if days else "for ever"


def remove(api: Api, given: Namespace) -> Answer:
    """Remove a device with all its readings."""
    confirm(f"Remove {given.name} and all its readings?", given.yes)
    return Answer(api.delete("devices", given.name), say(f"{given.name} is removed"))
