"""Makes a container in a storage account, signed with the account's key: container.py PORT ACCOUNT KEY NAME."""

import base64
import email.utils
import hashlib
import hmac
import sys
import urllib.request

port, account, key, name = sys.argv[1:]
date = email.utils.formatdate(usegmt=True)
headers = {"x-ms-date": date, "x-ms-version": "2023-11-03"}
canonical = "".join(f"{header}:{headers[header]}\n" for header in sorted(headers))
resource = f"/{account}/{account}/{name}\nrestype:container"
to_sign = "PUT" + "\n" * 12 + canonical + resource
signature = hmac.new(base64.b64decode(key), to_sign.encode(), hashlib.sha256).digest()
headers["Authorization"] = f"SharedKey {account}:{base64.b64encode(signature).decode()}"
headers["Content-Length"] = "0"
url = f"http://127.0.0.1:{port}/{account}/{name}?restype=container"
urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()
