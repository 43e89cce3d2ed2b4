//! The steps from an empty file to the newest form. A step is never changed once it is released.

use rusqlite_migration::M;

/// The steps, oldest first. Their number is the number of the newest form.
pub(crate) const STEPS: &[M<'_>] = &[
    M::up(LEDGER),
    M::up(TRIAGE),
    M::up(OUTBOX),
    M::up(RISK),
    M::up(ALLOW),
    M::up(OVERRIDES),
    M::up(DELIVERIES),
    M::up(OUTPUTS),
    M::up(TOLD),
    M::up(STATED),
    M::up(CONDITIONS),
    M::up(SEAM),
];

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

/// What findings add to the risk of objects. A row belongs to that of its finding.
const RISK: &str = "
    CREATE TABLE risks (
        number INTEGER PRIMARY KEY,
        finding INTEGER NOT NULL,
        object TEXT NOT NULL,
        object_type TEXT NOT NULL,
        score REAL NOT NULL,
        time REAL NOT NULL,
        tactics TEXT NOT NULL,
        techniques TEXT NOT NULL
    ) STRICT;
    CREATE INDEX risks_by_finding ON risks (finding);
    CREATE INDEX risks_by_object ON risks (object, time);
    CREATE INDEX risks_by_time ON risks (time);
    CREATE TRIGGER risks_go_with_their_finding AFTER DELETE ON findings BEGIN
        DELETE FROM risks WHERE finding = OLD.number;
    END;";

/// The allow-list. Findings name its entries, so no number is used again.
const ALLOW: &str = "
    CREATE TABLE allow (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        detection TEXT NOT NULL,
        field TEXT NOT NULL,
        value TEXT NOT NULL,
        owner TEXT NOT NULL,
        reason TEXT NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER,
        is_enabled INTEGER NOT NULL,
        removed INTEGER,
        hits INTEGER NOT NULL,
        last_hit INTEGER
    ) STRICT;";

/// What users have changed of schedules. It stays if the detection goes and comes back.
const OVERRIDES: &str = "
    CREATE TABLE overrides (
        detection TEXT PRIMARY KEY,
        is_enabled INTEGER,
        cron TEXT,
        earliest TEXT,
        latest TEXT,
        window TEXT,
        who TEXT NOT NULL,
        time INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX runs_by_schedule ON runs (schedule, nominal, number);";

/// How far each output has come in the outbox, and what is on its way to it.
const DELIVERIES: &str = "
    CREATE TABLE outputs (
        name TEXT PRIMARY KEY,
        position INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE deliveries (
        output TEXT NOT NULL,
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        next INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        status INTEGER,
        error TEXT,
        PRIMARY KEY (output, seq)
    ) STRICT;
    CREATE INDEX deliveries_due ON deliveries (next, seq) WHERE state = 'waiting';
    CREATE INDEX deliveries_by_seq ON deliveries (seq);
    CREATE INDEX deliveries_by_id ON deliveries (id);";

/// Each output has its own queue, and stays for a while if it is missing from a configuration.
const OUTPUTS: &str = "
    ALTER TABLE outputs ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
    DROP INDEX deliveries_due;
    CREATE INDEX deliveries_due ON deliveries (output, next, seq) WHERE state = 'waiting';
    CREATE INDEX deliveries_waiting ON deliveries (output, id, seq) WHERE state = 'waiting';";

/// When findings are told, as `told` in the module `findings` says; nothing for those whose run is
/// removed. The long bodies come last, so that whoever reads anything else passes them by, and indexes
/// have all that lists and counts look at.
const TOLD: &str = "
    CREATE TABLE told_findings (
        number INTEGER PRIMARY KEY,
        detection TEXT NOT NULL,
        nominal INTEGER NOT NULL,
        id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        told INTEGER,
        state TEXT NOT NULL,
        suppressed_by INTEGER,
        is_head INTEGER NOT NULL DEFAULT 0,
        is_notable INTEGER NOT NULL,
        time REAL,
        entity TEXT,
        score REAL,
        severity TEXT,
        priority TEXT NOT NULL,
        urgency INTEGER NOT NULL,
        hash TEXT NOT NULL,
        name TEXT NOT NULL,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (detection, nominal, id)
    ) STRICT;
    INSERT INTO told_findings
        SELECT findings.number, findings.detection, findings.nominal, findings.id, findings.attempt,
               CASE WHEN runs.status = 'late' THEN runs.started ELSE runs.nominal END,
               findings.state, findings.suppressed_by, findings.is_head, findings.is_notable,
               findings.time, findings.entity, findings.score, findings.severity, findings.priority,
               findings.urgency, findings.hash, findings.name, findings.title, findings.body
        FROM findings LEFT JOIN runs ON runs.schedule = findings.detection
            AND runs.nominal = findings.nominal AND runs.attempt = findings.attempt
        ORDER BY findings.number;
    DROP TABLE findings;
    ALTER TABLE told_findings RENAME TO findings;
    CREATE INDEX findings_by_nominal ON findings (nominal);
    CREATE INDEX findings_by_entity ON findings (entity, nominal);
    CREATE INDEX findings_by_id ON findings (id, nominal);
    CREATE INDEX findings_by_content ON findings (id, hash, detection, nominal, attempt)
        WHERE state <> 'withdrawn' AND suppressed_by IS NULL;
    CREATE INDEX findings_by_told ON findings (told, detection, id, state, suppressed_by)
        WHERE state <> 'withdrawn' AND suppressed_by IS NULL;
    CREATE UNIQUE INDEX heads ON findings (id) WHERE is_head = 1;
    CREATE INDEX heads_by_age ON findings (
            nominal, ifnull(time, CAST(nominal AS REAL)), id, is_head, is_notable, state,
            suppressed_by, severity, urgency, time, entity, detection, name, title)
        WHERE is_head = 1;
    CREATE TRIGGER risks_go_with_their_finding AFTER DELETE ON findings BEGIN
        DELETE FROM risks WHERE finding = OLD.number;
    END;";

/// What detections state, beside what users have set in place of it.
const STATED: &str = "
    ALTER TABLE schedules ADD COLUMN stated TEXT;";

/// Entries of the allow-list have conditions on several fields, as JSON, and a start.
const CONDITIONS: &str = "
    ALTER TABLE allow ADD COLUMN starts INTEGER;
    ALTER TABLE allow ADD COLUMN conditions TEXT NOT NULL DEFAULT '[]';
    UPDATE allow SET conditions = json_array(json_object('field', field, 'value', value));
    ALTER TABLE allow DROP COLUMN field;
    ALTER TABLE allow DROP COLUMN value;";

/// Where the events of the next run begin at the latest, if a schedule took the place of another one.
const SEAM: &str = "
    ALTER TABLE schedules ADD COLUMN seam INTEGER;";
