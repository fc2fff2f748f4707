# Asks the package `standardwebhooks` of PyPI whether it takes a request: JSON on stdin with headers, body, the receiver's
# secret, and by how many seconds its clock is ahead. Prints "accepted", or why not.
import json
import sys
from datetime import datetime, timedelta

from standardwebhooks import webhooks

case = json.load(sys.stdin)


class Later(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=case["later"])


webhooks.datetime = Later
try:
    webhooks.Webhook(case["secret"]).verify(case["body"], case["headers"])
    print("accepted")
except webhooks.WebhookVerificationError as error:
    print(error)
