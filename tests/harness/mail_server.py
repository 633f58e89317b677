"""A mail server for tests, made of aiosmtpd. What it answers depends on how a recipient's address begins:

busy   450 to RCPT, as a server that is overloaded
gone   550 to RCPT, as a server that knows no such recipient
full   552 to RCPT, as a server whose recipient has no space left
policy 554 to RCPT, as a server that wants no mails from here
silent no answer after the final dot
drops  the connection ends after the final dot
lost   the same, the first time that a message is sent there

Each mail that it was sent is a line of JSON on the standard output. The first line tells the port, which is the argument unless that
is 0.
"""

import asyncio
import json
import sys
from contextlib import suppress
from email import message_from_string

from aiosmtpd.smtp import SMTP


class Handler:
    def __init__(self, seen):
        self.seen = seen

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("busy"):
            return f"450 4.2.1 <{address}> try again later"
        if address.startswith("gone"):
            return f"550 5.1.1 <{address}> no such recipient"
        if address.startswith("full"):
            return f"552 5.2.2 <{address}> has no space left"
        if address.startswith("policy"):
            return f"554 5.7.1 <{address}> is not for you"
        envelope.rcpt_tos.append(address)
        return "250 recipient ok"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode(),
        }
        print(json.dumps(mail), flush=True)
        recipient = envelope.rcpt_tos[0]
        if recipient.startswith("silent"):
            await asyncio.sleep(3600)
        message_id = message_from_string(mail["content"])["Message-ID"]
        is_first = message_id not in self.seen
        self.seen.add(message_id)
        if recipient.startswith("drops") or (recipient.startswith("lost") and is_first):
            server.transport.abort()
        return "250 2.0.0 queued as 4711"


async def serve():
    loop = asyncio.get_running_loop()
    port = int(sys.argv[1])
    seen = set()
    server = await loop.create_server(lambda: SMTP(Handler(seen), enable_SMTPUTF8=True), "127.0.0.1", port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


with suppress(KeyboardInterrupt):
    asyncio.run(serve())
