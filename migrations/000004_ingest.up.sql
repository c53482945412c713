CREATE SCHEMA ingest;
COMMENT ON SCHEMA ingest IS 'Raw events, orders and refunds, the dictionaries of their names, and the batches that connect them to the rollups. Owned by the ingest service.';
GRANT USAGE ON SCHEMA ingest TO hp_ingest, hp_aggregator, hp_analytics;

-- Raw rows and rollups have numbers instead of texts: users, event names and (in schema catalog) products are dictionaries.
-- No foreign keys from raw rows: they would cost a third to a half of each insert. The service checks references and
-- reconcile verifies them.

CREATE TABLE ingest.users (
	project    smallint NOT NULL,
	anonymous  boolean NOT NULL,
	n          bigint GENERATED ALWAYS AS IDENTITY,
	person     bigint,
	first_seen timestamptz,
	joined_at  timestamptz,
	id         text COLLATE "C" NOT NULL CHECK (octet_length(id) BETWEEN 1 AND 200),
	PRIMARY KEY (project, anonymous, id),
	CONSTRAINT users_n_key UNIQUE (project, n),
	CHECK ((person IS NULL) = (joined_at IS NULL) AND (anonymous OR person IS NULL))
);
CREATE INDEX users_person_idx ON ingest.users (project, person) WHERE person IS NOT NULL;
COMMENT ON TABLE ingest.users IS 'The users of raw rows and rollups. A row is inserted in a short transaction before the first flush that needs it, and is never removed by retention. An erasure removes it, and the same id is a new user then.';
COMMENT ON COLUMN ingest.users.project IS 'The project.';
COMMENT ON COLUMN ingest.users.anonymous IS 'Whether id is an anonymous id. Anonymous ids and user ids are apart: equal texts are different users.';
COMMENT ON COLUMN ingest.users.n IS 'The user in raw rows and rollups. Different in all projects.';
COMMENT ON COLUMN ingest.users.person IS 'Of an anonymous id that was identified: n of the user that it belongs to. It never changes. Both are erased together.';
COMMENT ON COLUMN ingest.users.first_seen IS 'The earliest ts of the user''s rows, kept for ever. Written by the statement that stores the row. Null until a row is stored.';
COMMENT ON COLUMN ingest.users.joined_at IS 'When the anonymous id was identified. Its rows from then on are stored for person.';
COMMENT ON COLUMN ingest.users.id IS 'The customer''s own id: the user_id or the anonymous_id.';

CREATE TABLE ingest.names (
	project    smallint NOT NULL,
	n          smallint NOT NULL CHECK (n > 0),
	name       text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	sender     text COLLATE "C" NOT NULL DEFAULT '',
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project, name),
	CONSTRAINT names_n_key UNIQUE (project, n)
);
CREATE INDEX names_sender_idx ON ingest.names (project, sender, n);
COMMENT ON TABLE ingest.names IS 'The names of events. Those with a counter of their own have the same number in all projects (package internal/stats).';
COMMENT ON COLUMN ingest.names.project IS 'The project.';
COMMENT ON COLUMN ingest.names.n IS 'The name in raw rows and rollups.';
COMMENT ON COLUMN ingest.names.name IS 'As the client sent it.';
COMMENT ON COLUMN ingest.names.sender IS 'Who sent it first: key: or user: with the id. Nobody adds more than half of the names that a project can have.';
COMMENT ON COLUMN ingest.names.created_at IS 'When it was first seen.';

-- At most 8 columns, ordered by descending alignment: then a row has no padding, and the bitmap of its NULLs costs nothing.
CREATE TABLE ingest.events (
	ts         timestamptz NOT NULL,
	user_n     bigint NOT NULL,
	batch      bigint NOT NULL,
	id         uuid NOT NULL,
	product    integer,
	project    smallint NOT NULL,
	name       smallint NOT NULL,
	properties text,
	PRIMARY KEY (project, ts, id) WITH (fillfactor = 97) -- most rows are appended
) PARTITION BY RANGE (ts);
CREATE INDEX events_product_ts_idx ON ingest.events (project, product, ts) WHERE product IS NOT NULL;
CREATE INDEX events_user_ts_idx ON ingest.events (user_n, ts);
COMMENT ON TABLE ingest.events IS 'Accepted events, one partition per week, which begins on Monday in UTC. The primary key deduplicates: a retry hits the same row. So an event of an erased user stays as one of nobody, with what the sums are made of.';
COMMENT ON COLUMN ingest.events.ts IS 'When it happened by the client''s clock, or else the time in its id (a UUIDv7 or a ULID), or else when it was first received.';
COMMENT ON COLUMN ingest.events.user_n IS 'The user (ingest.users.n); 0 is nobody: the user was erased.';
COMMENT ON COLUMN ingest.events.batch IS 'The batch that committed it.';
COMMENT ON COLUMN ingest.events.id IS 'The client''s id if it is a UUID, else a UUIDv5 of it in the project, or made by the server.';
COMMENT ON COLUMN ingest.events.product IS 'The product (catalog.products.n); NULL for none.';
COMMENT ON COLUMN ingest.events.project IS 'The project.';
COMMENT ON COLUMN ingest.events.name IS 'The name of the event (ingest.names.n).';
COMMENT ON COLUMN ingest.events.properties IS 'Properties given by the client, a JSON object as it was sent, which jsonb takes; NULL for none, and of nobody. Text, because jsonb would cost a tenth of all that a row costs, and is hardly ever asked for a member. Members that begin with $ may be ours: $skew_ms is the time of receipt minus sent_at, $ts_sent is ts of a clamped event as it was sent.';

-- When an event is counted can depend on when it is received: its ts is far ahead, or it has none. A retry is received at another
-- time, so the first receipt is recorded before the event is stored, and the retry is stored with the same ts.
CREATE TABLE ingest.event_times (
	project smallint NOT NULL,
	ts_sent timestamptz NOT NULL,
	id      uuid NOT NULL,
	ts      timestamptz NOT NULL,
	PRIMARY KEY (project, ts_sent, id)
);
CREATE INDEX event_times_ts_idx ON ingest.event_times (ts);
-- Those that the maintenance deletes.
CREATE INDEX event_times_kept_idx ON ingest.event_times (ts) WHERE ts = ts_sent;
-- Those that flushes look for.
CREATE INDEX event_times_moved_idx ON ingest.event_times (project, ts_sent) WHERE ts <> ts_sent;
COMMENT ON TABLE ingest.event_times IS 'When events are counted whose ts is far ahead or missing. One that was stored with its own ts, because the clock of its client is ahead, is not in question any more when that time has come: then the maintenance deletes the row. Other rows are kept as long as the partition of the raw row, and are deleted after it was dropped.';
COMMENT ON COLUMN ingest.event_times.project IS 'The project.';
COMMENT ON COLUMN ingest.event_times.ts_sent IS 'ts as the client sent it; -infinity for none.';
COMMENT ON COLUMN ingest.event_times.id IS 'As ingest.events.id.';
COMMENT ON COLUMN ingest.event_times.ts IS 'ts of the raw row: ts_sent, or when the event was first received.';

-- Orders are unique by id for ever, so they are not partitioned by time and are kept. A purchase is an order of one line.
CREATE TABLE ingest.orders (
	ts           timestamptz NOT NULL,
	received_at  timestamptz NOT NULL DEFAULT now(),
	user_n       bigint NOT NULL,
	batch        bigint NOT NULL,
	id           uuid NOT NULL,
	project      smallint NOT NULL,
	lines        smallint NOT NULL CHECK (lines > 0),
	currency     text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
	number       text,
	content_hash bytea NOT NULL,
	properties   jsonb,
	PRIMARY KEY (project, id)
);
CREATE INDEX orders_ts_idx ON ingest.orders (project, ts);
CREATE INDEX orders_user_ts_idx ON ingest.orders (user_n, ts);
COMMENT ON TABLE ingest.orders IS 'Accepted orders and purchases. The primary key deduplicates.';
COMMENT ON COLUMN ingest.orders.ts IS 'When it happened.';
COMMENT ON COLUMN ingest.orders.received_at IS 'When it was committed (start of the transaction).';
COMMENT ON COLUMN ingest.orders.user_n IS 'Who bought (ingest.users.n); 0 is nobody: the user was erased. The order stays, because it is part of the books and because its id keeps a retry from being counted.';
COMMENT ON COLUMN ingest.orders.batch IS 'The batch that committed it.';
COMMENT ON COLUMN ingest.orders.id IS 'As ingest.events.id.';
COMMENT ON COLUMN ingest.orders.project IS 'The project.';
COMMENT ON COLUMN ingest.orders.lines IS 'How many lines it has.';
COMMENT ON COLUMN ingest.orders.currency IS 'ISO 4217 code of all its amounts.';
COMMENT ON COLUMN ingest.orders.number IS 'The client''s own id, if it is not the column id: it is no UUID, or that of a guest.';
COMMENT ON COLUMN ingest.orders.content_hash IS 'SHA-256 of what the client sent, times excepted, to distinguish a retry from another order with the same id.';
COMMENT ON COLUMN ingest.orders.properties IS 'Properties given by the client, a JSON object; NULL for none, and of nobody.';

CREATE TABLE ingest.order_lines (
	ts              timestamptz NOT NULL,
	amount_minor    bigint NOT NULL CHECK (amount_minor >= 0),
	refunded_minor  bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
	order_id        uuid NOT NULL,
	product         integer NOT NULL,
	quantity        integer NOT NULL CHECK (quantity > 0),
	refunded_units  integer NOT NULL DEFAULT 0 CHECK (refunded_units BETWEEN 0 AND quantity),
	project         smallint NOT NULL,
	line            smallint NOT NULL CHECK (line > 0),
	PRIMARY KEY (project, order_id, line)
) WITH (fillfactor = 90);
CREATE INDEX order_lines_product_ts_idx ON ingest.order_lines (project, product, ts);
COMMENT ON TABLE ingest.order_lines IS 'The lines of orders. Their checks keep refunds below what was paid.';
COMMENT ON COLUMN ingest.order_lines.ts IS 'ts of the order.';
COMMENT ON COLUMN ingest.order_lines.amount_minor IS 'What was paid for the line, in minor units of the order''s currency.';
COMMENT ON COLUMN ingest.order_lines.refunded_minor IS 'What was paid back of it.';
COMMENT ON COLUMN ingest.order_lines.order_id IS 'The order.';
COMMENT ON COLUMN ingest.order_lines.product IS 'The product (catalog.products.n).';
COMMENT ON COLUMN ingest.order_lines.quantity IS 'Units bought.';
COMMENT ON COLUMN ingest.order_lines.refunded_units IS 'Units returned.';
COMMENT ON COLUMN ingest.order_lines.project IS 'The project.';
COMMENT ON COLUMN ingest.order_lines.line IS 'Its number in the order, from 1.';

CREATE TABLE ingest.refunds (
	ts           timestamptz NOT NULL,
	received_at  timestamptz NOT NULL DEFAULT now(),
	user_n       bigint NOT NULL,
	batch        bigint NOT NULL,
	id           uuid NOT NULL,
	order_id     uuid,
	project      smallint NOT NULL,
	lines        smallint NOT NULL CHECK (lines > 0),
	currency     text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
	number       text,
	reason       text,
	content_hash bytea NOT NULL,
	PRIMARY KEY (project, id)
);
CREATE INDEX refunds_ts_idx ON ingest.refunds (project, ts);
CREATE INDEX refunds_user_ts_idx ON ingest.refunds (user_n, ts);
CREATE INDEX refunds_order_idx ON ingest.refunds (project, order_id) WHERE order_id IS NOT NULL;
COMMENT ON TABLE ingest.refunds IS 'Accepted refunds. The primary key deduplicates.';
COMMENT ON COLUMN ingest.refunds.ts IS 'When it happened. A refund is counted on its own day, not on that of the order.';
COMMENT ON COLUMN ingest.refunds.received_at IS 'When it was committed (start of the transaction).';
COMMENT ON COLUMN ingest.refunds.user_n IS 'Who had bought: user_n of the order, or whom a refund without an order names; 0 is nobody.';
COMMENT ON COLUMN ingest.refunds.batch IS 'The batch that committed it.';
COMMENT ON COLUMN ingest.refunds.id IS 'As ingest.events.id.';
COMMENT ON COLUMN ingest.refunds.order_id IS 'The order; NULL if nobody knows it, as in imported history.';
COMMENT ON COLUMN ingest.refunds.project IS 'The project.';
COMMENT ON COLUMN ingest.refunds.lines IS 'How many lines it has.';
COMMENT ON COLUMN ingest.refunds.currency IS 'That of the order, if there is one.';
COMMENT ON COLUMN ingest.refunds.number IS 'The client''s own id, if it is not the column id, as for orders.';
COMMENT ON COLUMN ingest.refunds.reason IS 'Why, as the client says; NULL for no reason given, and of nobody.';
COMMENT ON COLUMN ingest.refunds.content_hash IS 'SHA-256 of what the client sent, as for orders.';

CREATE TABLE ingest.refund_lines (
	amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
	refund_id    uuid NOT NULL,
	product      integer NOT NULL,
	units        integer NOT NULL CHECK (units >= 0),
	project      smallint NOT NULL,
	line         smallint NOT NULL CHECK (line > 0),
	PRIMARY KEY (project, refund_id, line)
);
COMMENT ON TABLE ingest.refund_lines IS 'What a refund gives back of each line of the order, or of each product. An amount without lines is distributed over the lines, so that products and totals agree.';
COMMENT ON COLUMN ingest.refund_lines.amount_minor IS 'What is paid back for the line, in minor units of the refund''s currency.';
COMMENT ON COLUMN ingest.refund_lines.refund_id IS 'The refund.';
COMMENT ON COLUMN ingest.refund_lines.product IS 'The product of the line.';
COMMENT ON COLUMN ingest.refund_lines.units IS 'Units returned; 0 for an amount alone.';
COMMENT ON COLUMN ingest.refund_lines.project IS 'The project.';
COMMENT ON COLUMN ingest.refund_lines.line IS 'The line of the order; without an order, its number in the refund, from 1.';

-- Ids of batches. Ingest takes them in blocks, so ids of two processes are in order only approximately.
CREATE SEQUENCE ingest.batch_ids INCREMENT BY 1000;
COMMENT ON SEQUENCE ingest.batch_ids IS 'The value v stands for the ids v to v + 999.';

-- Each row is inserted pending and, as a rule, updated once. Free space in each page keeps the updated version beside the
-- first one, and frequent vacuum keeps the partial index of pending batches as small as the backlog.
CREATE TABLE ingest.batches (
	id              bigint NOT NULL,
	received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	min_ts          timestamptz,
	max_ts          timestamptz,
	aggregated_at   timestamptz,
	failed_at       timestamptz,
	next_attempt_at timestamptz,
	rows            integer NOT NULL CHECK (rows >= 0),
	attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
	project         smallint NOT NULL,
	kind            text NOT NULL CHECK (kind IN ('events', 'orders', 'refunds')),
	facts           bytea,
	failure         text CHECK (octet_length(failure) <= 1000),
	PRIMARY KEY (project, id),
	CHECK (rows = 0 OR (min_ts IS NOT NULL AND max_ts IS NOT NULL)),
	CHECK ((failed_at IS NULL) = (next_attempt_at IS NULL) AND (failed_at IS NULL) = (failure IS NULL)),
	CHECK (failed_at IS NULL OR aggregated_at IS NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- Facts are compact already.
ALTER TABLE ingest.batches ALTER COLUMN facts SET STORAGE EXTERNAL;
-- Claims read the first index. A failed batch is not in it, so that it costs the claims of others nothing while it waits.
CREATE INDEX batches_pending_idx ON ingest.batches (id) INCLUDE (rows, received_at, project) WHERE aggregated_at IS NULL AND failed_at IS NULL;
CREATE INDEX batches_failed_idx ON ingest.batches (next_attempt_at) INCLUDE (id, rows, project) WHERE aggregated_at IS NULL AND failed_at IS NOT NULL;
-- The live stream follows the batches in the order of their receipt. A BRIN would soon be of no use: pruned receipts leave space all over the
-- table, and new ones fill it.
CREATE INDEX batches_received_at_idx ON ingest.batches (received_at);
COMMENT ON TABLE ingest.batches IS 'One row for each committed write to a project. While it is pending it is in the inbox of the aggregator; then it is the receipt. A batch that cannot be folded is failed until a retry succeeds.';
COMMENT ON COLUMN ingest.batches.id IS 'From ingest.batch_ids. No two batches of the installation have the same.';
COMMENT ON COLUMN ingest.batches.received_at IS 'When it was written, shortly before the commit. The clock is read while the transaction holds its lock on this table, which analytics relies on.';
COMMENT ON COLUMN ingest.batches.min_ts IS 'Earliest ts of its rows.';
COMMENT ON COLUMN ingest.batches.max_ts IS 'Latest ts among its rows.';
COMMENT ON COLUMN ingest.batches.aggregated_at IS 'When its rows were folded into the rollups, in the same transaction; NULL is pending or failed.';
COMMENT ON COLUMN ingest.batches.failed_at IS 'When folding it alone failed for the last time, because of its content; NULL is pending or folded.';
COMMENT ON COLUMN ingest.batches.next_attempt_at IS 'When a failed batch is folded again.';
COMMENT ON COLUMN ingest.batches.rows IS 'Rows that were inserted, without duplicates. For orders and refunds: their lines.';
COMMENT ON COLUMN ingest.batches.attempts IS 'How many times folding it alone has failed.';
COMMENT ON COLUMN ingest.batches.project IS 'The project of all its rows.';
COMMENT ON COLUMN ingest.batches.kind IS 'The table of its rows: events, orders or refunds.';
COMMENT ON COLUMN ingest.batches.facts IS 'What its rows count, in the format of package internal/protocol/facts, so that a fold reads no raw rows. NULL once it is folded.';
COMMENT ON COLUMN ingest.batches.failure IS 'Why folding it failed for the last time.';

-- Two branches, because each can use its partial index.
CREATE VIEW ingest.unfolded_batches AS
SELECT id, received_at, min_ts, max_ts, rows, project, kind, false AS failed
FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NULL
UNION ALL
SELECT id, received_at, min_ts, max_ts, rows, project, kind, true
FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NOT NULL;
COMMENT ON VIEW ingest.unfolded_batches IS 'The pending and the failed batches: those whose rows are not in the rollups.';

CREATE TABLE ingest.idempotency_keys (
	project    smallint NOT NULL,
	principal  text NOT NULL,
	key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
	body_hash  bytea NOT NULL,
	response   jsonb NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project, principal, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON ingest.idempotency_keys (created_at);
COMMENT ON TABLE ingest.idempotency_keys IS 'Answers to requests with an Idempotency-Key, stored in the transaction of the request.';
COMMENT ON COLUMN ingest.idempotency_keys.project IS 'The project.';
COMMENT ON COLUMN ingest.idempotency_keys.principal IS 'Empty for the keys and members of the project, who share their Idempotency-Keys; the account of a guest, who has his own.';
COMMENT ON COLUMN ingest.idempotency_keys.key IS 'Value of the header.';
COMMENT ON COLUMN ingest.idempotency_keys.body_hash IS 'SHA-256 of what the request says, times excepted, to distinguish a retry from another request with the same key.';
COMMENT ON COLUMN ingest.idempotency_keys.response IS 'Names the order that answered the request: {"id": …}. A retry receives it again.';
COMMENT ON COLUMN ingest.idempotency_keys.created_at IS 'When the key was first used. The row is pruned a day later.';

-- A row whose partition was dropped no longer shows that a retry is a retry: the event would be stored and counted a second
-- time. So a project that had rows of a dropped day takes none of this day any more. Other projects may bring the partition back.
CREATE TABLE ingest.dropped_days (
	project    smallint NOT NULL,
	day        date NOT NULL,
	dropped_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project, day)
);
CREATE INDEX dropped_days_day_idx ON ingest.dropped_days (day);
COMMENT ON TABLE ingest.dropped_days IS 'Days whose raw events were dropped, for each project that had some. Their rollups can no longer be recounted or rebuilt. Days of a dropped week on which a project had no events are not among them.';
COMMENT ON COLUMN ingest.dropped_days.project IS 'The project.';
COMMENT ON COLUMN ingest.dropped_days.day IS 'The UTC day.';
COMMENT ON COLUMN ingest.dropped_days.dropped_at IS 'When its partition was dropped, or closed for the project while others hold it.';

-- Every partition costs each plan and each lock of ingest.events, so a project cannot make as many as it likes.
CREATE TABLE ingest.opened_weeks (
	project   smallint NOT NULL,
	week      date NOT NULL,
	opened_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project, week)
);
COMMENT ON TABLE ingest.opened_weeks IS 'Weeks of history that got their partition because of an event of a project. A row is removed with the partition.';
COMMENT ON COLUMN ingest.opened_weeks.project IS 'The project.';
COMMENT ON COLUMN ingest.opened_weeks.week IS 'The Monday of the week.';
COMMENT ON COLUMN ingest.opened_weeks.opened_at IS 'When its partition was made.';

-- An import of history announces its days: their events may be of any age, and their raw rows stay until they were recounted.
CREATE TABLE ingest.imports (
	project     smallint NOT NULL,
	id          uuid NOT NULL,
	first_day   date NOT NULL,
	last_day    date NOT NULL,
	begun_at    timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	proven_at   timestamptz,
	PRIMARY KEY (project, id),
	CHECK (first_day <= last_day),
	CHECK (proven_at IS NULL OR finished_at IS NOT NULL)
);
CREATE INDEX imports_unproven_idx ON ingest.imports (first_day, last_day) WHERE proven_at IS NULL;
COMMENT ON TABLE ingest.imports IS 'Imports of history. Retention keeps the weeks of an import in which its project has rows, until reconcile has proven it, and no longer than 90 days.';
COMMENT ON COLUMN ingest.imports.project IS 'The project.';
COMMENT ON COLUMN ingest.imports.id IS 'As ingest.events.id.';
COMMENT ON COLUMN ingest.imports.first_day IS 'The first UTC day of its events.';
COMMENT ON COLUMN ingest.imports.last_day IS 'The last UTC day of its events.';
COMMENT ON COLUMN ingest.imports.begun_at IS 'When it was announced. Announcing it again changes this only after 90 days, when it no longer keeps its days.';
COMMENT ON COLUMN ingest.imports.finished_at IS 'When its last event was stored; NULL while it runs.';
COMMENT ON COLUMN ingest.imports.proven_at IS 'When reconcile found that the rollups of all its days are those of the raw rows.';

-- Erasures: who is forgotten, and the receipts of that.
CREATE TABLE ingest.erasure_epochs (
	project smallint PRIMARY KEY,
	epoch   bigint NOT NULL CHECK (epoch > 0)
);
COMMENT ON TABLE ingest.erasure_epochs IS 'How often users of a project were removed from ingest.users; no row is never. The statement that stores rows compares it with the epoch at which their users were looked up.';
COMMENT ON COLUMN ingest.erasure_epochs.project IS 'The project.';
COMMENT ON COLUMN ingest.erasure_epochs.epoch IS 'Raised by the transaction that removes users.';

CREATE TABLE ingest.erasures (
	project      smallint NOT NULL,
	id           uuid NOT NULL,
	anonymous    boolean NOT NULL,
	subject      text COLLATE "C",
	salt         bytea NOT NULL CHECK (octet_length(salt) = 32),
	digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
	state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')),
	phase        text NOT NULL DEFAULT 'users' CHECK (phase IN ('users', 'writers', 'rows', 'rollups', 'done')),
	epoch        bigint,
	reached      date,
	days         date[] NOT NULL DEFAULT '{}',
	removed      jsonb NOT NULL DEFAULT '{}',
	sketch_days  integer NOT NULL DEFAULT 0,
	held_by      bigint[] NOT NULL DEFAULT '{}',
	last_error   text CHECK (octet_length(last_error) <= 1000),
	requested_by text NOT NULL,
	requested_at timestamptz NOT NULL DEFAULT now(),
	started_at   timestamptz,
	finished_at  timestamptz,
	PRIMARY KEY (project, id),
	CHECK ((state = 'done') = (subject IS NULL) AND (state = 'done') = (finished_at IS NOT NULL) AND (state = 'done') = (phase = 'done')),
	CHECK ((state = 'waiting') = (started_at IS NULL) AND (state = 'waiting') = (phase = 'users') AND (state = 'waiting') = (epoch IS NULL))
);
CREATE UNIQUE INDEX erasures_waiting_idx ON ingest.erasures (project, anonymous, subject) WHERE state = 'waiting';
CREATE INDEX erasures_open_idx ON ingest.erasures (project, id) WHERE state <> 'done';
COMMENT ON TABLE ingest.erasures IS 'Requests to forget a user, and then their receipts, which are kept for ever.';
COMMENT ON COLUMN ingest.erasures.project IS 'The project.';
COMMENT ON COLUMN ingest.erasures.id IS 'UUIDv7.';
COMMENT ON COLUMN ingest.erasures.anonymous IS 'Whether the subject is an anonymous id.';
COMMENT ON COLUMN ingest.erasures.subject IS 'The id that was asked for. NULL once it is done.';
COMMENT ON COLUMN ingest.erasures.salt IS 'Random: the key of the digests of this receipt.';
COMMENT ON COLUMN ingest.erasures.digest IS 'HMAC-SHA-256 of the subject, with its kind. It tells who knows the id that the receipt is of it.';
COMMENT ON COLUMN ingest.erasures.state IS 'waiting, running or done.';
COMMENT ON COLUMN ingest.erasures.phase IS 'What is done next: users leaves the dictionary, writers waits for transactions and batches that still have the numbers, rows makes raw rows those of nobody, rollups removes the user from counts.';
COMMENT ON COLUMN ingest.erasures.epoch IS 'The epoch that it raised. Erasures of a project with the same epoch are done together. NULL while it waits.';
COMMENT ON COLUMN ingest.erasures.reached IS 'How far the phase is done: the Monday of the last UTC week of rows, the last day of the project of rollups.';
COMMENT ON COLUMN ingest.erasures.days IS 'The days of the project on which the user was counted. Empty once it is done.';
COMMENT ON COLUMN ingest.erasures.removed IS 'How many rows were removed, or made those of nobody, by table.';
COMMENT ON COLUMN ingest.erasures.sketch_days IS 'On how many days the user stays part of sketches of unique users, because their raw rows had expired. A sketch holds no id and no number.';
COMMENT ON COLUMN ingest.erasures.held_by IS 'Failed batches that hold it up (the first 100). Empty unless it waits for them.';
COMMENT ON COLUMN ingest.erasures.last_error IS 'Why the last attempt to go on failed; NULL if it did not.';
COMMENT ON COLUMN ingest.erasures.requested_by IS 'The account or the key that asked.';
COMMENT ON COLUMN ingest.erasures.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN ingest.erasures.started_at IS 'When the user left the dictionary.';
COMMENT ON COLUMN ingest.erasures.finished_at IS 'When nothing was left.';

CREATE VIEW ingest.open_erasures AS
SELECT project, id, state, phase, requested_at, started_at, cardinality(held_by) AS held_by, last_error IS NOT NULL AS failing
FROM ingest.erasures WHERE state <> 'done';
COMMENT ON VIEW ingest.open_erasures IS 'The erasures that are not done, without whom they are about.';

CREATE TABLE ingest.erased_users (
	project   smallint NOT NULL,
	n         bigint NOT NULL,
	erasure   uuid NOT NULL,
	digest    bytea NOT NULL CHECK (octet_length(digest) = 32),
	anonymous boolean NOT NULL,
	PRIMARY KEY (project, n),
	FOREIGN KEY (project, erasure) REFERENCES ingest.erasures (project, id)
);
CREATE INDEX erased_users_erasure_idx ON ingest.erased_users (project, erasure);
COMMENT ON TABLE ingest.erased_users IS 'The former numbers of users that were erased, for verification. Nothing says whose they were.';
COMMENT ON COLUMN ingest.erased_users.project IS 'The project.';
COMMENT ON COLUMN ingest.erased_users.n IS 'The number, which no user will have again.';
COMMENT ON COLUMN ingest.erased_users.erasure IS 'The receipt.';
COMMENT ON COLUMN ingest.erased_users.digest IS 'HMAC-SHA-256 of the id with the salt of the receipt, as ingest.erasures.digest.';
COMMENT ON COLUMN ingest.erased_users.anonymous IS 'Whether the id was an anonymous id.';

CREATE TABLE ingest.exports (
	project      smallint NOT NULL,
	id           uuid NOT NULL,
	requested_by text NOT NULL,
	requested_at timestamptz NOT NULL DEFAULT now(),
	snapshot_at  timestamptz,
	finished_at  timestamptz,
	lines        bigint NOT NULL DEFAULT 0 CHECK (lines >= 0),
	counts       jsonb NOT NULL DEFAULT '{}',
	sha256       bytea CHECK (octet_length(sha256) = 32),
	PRIMARY KEY (project, id),
	CHECK ((finished_at IS NULL) = (sha256 IS NULL) AND (finished_at IS NULL) = (snapshot_at IS NULL))
);
COMMENT ON TABLE ingest.exports IS 'Receipts of exports of users, kept for ever. A row is inserted before the first line is sent. Nothing in it says whose export it is.';
COMMENT ON COLUMN ingest.exports.project IS 'The project.';
COMMENT ON COLUMN ingest.exports.id IS 'UUIDv7.';
COMMENT ON COLUMN ingest.exports.requested_by IS 'The account or the key that asked.';
COMMENT ON COLUMN ingest.exports.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN ingest.exports.snapshot_at IS 'When the snapshot began that all its lines are from.';
COMMENT ON COLUMN ingest.exports.finished_at IS 'When its last line was written. NULL while it runs, and of one that was cut.';
COMMENT ON COLUMN ingest.exports.lines IS 'How many lines are before the receipt.';
COMMENT ON COLUMN ingest.exports.counts IS 'How many of them there are of each kind.';
COMMENT ON COLUMN ingest.exports.sha256 IS 'SHA-256 of the lines before the receipt, line breaks included.';

CREATE FUNCTION ingest.week(day date) RETURNS date
LANGUAGE sql IMMUTABLE AS $$ SELECT day - extract(isodow FROM day)::integer + 1 $$;
COMMENT ON FUNCTION ingest.week(date) IS 'The Monday of the week of a day.';

-- The partitions are selected in a materialized CTE before their names are parsed as days: Postgres may evaluate conditions in
-- any order, and would parse the names of all tables with another plan.
CREATE VIEW ingest.partitions AS
WITH partitions AS MATERIALIZED (
	SELECT c.oid, c.relname::text AS name
	FROM pg_inherits i
	JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = 'ingest.events'::regclass
)
SELECT to_date(right(name, 8), 'YYYYMMDD') AS week, name, oid FROM partitions;
COMMENT ON VIEW ingest.partitions IS 'The partitions of events, with the Mondays of their weeks.';

CREATE FUNCTION ingest.partition_of(day date) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT 'events_w' || to_char(ingest.week(day), 'YYYYMMDD') $$;
COMMENT ON FUNCTION ingest.partition_of(date) IS 'The name of the partition of the events of a UTC day, whether there is one or not.';

-- A week can be dropped for some projects only, and a dropped partition can come back.
CREATE FUNCTION ingest.dropped_rows(monday date) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('ts >= %L AND ts < %L AND project = ANY (%L::smallint[])',
		day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC', projects), ' OR ')
	FROM (
		SELECT day, array_agg(project ORDER BY project) AS projects
		FROM ingest.dropped_days WHERE day BETWEEN monday AND monday + 6 GROUP BY day
	) AS days
$$;
COMMENT ON FUNCTION ingest.dropped_rows(date) IS 'The condition of the events of a week whose day was dropped for their project; NULL if no day was.';

-- A partition is created as a separate table and then attached, because CREATE TABLE … PARTITION OF would block every reader and
-- writer of the parent. It refuses rows of projects whose rows of their day were dropped, so that inserts need not look for them.
CREATE FUNCTION ingest.make_partition(wanted date) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	child   text := ingest.partition_of(wanted);
	monday  date := ingest.week(wanted);
	dropped text := ingest.dropped_rows(monday);
BEGIN
	IF to_regclass(format('ingest.%I', child)) IS NOT NULL THEN
		RETURN false;
	END IF;
	EXECUTE format(
		'CREATE TABLE ingest.%I (LIKE ingest.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)
		 WITH (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1)',
		child);
	IF dropped IS NOT NULL THEN
		EXECUTE format('ALTER TABLE ingest.%I ADD CONSTRAINT dropped_days CHECK (NOT (%s))', child, dropped);
	END IF;
	EXECUTE format(
		'ALTER TABLE ingest.events ATTACH PARTITION ingest.%I FOR VALUES FROM (%L) TO (%L)',
		child, monday::timestamp AT TIME ZONE 'UTC', (monday + 7)::timestamp AT TIME ZONE 'UTC');
	EXECUTE format('COMMENT ON TABLE ingest.%I IS %L', child, format('events of %s to %s (UTC)', monday, monday + 6));
	RETURN true;
END
$$;
COMMENT ON FUNCTION ingest.make_partition(date) IS
	'Creates the partition of the events of the week of a UTC day and returns true, or false if it is there. The caller holds the advisory lock of partitions.';

CREATE FUNCTION ingest.ensure_partitions(from_day date, to_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	wanted date;
	made   integer := 0;
BEGIN
	IF to_day - from_day >= 1000 THEN
		RAISE EXCEPTION 'ensure_partitions: % to % is more than 1000 days', from_day, to_day
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- Two sessions that need the same week must not both create it. The key is locks.Partitions in internal/locks.
	PERFORM pg_advisory_xact_lock(4823, 1);
	FOR wanted IN SELECT generate_series(ingest.week(from_day), to_day, interval '7 days')::date LOOP
		IF ingest.make_partition(wanted) THEN
			made := made + 1;
		END IF;
	END LOOP;
	RETURN made;
END
$$;
COMMENT ON FUNCTION ingest.ensure_partitions(date, date) IS
	'Creates the missing partitions of events for the weeks of an inclusive range of UTC days, and returns how many it created.';

-- An event of any day may ask for its partition. Weeks that reach into the last month are no history: the aggregator makes their
-- partitions, and no limit may refuse the events of today.
CREATE FUNCTION ingest.open_day(for_project smallint, wanted date, max_weeks integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	history boolean := ingest.week(wanted) + 6 < current_date - 31;
BEGIN
	PERFORM pg_advisory_xact_lock(4823, 1);
	IF EXISTS (SELECT FROM ingest.dropped_days WHERE project = for_project AND day = wanted) THEN
		RETURN 'dropped';
	END IF;
	IF to_regclass(format('ingest.%I', ingest.partition_of(wanted))) IS NOT NULL THEN
		RETURN 'open';
	END IF;
	IF history AND (SELECT count(*) FROM ingest.opened_weeks WHERE project = for_project) >= max_weeks THEN
		RETURN 'too many';
	END IF;
	PERFORM ingest.make_partition(wanted);
	IF history THEN
		INSERT INTO ingest.opened_weeks (project, week) VALUES (for_project, ingest.week(wanted));
	END IF;
	RETURN 'open';
END
$$;
COMMENT ON FUNCTION ingest.open_day(smallint, date, integer) IS
	'Creates the partition of a UTC day for a project if it is missing, and returns open. It returns dropped if rows of the project were dropped with this day, and too many if the project has opened max_weeks weeks of history that are still there.';

-- LIMIT makes it one look at the index for each project, whatever the planner believes of sizes.
CREATE FUNCTION ingest.holders(monday date, OUT projects smallint[], OUT unfolded boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('
		SELECT array_agg(project ORDER BY project), coalesce(bool_or(unfolded), false)
		FROM (
			SELECT project, bool_or(unfolded) AS unfolded
			FROM (
				SELECT project, true AS unfolded FROM ingest.unfolded_batches WHERE kind = ''events'' AND min_ts < $3 AND max_ts >= $2
				UNION ALL
				SELECT project, false FROM ingest.imports
				WHERE proven_at IS NULL AND begun_at > now() - interval ''90 days'' AND first_day <= $1 + 6 AND last_day >= $1
			) AS reasons
			GROUP BY project
		) AS needs
		CROSS JOIN LATERAL (SELECT FROM ingest.%I AS e WHERE e.project = needs.project LIMIT 1) AS present', ingest.partition_of(monday))
		INTO projects, unfolded
		USING monday, monday::timestamp AT TIME ZONE 'UTC', (monday + 7)::timestamp AT TIME ZONE 'UTC';
END
$$;
COMMENT ON FUNCTION ingest.holders(date) IS
	'The projects with events of the week that must stay: a batch with events of the week is pending or failed (unfolded), or an import of such days is not proven. NULL if there are none.';

-- One look at the index for each project and day.
CREATE FUNCTION ingest.days_in(child text) RETURNS TABLE (project smallint, day date)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE format('
		WITH RECURSIVE present AS (
			(SELECT project, (ts AT TIME ZONE ''UTC'')::date AS day FROM ingest.%1$I ORDER BY project, ts LIMIT 1)
			UNION ALL
			SELECT later.project, (later.ts AT TIME ZONE ''UTC'')::date
			FROM present CROSS JOIN LATERAL (
				SELECT e.project, e.ts FROM ingest.%1$I AS e
				WHERE (e.project, e.ts) >= (present.project, (present.day + 1)::timestamp AT TIME ZONE ''UTC'')
				ORDER BY e.project, e.ts LIMIT 1
			) AS later
		)
		SELECT project, day FROM present', child);
END
$$;
COMMENT ON FUNCTION ingest.days_in(text) IS 'The projects and UTC days that have events in a partition.';

-- Drops the raw events of whole weeks. The rollups are kept. What some projects must keep does not keep the events of others: when a
-- week is a day past its time and still held, its days are closed for the other projects, and the aggregator deletes their rows
-- with delete_dropped_rows. Until then it waits, because to drop a table costs nothing and to delete its rows does.
-- The aggregator deletes the rows of ingest.event_times afterwards, in chunks, because a week can have millions and nobody can
-- store events while the locks are held. The parent is locked before the partition, as writers do, and the projects are read when
-- no writer is left.
CREATE FUNCTION ingest.drop_partitions_before(before_day date, dry_run boolean)
RETURNS TABLE (partition text, bytes bigint, held_by smallint[], unfolded boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	expired date;
BEGIN
	PERFORM pg_advisory_xact_lock(4823, 1);
	FOR expired, partition, bytes IN
		SELECT week, name, pg_total_relation_size(oid) FROM ingest.partitions WHERE week + 7 <= before_day ORDER BY week
	LOOP
		SELECT h.projects, h.unfolded INTO held_by, unfolded FROM ingest.holders(expired) AS h;
		IF dry_run OR held_by IS NOT NULL AND (expired + 7 >= before_day OR NOT EXISTS (
			SELECT FROM ingest.days_in(partition) AS p
			WHERE p.project <> ALL (held_by) AND NOT EXISTS (SELECT FROM ingest.dropped_days AS d WHERE d.project = p.project AND d.day = p.day)
		)) THEN
			RETURN NEXT;
			CONTINUE;
		END IF;
		LOCK TABLE ONLY ingest.events IN ACCESS EXCLUSIVE MODE;
		EXECUTE format('LOCK TABLE ingest.%I IN ACCESS EXCLUSIVE MODE', partition);
		-- Rows may have come in, or an import may have begun, while the locks were waited for.
		SELECT h.projects, h.unfolded INTO held_by, unfolded FROM ingest.holders(expired) AS h;
		CONTINUE WHEN held_by IS NOT NULL AND expired + 7 >= before_day;
		INSERT INTO ingest.dropped_days (project, day)
			SELECT p.project, p.day FROM ingest.days_in(partition) AS p WHERE p.project <> ALL (coalesce(held_by, '{}')) ON CONFLICT DO NOTHING;
		IF held_by IS NULL THEN
			EXECUTE format('DROP TABLE ingest.%I', partition);
			DELETE FROM ingest.opened_weeks WHERE week = expired;
		ELSIF ingest.dropped_rows(expired) IS NOT NULL THEN
			EXECUTE format('ALTER TABLE ingest.%I DROP CONSTRAINT IF EXISTS dropped_days, ADD CONSTRAINT dropped_days CHECK (NOT (%s)) NOT VALID',
				partition, ingest.dropped_rows(expired));
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ingest.drop_partitions_before(date, boolean) IS
	'Drops the partitions of the weeks that end before a day and returns their names and sizes in bytes. One that some projects hold stays and is returned with them; after a day it takes no rows of other projects. With dry_run it only returns what it would drop.';

-- The maintenance and an erasure may delete the same rows. What counts is what was chosen, not what was left to delete: or else the one
-- that waited for the other would believe that it is done.
CREATE FUNCTION ingest.delete_dropped_rows(for_project smallint, wanted date, from_ts timestamptz, max_rows integer) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	last timestamptz;
BEGIN
	IF NOT EXISTS (SELECT FROM ingest.dropped_days WHERE project = for_project AND day = wanted) THEN
		RAISE EXCEPTION 'delete_dropped_rows: the day % of project % is not dropped', wanted, for_project USING ERRCODE = 'invalid_parameter_value';
	END IF;
	EXECUTE format('
		WITH chosen AS MATERIALIZED (
			SELECT ctid, ts FROM ingest.%1$I WHERE project = $1 AND ts >= $2 AND ts < $3 ORDER BY ts LIMIT $4
		), gone AS (
			DELETE FROM ingest.%1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM chosen))
		)
		SELECT CASE WHEN count(*) = $4 THEN max(ts) END FROM chosen', ingest.partition_of(wanted))
		INTO last
		USING for_project, greatest(from_ts, wanted::timestamp AT TIME ZONE 'UTC'), (wanted + 1)::timestamp AT TIME ZONE 'UTC', max_rows;
	RETURN last;
END
$$;
COMMENT ON FUNCTION ingest.delete_dropped_rows(smallint, date, timestamptz, integer) IS
	'Deletes up to max_rows events of a project and of a day that was dropped for it, those from a time on, the earliest first. It returns the time of the last one, or NULL if none are left.';
REVOKE ALL ON FUNCTION ingest.make_partition(date), ingest.ensure_partitions(date, date), ingest.open_day(smallint, date, integer), ingest.holders(date), ingest.days_in(text),
	ingest.drop_partitions_before(date, boolean), ingest.delete_dropped_rows(smallint, date, timestamptz, integer) FROM PUBLIC;

GRANT SELECT, INSERT ON ingest.events, ingest.event_times, ingest.orders, ingest.refunds, ingest.refund_lines, ingest.batches, ingest.idempotency_keys, ingest.names TO hp_ingest;
GRANT SELECT, INSERT, UPDATE ON ingest.users TO hp_ingest;
GRANT SELECT, INSERT, UPDATE (refunded_minor, refunded_units) ON ingest.order_lines TO hp_ingest;
GRANT SELECT ON ingest.dropped_days TO hp_ingest;
GRANT SELECT, INSERT, UPDATE (first_day, last_day, begun_at, finished_at, proven_at) ON ingest.imports TO hp_ingest;
GRANT SELECT, UPDATE (proven_at) ON ingest.imports TO hp_aggregator;
GRANT USAGE ON SEQUENCE ingest.batch_ids TO hp_ingest;
GRANT EXECUTE ON FUNCTION ingest.ensure_partitions(date, date) TO hp_aggregator;
GRANT EXECUTE ON FUNCTION ingest.open_day(smallint, date, integer) TO hp_ingest;
GRANT EXECUTE ON FUNCTION ingest.drop_partitions_before(date, boolean), ingest.delete_dropped_rows(smallint, date, timestamptz, integer) TO hp_aggregator;
GRANT SELECT ON ingest.events, ingest.orders, ingest.order_lines, ingest.refunds, ingest.refund_lines, ingest.users, ingest.names TO hp_aggregator;
GRANT SELECT, UPDATE, DELETE ON ingest.batches TO hp_aggregator;
GRANT SELECT, DELETE ON ingest.idempotency_keys, ingest.event_times TO hp_aggregator;
GRANT SELECT ON ingest.dropped_days, ingest.partitions TO hp_aggregator;
GRANT SELECT ON ingest.users, ingest.names TO hp_analytics;
-- Not the facts, which are raw rows in short, and not the failures, which may quote them.
GRANT SELECT (project, id, kind, rows, received_at, min_ts, max_ts, aggregated_at, failed_at) ON ingest.batches TO hp_analytics;
GRANT SELECT ON ingest.unfolded_batches TO hp_aggregator, hp_analytics;
-- The live stream shows which events, orders and refunds come. It does not show their properties, nor the reasons of refunds.
GRANT SELECT (ts, user_n, batch, id, product, project, name) ON ingest.events TO hp_analytics;
GRANT SELECT (ts, user_n, batch, id, project, lines, currency, number) ON ingest.orders TO hp_analytics;
GRANT SELECT (amount_minor, order_id, product, quantity, project, line) ON ingest.order_lines TO hp_analytics;
GRANT SELECT (ts, user_n, batch, id, order_id, project, lines, currency, number) ON ingest.refunds TO hp_analytics;
GRANT SELECT (amount_minor, refund_id, product, units, project, line) ON ingest.refund_lines TO hp_analytics;
GRANT SELECT, INSERT ON ingest.erasures TO hp_ingest;
GRANT SELECT ON ingest.open_erasures TO hp_aggregator, hp_analytics;
GRANT SELECT ON ingest.erasure_epochs TO hp_ingest;
-- An export of a user says which of its ids were erased before.
GRANT SELECT (project, erasure, digest, anonymous) ON ingest.erased_users TO hp_ingest;
GRANT SELECT, INSERT, UPDATE (snapshot_at, finished_at, lines, counts, sha256) ON ingest.exports TO hp_ingest;
-- The aggregator erases. It may change nothing of a raw row but what came from the person.
GRANT SELECT, UPDATE ON ingest.erasures TO hp_aggregator;
GRANT SELECT, INSERT, UPDATE ON ingest.erasure_epochs TO hp_aggregator;
GRANT SELECT, INSERT ON ingest.erased_users TO hp_aggregator;
GRANT DELETE, UPDATE (person) ON ingest.users TO hp_aggregator;
GRANT UPDATE (user_n, properties) ON ingest.events, ingest.orders TO hp_aggregator;
GRANT UPDATE (user_n, reason) ON ingest.refunds TO hp_aggregator;
