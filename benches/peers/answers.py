"""What the scripts for other engines have in common: arguments, and the form of an answer.

A script is called with a folder of logs and answers three detections out of one reading of them:

datasync  tasks that copy data, one row for each group of equal calls
ami       machine images that were opened to other accounts or to everyone
flagged   intervals of ten minutes in which somebody read improbably many objects

It prints them as one JSON object. With --groups it prints the groups of reads that the third one is
chosen from instead, a line each, so that they can be compared too.
"""

import json
import math
import sys
from collections import Counter

DATASYNC = (
    "src_ip aws_account_id awsRegion eventName destinationLocationArn sourceLocationArn userAgent "
    "user_arn principalId errorCode count firstTime lastTime"
).split()
AMI = (
    "src_ip region eventName userAgent user_arn aws_account_id principalId count firstTime lastTime "
    "accounts_added group_added ami_status"
).split()
READS = "time src_ip aws_account_id user_type user_arn principalId count".split()


def folder():
    """The folder that the script was called with."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} DIR [--groups]")
    return sys.argv[1].rstrip("/")


def logs():
    """A pattern for all log files."""
    return folder() + "/AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz"


def quartiles(scores):
    """The first and the third quartile, interpolated."""
    ordered = sorted(scores)

    def at(share):
        position = share * (len(ordered) - 1)
        low = int(position)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (position - low)

    return at(0.25), at(0.75)


def improbable(groups):
    """The groups whose values are rare together.

    A stand-in for SPL's anomalydetection that costs less and is the same for all engines: the score of
    a group is the sum of the logarithms of how frequent its user, its type of user, and the size of its
    count (in powers of two) are, and those far below the others are flagged.
    """
    if not groups:
        return []
    total = len(groups)
    sizes = [int(math.log2(group[6])) for group in groups]
    columns = [[group[3] for group in groups], [group[4] for group in groups], sizes]
    rarity = []
    for column in columns:
        rarity.append({key: math.log(n / total) for key, n in Counter(column).items()})
    scores = [sum(rare[value] for rare, value in zip(rarity, row)) for row in zip(*columns)]
    first, third = quartiles(scores)
    limit = first - 1.5 * (third - first)
    return [group for group, score in zip(groups, scores) if score < limit]


def give(datasync, ami, groups):
    """Prints the answer: rows in the order of the columns above."""
    if "--groups" in sys.argv[2:]:
        for group in groups:
            print("|".join(str(value) for value in group))
        return
    named = lambda columns, rows: [dict(zip(columns, row)) for row in rows]
    answer = {
        "datasync": named(DATASYNC, datasync),
        "ami": named(AMI, ami),
        "flagged": named(READS, improbable(groups)),
        "groups": len(groups),
    }
    print(json.dumps(answer))
