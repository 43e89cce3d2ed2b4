"""The three detections in Polars.

Polars reads JSON in lines, not objects in an array, so that Python inflates each file and hands its
text over; decoding, filtering and grouping are Polars's.
"""

import gzip
from glob import iglob

import polars as pl

import answers

NAMES = ["GetObject", "CreateTask", "ModifyImageAttribute"]
TEXT = pl.String
ITEMS = pl.List(pl.Struct({"userId": TEXT, "group": TEXT}))
RECORD = pl.Struct(
    {
        "eventTime": TEXT, "eventSource": TEXT, "eventName": TEXT, "awsRegion": TEXT,
        "sourceIPAddress": TEXT, "userAgent": TEXT, "errorCode": TEXT, "recipientAccountId": TEXT,
        "userIdentity": pl.Struct({"type": TEXT, "principalId": TEXT, "arn": TEXT}),
        "requestParameters": pl.Struct(
            {
                "sourceLocationArn": TEXT, "destinationLocationArn": TEXT,
                "launchPermission": pl.Struct({"add": pl.Struct({"items": ITEMS})}),
            }
        ),
    }
)
DOCUMENT = pl.Struct({"Records": pl.List(RECORD)})


def records(texts):
    documents = pl.DataFrame({"text": texts}, schema={"text": TEXT}).lazy()
    return (
        documents.select(pl.col("text").str.json_decode(DOCUMENT).struct.field("Records"))
        .explode("Records")
        .unnest("Records")
        .filter(pl.col("eventName").is_in(NAMES))
        .unnest("userIdentity")
        .filter(pl.col("arn").is_not_null() & pl.col("principalId").is_not_null())
        .unnest("requestParameters")
        .collect()
    )


# Some files at a time: all of their text at once would be held in memory.
parts, texts = [], []
for path in iglob(answers.logs()):
    with gzip.open(path) as file:
        texts.append(file.read().decode())
    if len(texts) == 64:
        parts.append(records(texts))
        texts.clear()
parts.append(records(texts))
event = pl.concat(parts).lazy()

datasync = (
    event.filter(
        (pl.col("eventName") == "CreateTask")
        & (pl.col("eventSource") == "datasync.amazonaws.com")
        & pl.col("sourceLocationArn").is_not_null()
        & pl.col("destinationLocationArn").is_not_null()
    )
    .with_columns(pl.col("errorCode").fill_null("success"))
    .group_by(
        "sourceIPAddress", "recipientAccountId", "awsRegion", "eventName",
        "destinationLocationArn", "sourceLocationArn", "userAgent", "arn", "principalId", "errorCode",
    )
    .agg(pl.len(), pl.col("eventTime").min().alias("first"), pl.col("eventTime").max().alias("last"))
)

items = pl.col("launchPermission").struct.field("add").struct.field("items")
item = pl.element().struct
ami = (
    event.filter(pl.col("eventName") == "ModifyImageAttribute")
    .with_columns(
        accounts=items.list.eval(item.field("userId").drop_nulls()),
        groups=items.list.eval(item.field("group").drop_nulls()),
    )
    .with_columns(public=pl.col("groups").list.contains("all").fill_null(False))
    .filter((pl.col("accounts").list.len() > 0) | pl.col("public"))
    .group_by(
        "sourceIPAddress", "awsRegion", "eventName", "userAgent", "arn", "recipientAccountId",
        "principalId",
    )
    .agg(
        pl.len(),
        pl.col("eventTime").min().alias("first"),
        pl.col("eventTime").max().alias("last"),
        pl.col("accounts").explode().drop_nulls().unique(),
        pl.col("groups").explode().drop_nulls().unique(),
        pl.when("public").then(pl.lit("Public AMI")).otherwise(pl.lit("Not Public")).unique(),
    )
)

groups = (
    event.filter(pl.col("eventName") == "GetObject")
    .with_columns(
        begin=pl.col("eventTime").str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.epoch("s") // 600 * 600
    )
    .group_by("begin", "sourceIPAddress", "recipientAccountId", "type", "arn", "principalId")
    .agg(pl.len())
)

answers.give(datasync.collect().rows(), ami.collect().rows(), groups.collect().rows())
