"""A second implementation of the wire against real nodes (node/tests/foreign_wire.rs)."""

import asyncio
import contextlib

import admin
import broken
import claim
import doors
import examples
import job
import more
import told
import wire


async def main():
    examples.main()
    await claim.main()
    async with contextlib.AsyncExitStack() as stack:
        operator = await stack.enter_async_context(job.connect())
        with open(f"{told.NODE}/operator.key", encoding="ascii") as file:
            await operator.hello(wire.handle(file.read().strip()))
        of, amy = await job.main(stack, operator)
        await more.main(operator, of, amy)
        await admin.main(operator, of)
        await doors.main(operator, of, amy)
        await broken.main(stack, of)


if __name__ == "__main__":
    asyncio.run(main())
