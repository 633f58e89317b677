"""Someone with the credentials of the bucket, who finds by boto3 what the processes have stored there."""

import base64
import hashlib
import os
import time

import boto3
import requests

commands, queries = os.environ["COMMAND_URL"], os.environ["QUERY_URL"]
token = {"Authorization": f"Bearer {os.environ['SELLER_TOKEN']}"}
with open(os.environ["PICTURE"], "rb") as file:
    picture = file.read()
# The endpoint, the region and the credentials are in the variables of all clients of AWS.
s3 = boto3.client("s3")
bucket, prefix = os.environ["BUCKET"], os.environ["PREFIX"]


def objects(folder):
    """The names and the bytes of all objects in a folder."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/{folder}/")
    found = {}
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        content = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        assert len(content) == entry["Size"], entry
        found[entry["Key"].removeprefix(f"{prefix}/{folder}/")] = content
    return found


# What has arrived of an upload is there in parts, each under its offset.
tus = {**token, "Tus-Resumable": "1.0.0"}
purpose = base64.b64encode(b"product_picture").decode()
opening = {**tus, "Upload-Length": str(len(picture)), "Upload-Metadata": f"purpose {purpose}"}
opened = requests.post(f"{commands}/v1/uploads", headers=opening, timeout=10)
assert opened.status_code == 201, opened.text
place = f"{commands}{opened.headers['Location']}"
parts = {f"{0:020}": picture[:50_000], f"{50_000:020}": picture[50_000:50_001]}
for name, part in parts.items():
    sending = {**tus, "Upload-Offset": str(int(name)), "Content-Type": "application/offset+octet-stream"}
    sent = requests.patch(place, headers=sending, data=part, timeout=10)
    assert sent.status_code == 204, sent.text
upload = f"uploads/{place.rsplit('/', 1)[1]}"
assert objects(upload) == parts

# And nothing of it any more once it was given up.
assert requests.delete(place, headers=tus, timeout=10).status_code == 204
assert objects(upload) == {}

# Each size of a picture is there under its hash, and nothing else.
image = {**token, "Content-Type": "image/png"}
url = f"{commands}/v1/media?purpose=product_picture"
stored = requests.post(url, headers=image, data=picture, timeout=60)
assert stored.status_code == 201, stored.text
media = stored.json()["id"]
fresh = {**token, "Tidemark": stored.headers["Tidemark"]}
deadline, shown = time.monotonic() + 30, None
while time.monotonic() < deadline and (shown is None or shown.status_code != 200):
    shown = requests.get(f"{queries}/v1/media/{media}", headers=fresh, timeout=10)
assert shown.status_code == 200, shown.text
sizes = shown.json()["variants"]
found = objects(f"media/{media}")
assert found.keys() == {size["sha256"] for size in sizes}
assert len(sizes) == 6, sizes
for size in sizes:
    content = found[size["sha256"]]
    assert hashlib.sha256(content).hexdigest() == size["sha256"]
    answered = requests.get(f"{queries}/v1/media/{media}/{size['variant']}", timeout=10)
    assert answered.content == content, size
assert not objects(f"uploads/{media}")
print(f"Python: found {len(sizes)} sizes of a picture in the bucket")
