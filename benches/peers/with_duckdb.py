"""The three detections in DuckDB, over the files as they are.

Each file is read as one JSON value, cut into records by a path, and only records of the three names are
given types.
"""

import duckdb

import answers

NAMES = "('GetObject', 'CreateTask', 'ModifyImageAttribute')"
TYPES = """{
    "eventTime": "VARCHAR", "eventSource": "VARCHAR", "eventName": "VARCHAR", "awsRegion": "VARCHAR",
    "sourceIPAddress": "VARCHAR", "userAgent": "VARCHAR", "errorCode": "VARCHAR",
    "recipientAccountId": "VARCHAR",
    "userIdentity": {"type": "VARCHAR", "principalId": "VARCHAR", "arn": "VARCHAR"},
    "requestParameters": {
        "sourceLocationArn": "VARCHAR", "destinationLocationArn": "VARCHAR",
        "launchPermission": {"add": {"items": [{"userId": "VARCHAR", "group": "VARCHAR"}]}}
    }
}"""

db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
db.execute(f"""
    CREATE TEMP TABLE event AS
    SELECT typed.*, typed.userIdentity."type" AS kind, typed.userIdentity.arn AS arn,
        typed.userIdentity.principalId AS principal, typed.requestParameters AS asked
    FROM (
        SELECT json_transform(record, '{TYPES}') AS typed
        FROM (
            SELECT unnest(json_extract(json, '$.Records[*]')) AS record
            FROM read_json_objects('{answers.logs()}', format = 'unstructured')
        )
        WHERE record->>'$.eventName' IN {NAMES}
    )
    WHERE typed.userIdentity.arn IS NOT NULL AND typed.userIdentity.principalId IS NOT NULL
""")

datasync = db.execute("""
    SELECT sourceIPAddress, recipientAccountId, awsRegion, eventName, asked.destinationLocationArn,
        asked.sourceLocationArn, userAgent, arn, principal, coalesce(errorCode, 'success'),
        count(*), min(eventTime), max(eventTime)
    FROM event
    WHERE eventName = 'CreateTask' AND eventSource = 'datasync.amazonaws.com'
        AND asked.destinationLocationArn IS NOT NULL AND asked.sourceLocationArn IS NOT NULL
    GROUP BY ALL
""").fetchall()

ami = db.execute("""
    WITH change AS (
        SELECT *, asked.launchPermission."add".items AS items FROM event
        WHERE eventName = 'ModifyImageAttribute'
    ), added AS (
        SELECT *, [item.userId FOR item IN items IF item.userId IS NOT NULL] AS accounts,
            [item."group" FOR item IN items IF item."group" IS NOT NULL] AS groups
        FROM change
    )
    SELECT sourceIPAddress, awsRegion, eventName, userAgent, arn, recipientAccountId, principal,
        count(*), min(eventTime), max(eventTime),
        list_distinct(flatten(list(accounts))), list_distinct(flatten(list(groups))),
        list(DISTINCT CASE WHEN list_contains(groups, 'all') THEN 'Public AMI' ELSE 'Not Public' END)
    FROM added
    WHERE len(accounts) > 0 OR list_contains(groups, 'all')
    GROUP BY ALL
""").fetchall()

groups = db.execute("""
    SELECT epoch(eventTime::TIMESTAMP)::BIGINT // 600 * 600 AS time, sourceIPAddress,
        recipientAccountId, kind, arn, principal, count(*)
    FROM event
    WHERE eventName = 'GetObject'
    GROUP BY ALL
""").fetchall()

answers.give(datasync, ami, groups)
