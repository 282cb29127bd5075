"""A mail server for tests: speaks SMTP (RFC 5321, STARTTLS, AUTH PLAIN) and has Python's email package judge what comes.

Started with options as JSON: {"tls": "smtps" | "starttls", "cert", "key", "login": [user, password]}. Prints its port, then
a line of JSON for each mail that it took and for each that it refused. A line of JSON on standard input changes how it
answers: {"connect" | "mail" | "data" | "accept": "451 later"}, {"rcpt": {"ADDRESS": "550 no"}}, {"hang": "connect" | "accept"}.
"""
import asyncio
import base64
import email
import email.policy
import email.utils
import json
import ssl
import sys

options = json.loads(sys.argv[1])
behavior = {}
context = None
if "cert" in options:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["cert"], options["key"])


def tell(**event):
    print(json.dumps(event), flush=True)


def judge(raw):
    """All that is wrong with a mail, and what a reader makes of it."""
    text = raw.decode("ascii", "replace")
    head, _, _ = text.partition("\r\n\r\n")
    wrong = []
    lines = text.split("\r\n")
    if any("\n" in line or "\r" in line for line in lines):
        wrong.append("a line that does not end by CRLF")
    if any(len(line) > 998 for line in lines):
        wrong.append("a line of more than 998 characters")
    if any(len(line) > 78 for line in head.split("\r\n")):
        wrong.append("a header line of more than 78 characters")
    if "\ufffd" in text:
        wrong.append("bytes that are no ASCII")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    for part in mail.walk():
        wrong += [str(defect) for defect in part.defects]
        for name, value in part.items():
            wrong += [f"{name}: {defect}" for defect in getattr(value, "defects", ())]
    names = [name.lower() for name in mail.keys()]
    for name in ("from", "to", "subject", "date", "message-id", "mime-version", "content-type"):
        if names.count(name) != 1:
            wrong.append(f"{names.count(name)} times {name}")
    if email.utils.parsedate_to_datetime(mail["date"]) is None:
        wrong.append("no date")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    return {
        "wrong": wrong,
        "structure": [part.get_content_type() for part in mail.walk()],
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "at": email.utils.parsedate_to_datetime(mail["date"]).timestamp() * 1000,
        "text": plain.get_content().replace("\r\n", "\n") if plain else None,
        "html": html.get_content().replace("\r\n", "\n") if html else None,
        "charsets": [part.get_content_charset() for part in mail.iter_parts()],
    }


async def session(reader, writer):
    said = {"recipients": [], "tls": options.get("tls") == "smtps", "login": None}

    async def answer(*lines):
        writer.write("".join(line + "\r\n" for line in lines).encode())
        await writer.drain()

    async def refuse(step):
        if behavior.get("hang") == step:
            tell(hung=step)
            await asyncio.sleep(3600)
        line = behavior.get(step)
        if line is None:
            return False
        tell(refused=step)
        await answer(line)
        return True

    if await refuse("connect"):
        return writer.close()
    await answer("220 mail.example ESMTP")
    while line := (await reader.readline()).decode().rstrip("\r\n"):
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if verb in ("EHLO", "HELO"):
            extras = ["SIZE 10000000", "8BITMIME"]
            if options.get("tls") == "starttls" and not said["tls"]:
                extras.append("STARTTLS")
            if "login" in options and said["tls"]:
                extras.append("AUTH PLAIN")
            all_lines = ["mail.example", *extras]
            await answer(*(f"250-{one}" for one in all_lines[:-1]), f"250 {all_lines[-1]}")
        elif verb == "STARTTLS":
            await answer("220 go ahead")
            await writer.start_tls(context)
            said["tls"] = True
        elif verb == "AUTH":
            said["login"] = base64.b64decode(rest.split()[1]).decode().split("\0")[1:]
            if said["login"] == options.get("login"):
                await answer("235 welcome")
            else:
                tell(refused="login")
                await answer(f"535 5.7.8 who is {rest}?")
        elif verb == "MAIL":
            said["from"] = rest
            if "login" in options and said["login"] is None:
                await answer("530 5.7.0 login first")
            elif not await refuse("mail"):
                await answer("250 ok")
        elif verb == "RCPT":
            address = email.utils.parseaddr(rest[3:])[1]
            no = behavior.get("rcpt", {}).get(address)
            if no is None:
                said["recipients"].append(address)
            await answer(no or "250 ok")
        elif verb == "DATA":
            if await refuse("data"):
                continue
            await answer("354 go on")
            raw = b""
            while (row := await reader.readline()) != b".\r\n":
                raw += row[1:] if row.startswith(b".") else row
            if await refuse("accept"):
                continue
            # Told before the sender hears of it: a crash of its between is then seen.
            tell(mail={**judge(raw), **said})
            await answer("250 taken")
            said["recipients"] = []
        elif verb == "QUIT":
            await answer("221 bye")
            break
        else:
            await answer("250 ok" if verb in ("RSET", "NOOP") else "502 unknown")
    writer.close()


async def guarded(reader, writer):
    try:
        await session(reader, writer)
    except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
        writer.close()


async def main():
    tls = context if options.get("tls") == "smtps" else None
    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    tell(port=server.sockets[0].getsockname()[1])
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        behavior.clear()
        behavior.update(json.loads(line))
        tell(behaves=True)


asyncio.run(main())
