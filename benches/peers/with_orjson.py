"""The three detections in plain Python: gzip, orjson, dictionaries. One process, one thread."""

import gzip
from calendar import timegm
from collections import Counter, defaultdict
from glob import iglob

import orjson

import answers

reads = Counter()
tasks = defaultdict(list)
images = defaultdict(list)


def see(record):
    name = record["eventName"]
    if name == "GetObject":
        user = record["userIdentity"]
        arn, principal = user.get("arn"), user.get("principalId")
        if arn and principal:
            # The first fifteen letters are the ten minutes: 2026-03-02T07:1
            time = record["eventTime"][:15]
            ip, account = record["sourceIPAddress"], record["recipientAccountId"]
            reads[time, ip, account, user["type"], arn, principal] += 1
    elif name == "CreateTask" and record["eventSource"] == "datasync.amazonaws.com":
        user, asked = record["userIdentity"], record.get("requestParameters") or {}
        source, target = asked.get("sourceLocationArn"), asked.get("destinationLocationArn")
        if source and target and user.get("arn") and user.get("principalId"):
            key = (
                record["sourceIPAddress"], record["recipientAccountId"], record["awsRegion"], name,
                target, source, record["userAgent"], user["arn"], user["principalId"],
                record.get("errorCode", "success"),
            )
            tasks[key].append(record["eventTime"])
    elif name == "ModifyImageAttribute":
        user, asked = record["userIdentity"], record.get("requestParameters") or {}
        items = ((asked.get("launchPermission") or {}).get("add") or {}).get("items") or []
        accounts = [item["userId"] for item in items if "userId" in item]
        groups = [item["group"] for item in items if "group" in item]
        if (accounts or "all" in groups) and user.get("arn") and user.get("principalId"):
            key = (
                record["sourceIPAddress"], record["awsRegion"], name, record["userAgent"],
                user["arn"], record["recipientAccountId"], user["principalId"],
            )
            images[key].append((record["eventTime"], accounts, groups))


def union(sets):
    return sorted(set().union(*sets))


def epoch(minutes):
    date, clock = minutes.split("T")
    year, month, day = map(int, date.split("-"))
    return timegm((year, month, day, int(clock[:2]), int(clock[3:]) * 10, 0))


for path in iglob(answers.logs()):
    with gzip.open(path) as file:
        for record in orjson.loads(file.read())["Records"]:
            see(record)

answers.give(
    [(*key, len(times), min(times), max(times)) for key, times in tasks.items()],
    [
        (
            *key, len(seen), min(time for time, _, _ in seen), max(time for time, _, _ in seen),
            union(accounts for _, accounts, _ in seen), union(groups for _, _, groups in seen),
            sorted({"Public AMI" if "all" in groups else "Not Public" for _, _, groups in seen}),
        )
        for key, seen in images.items()
    ],
    [(epoch(key[0]), *key[1:], count) for key, count in reads.items()],
)
