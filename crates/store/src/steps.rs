//! The steps from an empty file to the newest form. A step is never changed once it is released.

use rusqlite_migration::M;

/// The steps, oldest first. Their number is the number of the newest form.
pub(crate) const STEPS: &[M<'_>] = &[M::up(LEDGER), M::up(TRIAGE), M::up(OUTBOX)];

/// Schedules, the ledger of their runs, and findings.
const LEDGER: &str = "
    CREATE TABLE schedules (
        id TEXT PRIMARY KEY,
        spec TEXT NOT NULL,
        is_enabled INTEGER NOT NULL,
        is_overridden INTEGER NOT NULL,
        done INTEGER NOT NULL,
        throttle TEXT
    ) STRICT;
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        schedule TEXT NOT NULL,
        nominal INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        first INTEGER NOT NULL,
        firings INTEGER NOT NULL,
        status TEXT NOT NULL,
        covers_from INTEGER,
        covers_to INTEGER,
        indexes TEXT NOT NULL,
        seen INTEGER,
        reason TEXT,
        started INTEGER,
        took INTEGER,
        cost TEXT,
        UNIQUE (schedule, nominal, attempt)
    ) STRICT;
    CREATE INDEX runs_by_nominal ON runs (nominal);
    CREATE TABLE findings (
        number INTEGER PRIMARY KEY,
        detection TEXT NOT NULL,
        nominal INTEGER NOT NULL,
        id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        time REAL,
        entity TEXT,
        score REAL,
        severity TEXT,
        hash TEXT NOT NULL,
        state TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (detection, nominal, id)
    ) STRICT;
    CREATE INDEX findings_by_nominal ON findings (nominal);
    CREATE INDEX findings_by_entity ON findings (entity, nominal);";

/// What lists show of findings, which row is the one that stands for its id, and what analysts make of
/// it. Findings of before get what their JSON says; their priority is unknown.
const TRIAGE: &str = "
    ALTER TABLE findings ADD COLUMN name TEXT NOT NULL DEFAULT '';
    ALTER TABLE findings ADD COLUMN title TEXT NOT NULL DEFAULT '';
    ALTER TABLE findings ADD COLUMN is_notable INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE findings ADD COLUMN priority TEXT NOT NULL DEFAULT 'unknown';
    ALTER TABLE findings ADD COLUMN urgency INTEGER NOT NULL DEFAULT 2;
    ALTER TABLE findings ADD COLUMN suppressed_by INTEGER;
    ALTER TABLE findings ADD COLUMN is_head INTEGER NOT NULL DEFAULT 0;
    UPDATE findings SET
        name = ifnull(json_extract(body, '$.detection.name'), ''),
        title = coalesce(json_extract(body, '$.rule_title'),
                         json_extract(body, '$.risk_message'), ''),
        is_notable = json_extract(body, '$.notable') IS 1
    WHERE json_valid(body);
    UPDATE findings SET urgency = CASE severity
        WHEN 'informational' THEN 1
        WHEN 'high' THEN 3
        WHEN 'critical' THEN 4
        ELSE 2 END;
    CREATE INDEX findings_by_id ON findings (id, nominal);
    UPDATE findings SET is_head = 1 WHERE number IN (
        SELECT coalesce(
            (SELECT number FROM findings WHERE id = ids.id AND state <> 'withdrawn'
             ORDER BY nominal DESC, number DESC LIMIT 1),
            (SELECT number FROM findings WHERE id = ids.id
             ORDER BY nominal DESC, number DESC LIMIT 1))
        FROM (SELECT DISTINCT id FROM findings) AS ids);
    CREATE UNIQUE INDEX heads ON findings (id) WHERE is_head = 1;
    CREATE INDEX heads_by_age
        ON findings (nominal, ifnull(time, CAST(nominal AS REAL)), id) WHERE is_head = 1;
    CREATE TABLE triage (
        id TEXT PRIMARY KEY,
        status INTEGER NOT NULL,
        owner TEXT,
        urgency INTEGER,
        disposition TEXT NOT NULL,
        hash TEXT NOT NULL,
        changed INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE history (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        time INTEGER NOT NULL,
        who TEXT NOT NULL,
        steps TEXT NOT NULL,
        comment TEXT
    ) STRICT;
    CREATE INDEX history_by_id ON history (id, number);
    CREATE TRIGGER history_is_kept BEFORE UPDATE ON history BEGIN
        SELECT raise(ABORT, 'the history of a finding is not changed');
    END;
    CREATE TABLE desk (
        triage INTEGER NOT NULL,
        allow INTEGER NOT NULL,
        overrides INTEGER NOT NULL
    ) STRICT;
    INSERT INTO desk VALUES (0, 0, 0);";

/// What is to be told to others about findings. Numbers are never used again, because others remember
/// how far they have come.
const OUTBOX: &str = "
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        detection TEXT NOT NULL,
        nominal INTEGER NOT NULL,
        id TEXT NOT NULL,
        state TEXT NOT NULL,
        replaced TEXT,
        time INTEGER NOT NULL,
        finding TEXT NOT NULL
    ) STRICT;
    CREATE INDEX findings_by_content ON findings (id, hash);";
