//! The examples at the end of each `--help`, and the environment variables.

pub(crate) const PROGRAM: &str = "\
Examples:
  spilltrail hunt ./AWSLogs
  spilltrail search 'eventName=GetObject | stats count by user_arn' ./AWSLogs
  spilltrail fields ./AWSLogs
  spilltrail check ./security_content
  spilltrail help stats";

pub(crate) const SEARCH: &str = "\
Examples:
  spilltrail search 'eventName=CreateUser | table _time user_arn src_ip' ./AWSLogs
  spilltrail search 'errorCode=AccessDenied | stats count by user_arn' logs.json.gz --earliest -7d@d
  zcat *.json.gz | spilltrail search 'eventName=Get* | stats count by eventName' - --format csv
  spilltrail search --detection 'AWS Exfiltration via DataSync Task' ./AWSLogs";

pub(crate) const HUNT: &str = "\
Examples:
  spilltrail hunt ./AWSLogs
  spilltrail hunt ./AWSLogs --content ./security_content --format table --color always | less -R
  spilltrail hunt s3://trail-bucket/AWSLogs --earliest -7d@d --summary > findings.ndjson
  spilltrail hunt ./AWSLogs --fail-on-finding || echo 'findings, or it could not run'";

pub(crate) const CHECK: &str = "\
Examples:
  spilltrail check ./security_content
  spilltrail check ./security_content/detections/cloud/new_detection.yml
  spilltrail check ./detections --fail-on warning --format json";

pub(crate) const TEST: &str = "\
Examples:
  spilltrail test
  spilltrail test ./security_content --datasets ./attack_data
  spilltrail test ./content --detection '*snapshot*' --all
  spilltrail test ./content --changed origin/main --format junit > tests.xml";

pub(crate) const REPLAY: &str = "\
Examples:
  spilltrail replay attack.json --output now.json
  spilltrail replay ./AWSLogs | spilltrail hunt - --earliest -1h
  SPILLTRAIL_HEC_TOKEN=... spilltrail replay attack.json --hec https://splunk:8088 --index test";

pub(crate) const INGEST: &str = "\
Examples:
  spilltrail ingest ./AWSLogs --lake ./lake
  spilltrail hunt --lake ./lake --earliest -24h
  spilltrail search --lake ./lake 'eventName=CreateTask'";

pub(crate) const SERVE: &str = "\
Examples:
  spilltrail serve --data ./data
  spilltrail serve --data ./data --content ./security_content --story 'AWS*' --check-config
  spilltrail search --lake ./data 'index=risk | stats sum(risk_score) by risk_object'";

pub(crate) const TOKEN: &str = "\
Examples:
  spilltrail token add firehose --data ./data --sourcetype aws:cloudtrail
  spilltrail token add vector --data ./data --index aws --use-ack";

pub(crate) const FINDINGS: &str = "\
Examples:
  spilltrail findings list --data ./data
  spilltrail findings list --data ./data --all --since -24h --entity '*user/bob'
  spilltrail findings show --data ./data 3f2a9c";

pub(crate) const CLOSE: &str = "\
Examples:
  spilltrail findings close --data ./data 3f2a9c --disposition false-positive-data
  spilltrail findings close --data ./data 3f2a9c 81d0e4 --comment 'the backup of November'";

pub(crate) const RISK: &str = "\
Examples:
  spilltrail risk --data ./data --since -24h --min-score 100
  spilltrail risk --data ./data arn:aws:iam::111122223333:user/bob";

pub(crate) const SCHEDULE: &str = "\
Examples:
  spilltrail schedule list --data ./data
  spilltrail schedule runs --data ./data --problems
  spilltrail schedule disable --data ./data 'AWS Console Login*' --reason 'too many, see ticket 12'";

pub(crate) const SCHEDULE_SET: &str = "\
Examples:
  spilltrail schedule set --data ./data 'AWS IAM User Created' --cron '*/15 * * * *' \\
      --earliest -25m@m --latest -10m@m
  spilltrail schedule reset --data ./data 'AWS IAM User Created'";

pub(crate) const ALLOW: &str = "\
Examples:
  spilltrail allow add --data ./data --detection 'AWS EBS*' --field user_arn --value '*role/backup' \\
      --reason 'the nightly backup' --expires +90d
  spilltrail allow list --data ./data";

pub(crate) const DELIVERIES: &str = "\
Examples:
  spilltrail deliveries list --data ./data --state dead
  spilltrail deliveries repeat --data ./data chat 17
  spilltrail deliveries repeat --data ./data chat --dead";

pub(crate) const INDEX: &str = "\
Examples:
  spilltrail index --data ./data
  spilltrail search --lake ./data 'index=_internal sourcetype=scheduler status=failed'";

pub(crate) const BACKUP: &str = "\
Examples:
  spilltrail backup --data ./data --to ./backup-2026-11-29
  spilltrail restore --from ./backup-2026-11-29 --data ./data";

pub(crate) const FIELDS: &str = "\
Examples:
  spilltrail fields ./AWSLogs
  spilltrail fields ./AWSLogs --search 'eventName=CreateTask'
  spilltrail fields ./AWSLogs --format ndjson";

pub(crate) const EXPAND: &str = "\
Examples:
  spilltrail expand '`cloudtrail` eventName=CreateTask'
  spilltrail expand --detection \"AWS CreateAccessKey\" --content ./security_content";

pub(crate) const FMT: &str = "\
Examples:
  spilltrail fmt ./security_content/detections
  spilltrail fmt --check ./security_content/detections
  echo 'index=main|stats count by user|sort -count' | spilltrail fmt";

pub(crate) const CONFIG: &str = "\
Examples:
  spilltrail config
  spilltrail config --config ./hunt.toml --format json";

pub(crate) const DETECTIONS: &str = "\
Examples:
  spilltrail detections list
  spilltrail detections show 'AWS Exfiltration via DataSync Task'";

pub(crate) const LIST: &str = "\
Examples:
  spilltrail detections list
  spilltrail detections list --type TTP --min-score 50 --detection '*snapshot*'
  spilltrail detections list --content ./security_content --format csv > detections.csv";

pub(crate) const SHOW: &str = "\
Examples:
  spilltrail detections show 'AWS Exfiltration via DataSync Task'
  spilltrail detections show datasync
  spilltrail detections show aws_s3_bucket_acl_opened --format json";

pub(crate) const HELP: &str = "\
Examples:
  spilltrail help stats
  spilltrail help strftime
  spilltrail help SPL2001
  spilltrail help hunt
  spilltrail help detections list";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  spilltrail completions bash > ~/.local/share/bash-completion/completions/spilltrail
  spilltrail completions zsh > ~/.zfunc/_spilltrail
  spilltrail completions fish > ~/.config/fish/completions/spilltrail.fish";

pub(crate) const MAN: &str = "\
Examples:
  spilltrail man > spilltrail.1
  spilltrail man detections list > spilltrail-detections-list.1
  spilltrail man --dir ~/.local/share/man/man1";

pub(crate) const ENVIRONMENT: &str = "\
Environment:
  SPILLTRAIL_CONFIG        configuration file; empty: none
  SPILLTRAIL_BUILTIN       false: without the built-in detections
  SPILLTRAIL_LOOKUPS       folder for what outputlookup writes
  SPILLTRAIL_MEMORY_LIMIT  memory limit of searches, in MiB
  SPILLTRAIL_THREADS       number of threads that read logs
  SPILLTRAIL_HEC_TOKEN     token of the collector, for replay --hec
  SPILLTRAIL_LOG           1: print details of bugs; info, debug: what a server does
  NO_COLOR, CLICOLOR_FORCE, COLUMNS, TMPDIR, AWS_...: see the book, \"Exit status and environment\"";
