"""The three detections in chDB, which is ClickHouse within the process, over the files as they are."""

import json

from chdb import session

import answers

NAMES = "('GetObject', 'CreateTask', 'ModifyImageAttribute')"
TEXT = "Nullable(String)"
TYPES = f"""Array(Tuple(
    eventTime String, eventSource String, eventName LowCardinality(String), awsRegion String,
    sourceIPAddress String, userAgent String, errorCode {TEXT}, recipientAccountId String,
    userIdentity Tuple(type {TEXT}, principalId {TEXT}, arn {TEXT}),
    requestParameters Tuple(
        sourceLocationArn {TEXT}, destinationLocationArn {TEXT},
        launchPermission Tuple(add Tuple(items Array(Tuple(userId {TEXT}, group {TEXT}))))
    )
))"""
SETTINGS = [
    "session_timezone = 'UTC'",
    "schema_inference_make_columns_nullable = 0",
    "input_format_skip_unknown_fields = 1",
    "input_format_null_as_default = 1",
    "input_format_json_ignore_unknown_keys_in_named_tuple = 1",
    "input_format_json_defaults_for_missing_elements_in_named_tuple = 1",
]

db = session.Session()
for setting in SETTINGS:
    db.query(f"SET {setting}")


def rows(query):
    lines = db.query(query, "JSONCompactEachRow").bytes().decode().splitlines()
    return [json.loads(line) for line in lines if line]


def numbered(row, *columns):
    """Large integers come as text."""
    return [int(value) if index in columns else value for index, value in enumerate(row)]


db.query(f"""
    CREATE TEMPORARY TABLE event ENGINE = Memory AS
    SELECT r.eventTime AS time, r.eventSource AS source, r.eventName AS name, r.awsRegion AS region,
        r.sourceIPAddress AS ip, r.userAgent AS agent, r.errorCode AS error,
        r.recipientAccountId AS account, r.userIdentity.type AS kind, r.userIdentity.arn AS arn,
        r.userIdentity.principalId AS principal, r.requestParameters AS asked
    FROM (
        SELECT arrayJoin(Records) AS r
        FROM file('{answers.logs()}', 'JSONEachRow', 'Records {TYPES}', 'gzip')
    )
    WHERE name IN {NAMES} AND isNotNull(arn) AND isNotNull(principal)
""")

datasync = rows("""
    SELECT ip, account, region, name, asked.destinationLocationArn AS target,
        asked.sourceLocationArn AS origin, agent, arn, principal,
        coalesce(error, 'success') AS outcome, count(), min(time), max(time)
    FROM event
    WHERE name = 'CreateTask' AND source = 'datasync.amazonaws.com'
        AND isNotNull(target) AND isNotNull(origin)
    GROUP BY ip, account, region, name, target, origin, agent, arn, principal, outcome
""")

ami = rows("""
    SELECT ip, region, name, agent, arn, account, principal, count(), min(time), max(time),
        groupUniqArrayArray(accounts), groupUniqArrayArray(groups),
        groupUniqArray(if(has(groups, 'all'), 'Public AMI', 'Not Public'))
    FROM (
        SELECT *, asked.launchPermission.add.items AS items,
            arrayFilter(x -> isNotNull(x), arrayMap(item -> item.userId, items)) AS accounts,
            arrayFilter(x -> isNotNull(x), arrayMap(item -> item.group, items)) AS groups
        FROM event
        WHERE name = 'ModifyImageAttribute'
    )
    WHERE notEmpty(accounts) OR has(groups, 'all')
    GROUP BY ip, region, name, agent, arn, account, principal
""")

groups = rows("""
    SELECT intDiv(toUnixTimestamp(parseDateTimeBestEffort(time)), 600) * 600 AS begin, ip, account,
        kind, arn, principal, count()
    FROM event
    WHERE name = 'GetObject'
    GROUP BY begin, ip, account, kind, arn, principal
""")

answers.give(
    [numbered(row, 10) for row in datasync],
    [numbered(row, 7) for row in ami],
    [numbered(row, 0, 6) for row in groups],
)
