"""A command's way, and what becomes of it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail

from iotcenter.center.commands import HIDDEN, MAX_PENDING
from iotcenter.center.errors import DeviceOffline, TooManyCommands, UnknownCommand, UnknownDevice
from iotcenter.center.pending import ANSWER_WITHIN, RUN_WITHIN, WRITE_AGAIN
from iotcenter.center.subscribers import CommandEvent
from iotcenter.model import Command, CommandState
from iotcenter.storage.errors import DiskFull
from iotcenter.wire import messages
from iotcenter.wire.arguments import ArgumentsError
from iotcenter.wire.messages import MAX_COMMANDS, Result, ResultState
from tests.center.support import CenterTestCase, TestLink


def nested(depth: int) -> list[Any]:
    """A list in a list, and so on."""
    return [nested(depth - 1)] if depth else []


class CommandsTests(CenterTestCase):
    """From the one who sends to the device and back."""

    def send(self, **more: Any) -> Deferred[Command]:
        """Switch the relay on."""
        return Deferred.fromCoroutine(self.center.commands.send("kitchen-pi", "relay", {"on": True}, "ann", **more))

    def visit(self) -> None:
        """The device was here, said what it offers, and is gone."""
        self.join()[1].detached("gone")

    async def sent(self, link: TestLink, **more: Any) -> tuple[Deferred[Command], messages.Command]:
        """Switch the relay on, up to where the device got it."""
        arriving = link.next(messages.Command)
        answer = self.send(**more)
        return answer, await arriving

    async def test_done(self) -> None:
        """The device gets the command with its defaults; who sent it gets the result; every step is told."""
        link, attachment = self.join()
        answer, message = await self.sent(link, timeout=10)
        self.assertEqual((message.name, message.args), ("relay", {"on": True, "seconds": 0}))
        attachment.received(Result(message.id, ResultState.RECEIVED))
        self.assertNoResult(answer)
        attachment.received(Result(message.id, ResultState.DONE, {"was": False}))
        command = await answer
        self.assertEqual((command.state, command.result), (CommandState.DONE, {"was": False}))
        self.assertEqual(
            [event.command.state for event in self.told(CommandEvent)],
            [CommandState.QUEUED, CommandState.SENT, CommandState.RECEIVED, CommandState.DONE],
        )
        [kept] = await self.center.commands.recent("kitchen-pi")
        self.assertEqual(kept, command)

    async def test_failed(self) -> None:
        """What went wrong on the device comes back in its words."""
        link, attachment = self.join()
        answer, message = await self.sent(link, timeout=10)
        attachment.received(Result(message.id, ResultState.FAILED, error="the relay is stuck"))
        command = await answer
        self.assertEqual((command.state, command.error), (CommandState.FAILED, "the relay is stuck"))

    async def test_without_a_timeout_the_answer_is_at_once(self) -> None:
        """Who does not want to wait gets the command's number."""
        self.join()
        command = await self.send()
        self.assertIs(command.state, CommandState.SENT)
        self.assertGreater(command.id, 0)

    async def test_the_wait_ends_and_the_command_goes_on(self) -> None:
        """After the timeout the sender is told how far it got; a later result is recorded all the same."""
        link, attachment = self.join()
        answer, message = await self.sent(link, timeout=5)
        attachment.received(Result(message.id, ResultState.RECEIVED))
        self.clock.advance(5)
        self.assertIs((await answer).state, CommandState.RECEIVED)
        attachment.received(Result(message.id, ResultState.DONE, "late"))
        self.assertEqual((await self.center.commands.get(message.id)).result, "late")

    async def test_a_sender_that_goes_away_stops_nothing(self) -> None:
        """A browser that closes cancels the wait alone: the command is on its way, and is recorded."""
        link, attachment = self.join()
        arriving = link.next(messages.Command)
        answer = self.send(timeout=10)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        message = await arriving
        attachment.received(Result(message.id, ResultState.DONE))
        self.assertIs((await self.center.commands.get(message.id)).state, CommandState.DONE)
        self.clock.advance(10)

    async def test_offline_without_a_lifetime_is_refused(self) -> None:
        """The sender is told at once, and nothing is recorded."""
        self.visit()
        with self.assertRaises(DeviceOffline):
            await self.send()
        self.assertEqual(await self.center.commands.recent("kitchen-pi"), ())

    async def test_offline_with_a_lifetime_waits(self) -> None:
        """The device gets it when it returns."""
        self.visit()
        command = await self.send(lifetime=3600)
        self.assertIs(command.state, CommandState.QUEUED)
        link, _ = self.join()
        [message] = link.of(messages.Command)
        self.assertEqual(message.id, command.id)

    async def test_a_lifetime_ends(self) -> None:
        """A device that does not return in time never gets it."""
        self.visit()
        command = await self.send(lifetime=3600)
        self.clock.advance(3600)
        self.assertIs((await self.center.commands.get(command.id)).state, CommandState.EXPIRED)
        link, _ = self.join()
        self.assertEqual(link.of(messages.Command), [])

    async def test_no_answer_expires(self) -> None:
        """A device that is online and says nothing is not waited for for ever."""
        link, _ = self.join()
        answer, _ = await self.sent(link, timeout=5)
        self.clock.advance(5)
        self.assertIs((await answer).state, CommandState.SENT)
        self.clock.advance(ANSWER_WITHIN)
        [command] = await self.center.commands.recent("kitchen-pi")
        self.assertEqual((command.state, command.error), (CommandState.EXPIRED, "the device did not answer in time"))

    async def test_received_and_never_done_expires(self) -> None:
        """A device may take its time, but not for ever."""
        link, attachment = self.join()
        _, message = await self.sent(link)
        attachment.received(Result(message.id, ResultState.RECEIVED))
        self.clock.advance(ANSWER_WITHIN * 2)
        self.assertIs((await self.center.commands.get(message.id)).state, CommandState.RECEIVED)
        self.clock.advance(RUN_WITHIN)
        self.assertIs((await self.center.commands.get(message.id)).state, CommandState.EXPIRED)

    async def test_a_lost_link_returns_it_to_the_queue(self) -> None:
        """What the device did not say it received is sent again over its next link, under the same number."""
        link, attachment = self.join()
        _, message = await self.sent(link, lifetime=600)
        attachment.detached("no sign of life")
        self.assertIs((await self.center.commands.get(message.id)).state, CommandState.QUEUED)
        again, _ = self.join()
        self.assertEqual(again.of(messages.Command), [message])

    async def test_a_restart_of_the_server_loses_none(self) -> None:
        """What waited for its device still does."""
        self.visit()
        command = await self.send(lifetime=3600)
        self.center.stop()
        await self.open_center()
        link, attachment = self.join()
        [message] = link.of(messages.Command)
        self.assertEqual((message.id, message.args), (command.id, {"on": True, "seconds": 0}))
        attachment.received(Result(message.id, ResultState.DONE))
        self.assertIs((await self.center.commands.get(command.id)).state, CommandState.DONE)

    async def test_cancel(self) -> None:
        """What is queued can be taken back; what was sent cannot."""
        self.visit()
        queued = await self.send(lifetime=3600)
        self.assertIs((await self.center.commands.cancel(queued.id, "ann")).state, CommandState.CANCELLED)
        link, _ = self.join()
        self.assertEqual(link.of(messages.Command), [])
        sent = await self.send()
        self.assertIs((await self.center.commands.cancel(sent.id, "ann")).state, CommandState.SENT)

    async def test_another_device_cannot_answer(self) -> None:
        """A result counts from the device that the command was given to, and from no other."""
        other = await self.accounts.add("garage", "tls", "ann")
        intruder = self.center.attach(other.id, TestLink(), messages.Hello())
        link, _ = self.join()
        _, message = await self.sent(link)
        intruder.received(Result(message.id, ResultState.DONE, "forged"))
        self.assertIs((await self.center.commands.get(message.id)).state, CommandState.SENT)

    async def test_secrets_are_neither_stored_nor_queued(self) -> None:
        """The device gets the secret, the records do not; one that would have to wait is refused."""
        self.visit()
        with self.assertRaises(ArgumentsError):
            await self.center.commands.send("kitchen-pi", "unlock", {"code": "1234"}, "ann", lifetime=60)
        link, _ = self.join()
        arriving = link.next(messages.Command)
        command = await self.center.commands.send("kitchen-pi", "unlock", {"code": "1234"}, "ann")
        self.assertEqual((await arriving).args, {"code": "1234"})
        self.assertEqual(command.args, {"code": HIDDEN})
        self.assertEqual((await self.center.commands.recent("kitchen-pi"))[0].args, {"code": HIDDEN})

    async def test_secrets_do_not_outlive_the_server(self) -> None:
        """A command with a secret that has no end when the server stops fails: its placeholder is never sent."""
        self.join()
        command = await self.center.commands.send("kitchen-pi", "unlock", {"code": "1234"}, "ann", lifetime=600)
        self.center.stop()
        await self.open_center()
        link, _ = self.join()
        self.assertEqual(link.of(messages.Command), [])
        self.assertIs((await self.center.commands.get(command.id)).state, CommandState.FAILED)

    async def test_a_device_gets_no_more_than_it_takes_at_a_time(self) -> None:
        """What waited comes in its order, the next when one has ended."""
        self.visit()
        ids = [(await self.send(lifetime=3600)).id for _ in range(MAX_COMMANDS + 2)]
        link, attachment = self.join()
        self.assertEqual([message.id for message in link.of(messages.Command)], ids[:MAX_COMMANDS])
        attachment.received(Result(ids[0], ResultState.RECEIVED))
        self.assertEqual(len(link.of(messages.Command)), MAX_COMMANDS)
        attachment.received(Result(ids[0], ResultState.DONE))
        self.assertEqual([message.id for message in link.of(messages.Command)], ids[: MAX_COMMANDS + 1])

    async def test_a_device_that_returns_in_the_last_moment_has_time_to_answer(self) -> None:
        """A command's lifetime is for the way to the device; the answer has a time of its own."""
        self.visit()
        command = await self.send(lifetime=60)
        self.clock.advance(59)
        _, attachment = self.join()
        self.clock.advance(ANSWER_WITHIN - 1)
        attachment.received(Result(command.id, ResultState.DONE, "just so"))
        self.assertEqual((await self.center.commands.get(command.id)).result, "just so")

    async def test_a_device_that_is_renamed_meanwhile(self) -> None:
        """The command stays with the device, under its new name, and not with the name."""
        link, attachment = self.join()
        arriving = link.next(messages.Command)
        answer = self.send(timeout=10)
        await self.center.devices.rename("kitchen-pi", "cellar", "ann")
        attachment.received(Result((await arriving).id, ResultState.DONE))
        self.assertEqual((await answer).device, "cellar")

    async def test_an_end_that_cannot_be_written_is_written_later(self) -> None:
        """A command that was cancelled while the disk was full stays cancelled."""
        self.visit()
        command = await self.send(lifetime=3600)
        update = self.store.commands.update
        self.patch(self.store.commands, "update", lambda *_: fail(DiskFull()))
        await self.center.commands.cancel(command.id, "ann")
        self.patch(self.store.commands, "update", update)
        self.clock.advance(WRITE_AGAIN)
        await self.store.readings.set_lost(self.device, 0, 0)  # is in the same commit, or a later one
        self.center.stop()
        await self.open_center()
        self.assertIs((await self.center.commands.get(command.id)).state, CommandState.CANCELLED)

    async def test_what_does_not_exist(self) -> None:
        """An unknown device, command, argument or number is named."""
        self.join()
        cases: list[tuple[type[Exception], str, str, dict[str, Any]]] = [
            (UnknownDevice, "attic", "relay", {"on": True}),
            (UnknownCommand, "kitchen-pi", "explode", {}),
            (ArgumentsError, "kitchen-pi", "relay", {"on": "maybe"}),
        ]
        for error, device, name, args in cases:
            with self.assertRaises(error):
                await self.center.commands.send(device, name, args, "ann")
        with self.assertRaises(UnknownCommand):
            await self.center.commands.get(99)

    async def test_results_are_bounded(self) -> None:
        """A result that is too long, or is no JSON, fails the command in words."""
        link, attachment = self.join()
        for result, words in (("x" * 70_000, "70002 bytes"), ({(1, 2): 3}, "JSON"), (nested(400), "nested")):
            _, message = await self.sent(link)
            attachment.received(Result(message.id, ResultState.DONE, result))
            command = await self.center.commands.get(message.id)
            self.assertIs(command.state, CommandState.FAILED)
            self.assertIn(words, command.error or "")

    async def test_the_queue_is_bounded(self) -> None:
        """Nobody can make a device drown when it returns."""
        self.visit()
        for _ in range(MAX_PENDING):
            await self.send(lifetime=3600)
        with self.assertRaises(TooManyCommands):
            await self.send(lifetime=3600)
