"""A server of S3 for tests, with the bucket that they look for. Prints its endpoint, and serves until
it is ended. Needs `moto[server]`; the port is whatever is free."""

import signal

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "spilltrail-test"
KEY = (
    "trail/AWSLogs/111122223333/CloudTrail/{region}/2026/03/17/"
    "111122223333_CloudTrail_{region}_20260317T1200Z_abc.json.gz"
)

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
s3 = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
s3.create_bucket(Bucket=BUCKET)
for region in ("eu-west-1", "eu-west-2"):
    s3.put_object(Bucket=BUCKET, Key=KEY.format(region=region), Body=b'{"Records":[]}')
print(endpoint, flush=True)
signal.pause()
