"""A seller whose upload is interrupted twice and goes on, by tuspy, which knows of tus alone."""

import hashlib
import os
import socket
import time
from urllib.parse import urlsplit

import requests
from tusclient.client import TusClient

commands, queries = os.environ["COMMAND_URL"], os.environ["QUERY_URL"]
with open(os.environ["PICTURE"], "rb") as file:
    picture = file.read()
token = {"Authorization": f"Bearer {os.environ['SELLER_TOKEN']}"}
client = TusClient(f"{commands}/v1/uploads", headers=token)
metadata = {"purpose": "product_picture", "filetype": "image/png", "filename": "../señal.png"}


def uploader(**more):
    """An uploader of the picture, in pieces."""
    return client.uploader(os.environ["PICTURE"], chunk_size=60_000, **more)


# The client stops after two pieces.
first = uploader(metadata=metadata)
first.upload(stop_at=120_000)
assert first.offset == 120_000, first.offset

# Then a connection breaks in the middle of a piece, of which what arrived is kept.
place = urlsplit(first.url)
with socket.create_connection((place.hostname, place.port)) as connection:
    head = (
        f"PATCH {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: {token['Authorization']}\r\n"
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: 120000\r\nContent-Type: application/offset+octet-stream\r\n"
        "Content-Length: 60000\r\n\r\n"
    )
    connection.sendall(head.encode() + picture[120_000:140_000])
    # The server has read all of it when it closes the connection.
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4_096):
        pass

# Another client that knows only where the upload is goes on, with checksums.
resumed = uploader(url=first.url, upload_checksum=True)
deadline = time.monotonic() + 30
while resumed.get_offset() == 120_000 and time.monotonic() < deadline:
    time.sleep(0.1)
resumed.offset = resumed.get_offset()
assert 120_000 < resumed.offset <= 140_000, resumed.offset
resumed.upload()
assert resumed.get_offset() == len(picture)

# The picture can be fetched as soon as it is shown, with the id of its upload.
media = first.url.rsplit("/", 1)[1]
found = None
while time.monotonic() < deadline and (found is None or found.status_code != 200):
    found = requests.get(f"{queries}/v1/media/{media}/full", timeout=10)
assert found.status_code == 200, found.text
assert found.headers["Content-Type"] == "image/png"
assert found.headers["ETag"] == f'"{hashlib.sha256(found.content).hexdigest()}"'
print(f"Python: uploaded {len(picture)} bytes in pieces")
