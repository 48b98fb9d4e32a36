"""A mail server that keeps what it gets: aiosmtpd, with Python's own parser for what the mails hold.

Usage: sink.py PORT DIR required|startTls|off [USER PASSWORD]
DIR/orders.json says how it behaves; DIR/mails/N.json is what came, DIR/mails/N/ what was attached.
"""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, folder, tls = int(sys.argv[1]), sys.argv[2], sys.argv[3]
login = tuple(arg.encode() for arg in sys.argv[4:6])
mails = os.path.join(folder, "mails")


def orders():
    """What the test wants; it is replaced as a whole."""
    with open(os.path.join(folder, "orders.json"), encoding="utf-8") as file:
        return json.load(file)


def keep(server, session, envelope):
    number = sum(name.endswith(".json") for name in os.listdir(mails)) + 1
    message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
    attachments = []
    os.mkdir(os.path.join(mails, str(number)))
    for index, part in enumerate(message.iter_attachments()):
        path = os.path.join(mails, str(number), str(index))
        with open(path, "wb") as file:
            file.write(part.get_payload(decode=True))
        attachments.append({"name": part.get_filename(), "type": part.get_content_type(), "path": path})
    user = session.auth_data.decode() if session.auth_data else None
    told = {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "encrypted": tls == "required" or session.ssl is not None,
        "user": user,
        "subject": message["subject"],
        "messageId": message["message-id"],
        "headers": {name.lower(): str(value) for name, value in message.items()},
        "text": message.get_body(("plain",)).get_content(),
        "attachments": attachments,
        "size": len(envelope.original_content),
    }
    path = os.path.join(mails, f"{number}.json")
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(told, file)
    os.rename(path + ".part", path)


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        refusal = orders().get("sender")
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = orders().get("recipients", {}).get(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        wanted = orders()
        if wanted.get("data"):
            return wanted["data"]
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        for part, refusal in wanted.get("subjects", {}).items():
            if part in str(message["subject"]):
                return refusal
        keep(server, session, envelope)
        while orders().get("hold"):
            await asyncio.sleep(0.05)
        if wanted.get("cut") == "after":
            server.transport.abort()
        return "250 2.0.0 kept"


class Sink(SMTP):
    async def smtp_DATA(self, arg):
        if orders().get("cut") == "within":
            await self.push("354 go on")
            await self._reader.readuntil(b"\r\n")
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == login
    return AuthResult(success=good, handled=False, auth_data=data.login if good else None)


def context():
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    return made


def connection():
    return Sink(
        Handler(),
        hostname="sink.example",
        data_size_limit=orders().get("size", 100_000_000),
        tls_context=context() if tls == "startTls" else None,
        require_starttls=tls == "startTls",
        auth_required=bool(login),
        auth_require_tls=tls == "startTls",
        authenticator=authenticate,
        loop=asyncio.get_running_loop(),
    )


async def serve():
    os.makedirs(mails, exist_ok=True)
    made = context() if tls == "required" else None
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", port, ssl=made)
    await server.serve_forever()


asyncio.run(serve())
