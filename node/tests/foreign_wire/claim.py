"""A node that nobody has claimed: what a stranger may do, and how it becomes the operator."""

import os

import client
import told
import wire

FRESH = os.environ["TESSERA_FRESH"]  # the data directory of a node that nobody has claimed
HOST, PORT = os.environ["TESSERA_FRESH_LISTEN"].rsplit(":", 1)


def fresh():
    return client.connect(HOST, int(PORT), f"{FRESH}/certificate.pem")


async def main():
    async with fresh() as line:
        reply = await line.hello()
        assert (reply["flags"], reply["subject"], reply["credential"]) == (0, bytes(16), bytes(16)), reply
        with open(f"{FRESH}/operator-secret", encoding="ascii") as file:
            secret = file.read().strip()
        wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
        try:
            await line.order("ClaimOperator", secret=wrong.encode(), name="ann")
            raise AssertionError("a wrong secret was taken")
        except client.Refused as error:
            assert error.code == 224, error  # SecretWrong
        command_id = wire.command_id(line.now_ms())
        made = await line.order("ClaimOperator", command_id, secret=secret.encode(), name="ann")
        assert made["handle"][:2] == bytes([1, 2]) and not made["repeated"], made
    key = told.kept(wire.spelled(made["handle"]), f"{FRESH}/../operator.key")
    answer = await told.done("ping", profile=FRESH, key_file=key)
    told.same("the operator", wire.public(made["subject"]), answer["subject"])

    # The claimed node has nothing for strangers any more.
    async with fresh() as line:
        try:
            await line.hello()
            raise AssertionError("a stranger is bound")
        except client.Refused as error:
            assert error.code == wire.HELLO_REFUSED, error
        assert await line.close_code() == wire.HELLO_REFUSED
    print("claim: a node claimed, and closed to strangers since")
