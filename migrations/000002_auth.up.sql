CREATE SCHEMA auth;
COMMENT ON SCHEMA auth IS 'Accounts and credentials. Owned by the auth service; others may only look up projects, memberships, API keys and which accounts are disabled.';
GRANT USAGE ON SCHEMA auth TO hp_auth, hp_catalog, hp_ingest, hp_analytics, hp_aggregator;

CREATE TABLE auth.users (
	id                  uuid PRIMARY KEY,
	email               text NOT NULL CONSTRAINT users_email_key UNIQUE CHECK (email = lower(email COLLATE "C") AND length(email) <= 254),
	name                text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
	password_hash       text NOT NULL,
	password_expires_at timestamptz,
	role                text NOT NULL DEFAULT 'user' CHECK (role IN ('admin', 'user')),
	disabled_at         timestamptz,
	last_login_at       timestamptz,
	created_at          timestamptz NOT NULL DEFAULT now(),
	updated_at          timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE auth.users IS 'People who can log in.';
COMMENT ON COLUMN auth.users.id IS 'UUIDv7; the subject of access tokens and the user_id of the person''s own events.';
COMMENT ON COLUMN auth.users.email IS 'Login name, lower-cased before it is stored, so that the unique constraint ignores case.';
COMMENT ON COLUMN auth.users.name IS 'Display name; may be empty.';
COMMENT ON COLUMN auth.users.password_hash IS 'argon2id hash in PHC string format, which includes its parameters.';
COMMENT ON COLUMN auth.users.password_expires_at IS 'Set if an admin has reset the password: until then it can be replaced, and nothing else. Null for a password that its owner chose.';
COMMENT ON COLUMN auth.users.role IS 'admin: manages accounts and projects, and is an owner in every project. user: what its memberships allow.';
COMMENT ON COLUMN auth.users.disabled_at IS 'When an admin disabled the account: it cannot log in or refresh. Null if it is enabled.';
COMMENT ON COLUMN auth.users.last_login_at IS 'When somebody last logged in; a refresh does not count.';
COMMENT ON COLUMN auth.users.created_at IS 'When the account was created.';
COMMENT ON COLUMN auth.users.updated_at IS 'When the account was last changed.';

CREATE TABLE auth.sessions (
	id         uuid PRIMARY KEY,
	user_id    uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
	secret     bytea NOT NULL CHECK (length(secret) = 32),
	expires_at timestamptz NOT NULL,
	revoked_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_user_id_idx ON auth.sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON auth.sessions (expires_at);
COMMENT ON TABLE auth.sessions IS 'One row per login. Whoever changes the tokens of a session, or revokes it, locks its row first.';
COMMENT ON COLUMN auth.sessions.id IS 'UUIDv7.';
COMMENT ON COLUMN auth.sessions.user_id IS 'The account that logged in.';
COMMENT ON COLUMN auth.sessions.secret IS 'The key of the HMAC that makes the next refresh token from the current one. Only the role of the auth service may read it.';
COMMENT ON COLUMN auth.sessions.expires_at IS 'When the last token of the session expires. The row is pruned afterwards.';
COMMENT ON COLUMN auth.sessions.revoked_at IS 'When the session was revoked: by logout, by reuse of a token, by a new password, by an admin.';
COMMENT ON COLUMN auth.sessions.created_at IS 'When the account logged in.';

CREATE TABLE auth.refresh_tokens (
	token_hash bytea PRIMARY KEY,
	session_id uuid NOT NULL REFERENCES auth.sessions ON DELETE CASCADE,
	expires_at timestamptz NOT NULL,
	used_at    timestamptz,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refresh_tokens_session_id_idx ON auth.refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expires_at_idx ON auth.refresh_tokens (expires_at);
COMMENT ON TABLE auth.refresh_tokens IS 'Refresh tokens. Each is exchanged once for its successor in the same session.';
COMMENT ON COLUMN auth.refresh_tokens.token_hash IS 'SHA-256 of the token, which has 256 random bits and is not stored.';
COMMENT ON COLUMN auth.refresh_tokens.session_id IS 'The login that the token descends from.';
COMMENT ON COLUMN auth.refresh_tokens.expires_at IS 'When the token expires, used or not. The row is pruned afterwards.';
COMMENT ON COLUMN auth.refresh_tokens.used_at IS 'When the token was exchanged for its successor.';
COMMENT ON COLUMN auth.refresh_tokens.created_at IS 'When the token was issued.';

CREATE TABLE auth.projects (
	id                 smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	slug               text NOT NULL CONSTRAINT projects_slug_key UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
	name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	time_zone          text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64),
	currency           text NOT NULL DEFAULT 'EUR' CHECK (currency ~ '^[A-Z]{3}$'),
	week_start         smallint NOT NULL DEFAULT 1 CHECK (week_start BETWEEN 1 AND 7),
	max_event_age_days integer CHECK (max_event_age_days BETWEEN 1 AND 3650),
	events_per_second  integer CHECK (events_per_second > 0),
	archived_at        timestamptz,
	version            bigint NOT NULL DEFAULT 1 CHECK (version > 0),
	created_at         timestamptz NOT NULL DEFAULT now(),
	updated_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE auth.projects IS 'Projects. Everything that is stored and counted belongs to one, and two never share a name, an id or a number.';
COMMENT ON COLUMN auth.projects.id IS 'The first column of every key in the schemas ingest and stats.';
COMMENT ON COLUMN auth.projects.slug IS 'Its name in the header Project and in paths.';
COMMENT ON COLUMN auth.projects.name IS 'Display name.';
COMMENT ON COLUMN auth.projects.time_zone IS 'IANA name of the time zone whose days and hours the rollups shall count. stats.zones says by which they count now.';
COMMENT ON COLUMN auth.projects.currency IS 'ISO 4217 code of the currency that a ranking by revenue has unless the request names one.';
COMMENT ON COLUMN auth.projects.week_start IS 'The day on which weeks begin: 1 is Monday, 7 is Sunday (ISO 8601).';
COMMENT ON COLUMN auth.projects.max_event_age_days IS 'How many days ago an event may have happened when it is sent. Null for the setting of the installation, which is also the most.';
COMMENT ON COLUMN auth.projects.events_per_second IS 'The most events that all callers of the project may send per second on average. Null for no limit of its own.';
COMMENT ON COLUMN auth.projects.archived_at IS 'When the project was archived: it is read by its members, takes nothing, and its keys do not work. Null if it is not.';
COMMENT ON COLUMN auth.projects.version IS 'Incremented by each change; the ETag.';
COMMENT ON COLUMN auth.projects.created_at IS 'When the project was created.';
COMMENT ON COLUMN auth.projects.updated_at IS 'When the project was last changed.';
-- The project of an installation that has only one. Accounts without a membership act in it as its guests.
INSERT INTO auth.projects (slug, name) VALUES ('default', 'Default');

CREATE TABLE auth.members (
	project    smallint NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
	user_id    uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
	role       text NOT NULL CHECK (role IN ('owner', 'analyst', 'viewer')),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project, user_id)
);
CREATE INDEX members_user_id_idx ON auth.members (user_id);
COMMENT ON TABLE auth.members IS 'Who takes part in a project. Admins of the installation need no membership.';
COMMENT ON COLUMN auth.members.project IS 'The project.';
COMMENT ON COLUMN auth.members.user_id IS 'The account.';
COMMENT ON COLUMN auth.members.role IS 'owner: everything in the project. analyst: reads everybody''s numbers. viewer: reads numbers of the whole project and of products, not of users.';
COMMENT ON COLUMN auth.members.created_at IS 'When the account became a member.';

CREATE TABLE auth.invitations (
	id         uuid PRIMARY KEY,
	token_hash bytea NOT NULL CONSTRAINT invitations_token_hash_key UNIQUE,
	role       text NOT NULL CHECK (role IN ('admin', 'user')),
	project    smallint REFERENCES auth.projects ON DELETE CASCADE,
	membership text CHECK (membership IN ('owner', 'analyst', 'viewer')),
	created_by uuid REFERENCES auth.users ON DELETE CASCADE,
	expires_at timestamptz NOT NULL,
	used_at    timestamptz,
	used_by    uuid REFERENCES auth.users ON DELETE SET NULL,
	revoked_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CHECK ((project IS NULL) = (membership IS NULL))
);
CREATE INDEX invitations_project_idx ON auth.invitations (project);
CREATE INDEX invitations_created_by_idx ON auth.invitations (created_by);
CREATE INDEX invitations_used_by_idx ON auth.invitations (used_by);
COMMENT ON TABLE auth.invitations IS 'Invitations. With each, one account can be registered, or one account that exists can join a project.';
COMMENT ON COLUMN auth.invitations.id IS 'UUIDv7.';
COMMENT ON COLUMN auth.invitations.token_hash IS 'SHA-256 of the token, which has 256 random bits and is not stored.';
COMMENT ON COLUMN auth.invitations.role IS 'The role of the account that is registered with it.';
COMMENT ON COLUMN auth.invitations.project IS 'The project that whoever uses it becomes a member of; null for none.';
COMMENT ON COLUMN auth.invitations.membership IS 'The role in that project.';
COMMENT ON COLUMN auth.invitations.created_by IS 'The account that made it. It is void unless that is enabled and an admin, or an owner of the project. Null if a command made it.';
COMMENT ON COLUMN auth.invitations.expires_at IS 'Until when it can be used.';
COMMENT ON COLUMN auth.invitations.used_at IS 'When it was used.';
COMMENT ON COLUMN auth.invitations.used_by IS 'The account that was registered with it, or joined with it.';
COMMENT ON COLUMN auth.invitations.revoked_at IS 'When it was revoked.';
COMMENT ON COLUMN auth.invitations.created_at IS 'When it was made.';

CREATE TABLE auth.api_keys (
	id         uuid PRIMARY KEY,
	name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	project    smallint NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
	key_hash   bytea NOT NULL CONSTRAINT api_keys_key_hash_key UNIQUE,
	prefix     text NOT NULL,
	scopes     text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'read', 'admin']),
	unknown_products text NOT NULL DEFAULT 'refuse' CHECK (unknown_products IN ('refuse', 'create')),
	kind       text NOT NULL DEFAULT 'secret' CHECK (kind IN ('secret', 'public', 'shopify', 'stripe')),
	signing_secret text NOT NULL DEFAULT '' CHECK (length(signing_secret) <= 200),
	origins    text[] NOT NULL DEFAULT '{}',
	default_sku text CHECK (octet_length(default_sku) BETWEEN 1 AND 200),
	events_per_minute integer CHECK (events_per_minute BETWEEN 1 AND 600000),
	drop_bots  boolean NOT NULL DEFAULT false,
	delegate   boolean NOT NULL DEFAULT false CHECK (NOT delegate OR 'admin' = ANY (scopes)),
	owner      uuid,
	parent     uuid REFERENCES auth.api_keys ON DELETE CASCADE,
	expires_at timestamptz,
	last_used_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	revoked_at timestamptz,
	CHECK (CASE kind
		WHEN 'public' THEN scopes = ARRAY['ingest'] AND NOT delegate AND cardinality(origins) BETWEEN 1 AND 50
		ELSE origins = '{}' AND default_sku IS NULL AND events_per_minute IS NULL AND NOT drop_bots
	END),
	CHECK (CASE WHEN kind IN ('shopify', 'stripe') THEN scopes = ARRAY['ingest'] AND NOT delegate ELSE signing_secret = '' END)
);
CREATE INDEX api_keys_project_idx ON auth.api_keys (project);
CREATE INDEX api_keys_parent_idx ON auth.api_keys (parent);
CREATE INDEX api_keys_owner_idx ON auth.api_keys (owner);
COMMENT ON TABLE auth.api_keys IS 'API keys of machines. A key is shown once, when it is created.';
COMMENT ON COLUMN auth.api_keys.id IS 'UUIDv7.';
COMMENT ON COLUMN auth.api_keys.name IS 'Purpose of the key, as its owner describes it.';
COMMENT ON COLUMN auth.api_keys.project IS 'The project that the key acts in.';
COMMENT ON COLUMN auth.api_keys.key_hash IS 'SHA-256 of the key, which has 256 random bits and is not stored.';
COMMENT ON COLUMN auth.api_keys.prefix IS 'The first characters of the key, to recognise it in a list.';
COMMENT ON COLUMN auth.api_keys.scopes IS 'ingest: send events. read: read numbers. admin: both, and products and keys.';
COMMENT ON COLUMN auth.api_keys.unknown_products IS 'What becomes of an item with an unknown SKU: refuse it, or create a placeholder product.';
COMMENT ON COLUMN auth.api_keys.kind IS 'secret: for servers. public: may stand in a web page; it sends what visitors do and can do nothing else. shopify, stripe: the last part of the address of webhooks of that service, and nothing else.';
COMMENT ON COLUMN auth.api_keys.signing_secret IS 'Of the kinds shopify and stripe: the secret with which that service signs its webhooks; empty until it is set. Only the roles of auth and ingest may read it.';
COMMENT ON COLUMN auth.api_keys.origins IS 'Of a public key: the origins whose pages may send with it, such as https://shop.example; * is any. Programs can claim any origin.';
COMMENT ON COLUMN auth.api_keys.default_sku IS 'Of a public key: the product of events that name none. Null for none.';
COMMENT ON COLUMN auth.api_keys.events_per_minute IS 'Of a public key: how many events may be sent with it. Null for the setting of the installation.';
COMMENT ON COLUMN auth.api_keys.drop_bots IS 'Of a public key: whether what crawlers and automated browsers send is dropped.';
COMMENT ON COLUMN auth.api_keys.delegate IS 'Whether the key may make keys with the scope admin.';
COMMENT ON COLUMN auth.api_keys.owner IS 'The account that the key acts for: the user who created it, or the owner of the key that created it. Null if there is none; then the key owns its data itself.';
COMMENT ON COLUMN auth.api_keys.parent IS 'The key that made this key. Null if the owner made it. A key is revoked together with its parent, and has the same owner.';
COMMENT ON COLUMN auth.api_keys.expires_at IS 'When the key stops working, at the latest when its parent does. Null if it does not expire.';
COMMENT ON COLUMN auth.api_keys.last_used_at IS 'When the key was used, to the minute: a use within a minute of this time is not recorded. Written by the services that verify keys.';
COMMENT ON COLUMN auth.api_keys.created_at IS 'When the key was created.';
COMMENT ON COLUMN auth.api_keys.revoked_at IS 'When the key was revoked. Services refuse it at most 5 s later.';

CREATE TABLE auth.share_links (
	id            uuid PRIMARY KEY,
	project       smallint NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
	name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	report        jsonb NOT NULL CHECK (jsonb_typeof(report) = 'object'),
	secret_hash   bytea NOT NULL CONSTRAINT share_links_secret_hash_key UNIQUE,
	key_hash      bytea NOT NULL CONSTRAINT share_links_key_hash_key UNIQUE,
	password_hash text NOT NULL DEFAULT '',
	owner         uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
	expires_at    timestamptz NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT now(),
	revoked_at    timestamptz
);
CREATE INDEX share_links_project_idx ON auth.share_links (project, created_at);
CREATE INDEX share_links_owner_idx ON auth.share_links (owner);
COMMENT ON TABLE auth.share_links IS 'Share links. Whoever has the address of one reads one report without an account. They are stored and not only signed, so that they can be revoked and listed.';
COMMENT ON COLUMN auth.share_links.id IS 'UUIDv7.';
COMMENT ON COLUMN auth.share_links.project IS 'The project whose report it shows.';
COMMENT ON COLUMN auth.share_links.name IS 'What it is for, as its maker describes it. Readers see it as the title.';
COMMENT ON COLUMN auth.share_links.report IS 'The report with all its filters, as the schema PinnedReport in openapi.yaml. It never changes.';
COMMENT ON COLUMN auth.share_links.secret_hash IS 'SHA-256 of the secret in the address, which has 256 random bits and is not stored.';
COMMENT ON COLUMN auth.share_links.key_hash IS 'SHA-256 of the key that reads the report: an HMAC of password_hash by the secret.';
COMMENT ON COLUMN auth.share_links.password_hash IS 'Argon2id of the password, in PHC string format; empty for a link without a password.';
COMMENT ON COLUMN auth.share_links.owner IS 'The account that made it. The link works while that is an admin, or an owner or analyst of the project.';
COMMENT ON COLUMN auth.share_links.expires_at IS 'When it stops working. The row is pruned 30 days later.';
COMMENT ON COLUMN auth.share_links.created_at IS 'When it was made.';
COMMENT ON COLUMN auth.share_links.revoked_at IS 'When it was revoked. Services refuse it at most 5 s later, and the row is pruned after 30 days.';

CREATE TABLE auth.signing_keys (
	kid         text PRIMARY KEY,
	private_key bytea NOT NULL CHECK (length(private_key) = 32),
	created_at  timestamptz NOT NULL DEFAULT now(),
	retired_at  timestamptz
);
COMMENT ON TABLE auth.signing_keys IS 'Keys that sign access tokens. Only the role of the auth service may read them.';
COMMENT ON COLUMN auth.signing_keys.kid IS 'Key id, as in the header of the tokens and in the JWKS.';
COMMENT ON COLUMN auth.signing_keys.private_key IS 'Ed25519 seed, 32 bytes (RFC 8032).';
COMMENT ON COLUMN auth.signing_keys.created_at IS 'When the key was created.';
COMMENT ON COLUMN auth.signing_keys.retired_at IS 'When the key stopped signing. It is published until the last token that it signed has expired.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth TO hp_auth;
GRANT SELECT (id, role, disabled_at) ON auth.users TO hp_catalog, hp_ingest, hp_analytics;
GRANT SELECT (id, owner, project, key_hash, scopes, unknown_products, kind, origins, default_sku, events_per_minute, drop_bots, expires_at, last_used_at, revoked_at),
	UPDATE (last_used_at) ON auth.api_keys
	TO hp_catalog, hp_ingest, hp_analytics;
GRANT SELECT (signing_secret) ON auth.api_keys TO hp_ingest;
GRANT SELECT (id, project, report, key_hash, owner, expires_at, revoked_at) ON auth.share_links TO hp_analytics;
GRANT SELECT ON auth.projects TO hp_catalog, hp_ingest, hp_analytics, hp_aggregator;
GRANT SELECT ON auth.members TO hp_catalog, hp_ingest, hp_analytics;

CREATE SCHEMA workspace;
COMMENT ON SCHEMA workspace IS 'What the members of a project keep in it for each other. Owned by the auth service, which checks their rights.';
GRANT USAGE ON SCHEMA workspace TO hp_auth;

CREATE TABLE workspace.annotations (
	id         uuid PRIMARY KEY,
	project    smallint NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
	day        date,
	at         timestamptz,
	text       text NOT NULL CHECK (length(text) BETWEEN 1 AND 200),
	author     uuid REFERENCES auth.users ON DELETE SET NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CHECK ((day IS NULL) <> (at IS NULL))
);
CREATE INDEX annotations_project_idx ON workspace.annotations (project);
CREATE INDEX annotations_author_idx ON workspace.annotations (author);
COMMENT ON TABLE workspace.annotations IS 'What happened on a day or at an instant, such as a campaign or a release. Charts show it beside the numbers.';
COMMENT ON COLUMN workspace.annotations.id IS 'UUIDv7.';
COMMENT ON COLUMN workspace.annotations.project IS 'The project whose charts show it.';
COMMENT ON COLUMN workspace.annotations.day IS 'The day of the calendar, which stays the same when the time zone of the project changes. Null for an instant.';
COMMENT ON COLUMN workspace.annotations.at IS 'The instant. Its day is that of the time zone that the project has when it is read. Null for a day.';
COMMENT ON COLUMN workspace.annotations.text IS 'What happened. All members of the project read it.';
COMMENT ON COLUMN workspace.annotations.author IS 'The account that wrote it, or that owns the API key that did. Null for a key without an account, and for an account that is deleted.';
COMMENT ON COLUMN workspace.annotations.created_at IS 'When it was written.';
COMMENT ON COLUMN workspace.annotations.updated_at IS 'When it was last changed.';

CREATE TABLE workspace.views (
	id         uuid PRIMARY KEY,
	project    smallint NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
	name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	address    text NOT NULL CHECK (length(address) BETWEEN 1 AND 2000 AND address ~ '^/(app(/|[?]|$)|[?]|$)'),
	shared     boolean NOT NULL,
	owner      uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT views_name_key UNIQUE (project, owner, name)
);
CREATE INDEX views_owner_idx ON workspace.views (owner);
COMMENT ON TABLE workspace.views IS 'Saved views: states of pages of the dashboard that have a name.';
COMMENT ON COLUMN workspace.views.id IS 'UUIDv7.';
COMMENT ON COLUMN workspace.views.project IS 'The project whose numbers it shows.';
COMMENT ON COLUMN workspace.views.name IS 'What its owner calls it.';
COMMENT ON COLUMN workspace.views.address IS 'The path and query of the page, below the address of the dashboard. What it names may be gone by now; the page then says so.';
COMMENT ON COLUMN workspace.views.shared IS 'Whether all members of the project see it, or only its owner.';
COMMENT ON COLUMN workspace.views.owner IS 'The account that saved it. It is deleted with the account.';
COMMENT ON COLUMN workspace.views.created_at IS 'When it was saved.';
COMMENT ON COLUMN workspace.views.updated_at IS 'When it was last changed.';

CREATE TABLE workspace.digests (
	id           uuid PRIMARY KEY,
	project      smallint NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
	name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	every        text NOT NULL CHECK (every IN ('day', 'week')),
	hour         smallint NOT NULL CHECK (hour BETWEEN 1 AND 23),
	recipients   text[] NOT NULL CHECK (cardinality(recipients) <= 20),
	url          text NOT NULL CHECK (length(url) <= 2000),
	secret       text NOT NULL CHECK (length(secret) <= 100),
	enabled      boolean NOT NULL,
	scheduled_at timestamptz NOT NULL DEFAULT now(),
	created_at   timestamptz NOT NULL DEFAULT now(),
	updated_at   timestamptz NOT NULL DEFAULT now(),
	CHECK ((url = '') = (cardinality(recipients) > 0) AND (url = '') = (secret = ''))
);
CREATE INDEX digests_project_idx ON workspace.digests (project);
COMMENT ON TABLE workspace.digests IS 'Digests: the numbers of a project are sent each day or week, by e-mail or to a webhook.';
COMMENT ON COLUMN workspace.digests.id IS 'UUIDv7.';
COMMENT ON COLUMN workspace.digests.project IS 'The project whose numbers are sent. A digest belongs to the project, and not to who made it.';
COMMENT ON COLUMN workspace.digests.name IS 'What its members call it.';
COMMENT ON COLUMN workspace.digests.every IS 'day: the day before. week: the seven days before the day on which weeks of the project begin.';
COMMENT ON COLUMN workspace.digests.hour IS 'When it is sent on the day after, by the clocks of the project: 1 is one hour after the end of the period or later.';
COMMENT ON COLUMN workspace.digests.recipients IS 'E-mail addresses; empty for a webhook.';
COMMENT ON COLUMN workspace.digests.url IS 'The address of the webhook; empty for e-mail.';
COMMENT ON COLUMN workspace.digests.secret IS 'The secret that signs requests to the webhook, as Standard Webhooks writes it. Only the roles of auth and aggregator may read it.';
COMMENT ON COLUMN workspace.digests.enabled IS 'Whether it is sent.';
COMMENT ON COLUMN workspace.digests.scheduled_at IS 'When it got its schedule, or was enabled. What was due earlier is not sent.';
COMMENT ON COLUMN workspace.digests.created_at IS 'When it was made.';
COMMENT ON COLUMN workspace.digests.updated_at IS 'When it was last changed.';

CREATE TABLE workspace.alerts (
	id              uuid PRIMARY KEY,
	project         smallint NOT NULL REFERENCES auth.projects ON DELETE CASCADE,
	name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	metric          text NOT NULL CHECK (metric IN ('events', 'users', 'orders', 'units', 'revenue', 'conversion')),
	currency        text NOT NULL CHECK ((currency <> '') = (metric = 'revenue') AND length(currency) <= 3),
	event           text NOT NULL CHECK (length(event) <= 200),
	product         uuid,
	every           text NOT NULL CHECK (every IN ('day', 'week')),
	hour            smallint NOT NULL CHECK (hour BETWEEN 1 AND 23),
	condition       text NOT NULL CHECK (condition IN ('above', 'below', 'change', 'anomaly')),
	threshold       double precision CHECK ((threshold IS NOT NULL) = (condition IN ('above', 'below'))),
	percent         double precision CHECK ((percent IS NOT NULL) = (condition = 'change')),
	sensitivity     double precision CHECK ((sensitivity IS NOT NULL) = (condition = 'anomaly')),
	direction       text NOT NULL CHECK (direction IN ('', 'up', 'down', 'both') AND (direction <> '') = (condition IN ('change', 'anomaly'))),
	baseline        text NOT NULL CHECK (baseline IN ('', 'previous', 'same_weekday', 'last_28_days') AND (baseline <> '') = (condition IN ('change', 'anomaly'))),
	notify_recovery boolean NOT NULL,
	recipients      text[] NOT NULL CHECK (cardinality(recipients) <= 20),
	url             text NOT NULL CHECK (length(url) <= 2000),
	secret          text NOT NULL CHECK (length(secret) <= 100),
	enabled         boolean NOT NULL,
	scheduled_at    timestamptz NOT NULL DEFAULT now(),
	created_at      timestamptz NOT NULL DEFAULT now(),
	updated_at      timestamptz NOT NULL DEFAULT now(),
	CHECK (event = '' OR product IS NULL),
	CHECK ((url = '') = (cardinality(recipients) > 0) AND (url = '') = (secret = ''))
);
CREATE INDEX alerts_project_idx ON workspace.alerts (project);
COMMENT ON TABLE workspace.alerts IS 'Alerts: a metric of the project is looked at once for each day or week, and members are told when a condition holds.';
COMMENT ON COLUMN workspace.alerts.id IS 'UUIDv7.';
COMMENT ON COLUMN workspace.alerts.project IS 'The project that is watched. An alert belongs to the project, and not to who made it.';
COMMENT ON COLUMN workspace.alerts.name IS 'What its members call it.';
COMMENT ON COLUMN workspace.alerts.metric IS 'What is looked at. Conversion is orders per view.';
COMMENT ON COLUMN workspace.alerts.currency IS 'ISO 4217 code of the revenue; empty for other metrics.';
COMMENT ON COLUMN workspace.alerts.event IS 'The only name of events that counts; empty for all.';
COMMENT ON COLUMN workspace.alerts.product IS 'The only product that counts (catalog.products.id); null for all. It may be gone.';
COMMENT ON COLUMN workspace.alerts.every IS 'The period: a day, or a week of the project.';
COMMENT ON COLUMN workspace.alerts.hour IS 'From when a period is looked at on the day after it, by the clocks of the project.';
COMMENT ON COLUMN workspace.alerts.condition IS 'When it fires: the value is above or below a threshold, it changes by some percent, or it is unusual (anomaly).';
COMMENT ON COLUMN workspace.alerts.threshold IS 'The value of above and below; revenue is in minor units.';
COMMENT ON COLUMN workspace.alerts.percent IS 'By how many percent a value must change.';
COMMENT ON COLUMN workspace.alerts.sensitivity IS 'The modified z-score beyond which a value is unusual.';
COMMENT ON COLUMN workspace.alerts.direction IS 'Whether it fires for greater values, smaller ones, or both; empty where a threshold says it.';
COMMENT ON COLUMN workspace.alerts.baseline IS 'What values are compared with; empty for a threshold.';
COMMENT ON COLUMN workspace.alerts.notify_recovery IS 'Whether members are told of the first period in which the condition holds no more.';
COMMENT ON COLUMN workspace.alerts.recipients IS 'E-mail addresses; empty for a webhook.';
COMMENT ON COLUMN workspace.alerts.url IS 'The address of the webhook; empty for e-mail.';
COMMENT ON COLUMN workspace.alerts.secret IS 'The secret that signs requests to the webhook, as Standard Webhooks writes it. Only the roles of auth and aggregator may read it.';
COMMENT ON COLUMN workspace.alerts.enabled IS 'Whether it is evaluated.';
COMMENT ON COLUMN workspace.alerts.scheduled_at IS 'When it got its condition, or was enabled. Periods that were due earlier are not evaluated.';
COMMENT ON COLUMN workspace.alerts.created_at IS 'When it was made.';
COMMENT ON COLUMN workspace.alerts.updated_at IS 'When it was last changed.';

CREATE TABLE workspace.evaluations (
	id         uuid PRIMARY KEY,
	alert      uuid NOT NULL REFERENCES workspace.alerts ON DELETE CASCADE,
	first_day  date NOT NULL,
	last_day   date NOT NULL,
	due_at     timestamptz NOT NULL,
	state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'evaluated', 'skipped')),
	reason     text NOT NULL DEFAULT '' CHECK (length(reason) <= 300),
	value      double precision,
	low        double precision,
	high       double precision,
	score      double precision,
	fired      boolean NOT NULL DEFAULT false,
	recovered  boolean NOT NULL DEFAULT false,
	as_of      timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT evaluations_period_key UNIQUE (alert, last_day, first_day)
);
CREATE INDEX evaluations_waiting_idx ON workspace.evaluations (alert) WHERE state = 'waiting';
CREATE INDEX evaluations_created_at_idx ON workspace.evaluations (created_at);
COMMENT ON TABLE workspace.evaluations IS 'What alerts found of periods. Each period is evaluated once, in the transaction that adds its notification.';
COMMENT ON COLUMN workspace.evaluations.id IS 'UUIDv7.';
COMMENT ON COLUMN workspace.evaluations.alert IS 'The alert.';
COMMENT ON COLUMN workspace.evaluations.first_day IS 'The first day of the period.';
COMMENT ON COLUMN workspace.evaluations.last_day IS 'The last day of the period.';
COMMENT ON COLUMN workspace.evaluations.due_at IS 'From when on it could be evaluated.';
COMMENT ON COLUMN workspace.evaluations.state IS 'waiting: not everything is counted that was received before the end of the period. evaluated, skipped: nothing more is done.';
COMMENT ON COLUMN workspace.evaluations.reason IS 'Why it waits or was skipped, for the members; empty if it was evaluated.';
COMMENT ON COLUMN workspace.evaluations.value IS 'The value of the metric; null if it has none.';
COMMENT ON COLUMN workspace.evaluations.low IS 'The least value with which the alert does not fire; null for none.';
COMMENT ON COLUMN workspace.evaluations.high IS 'The greatest value with which the alert does not fire; null for none.';
COMMENT ON COLUMN workspace.evaluations.score IS 'The change in percent, or the modified z-score; null if there is none.';
COMMENT ON COLUMN workspace.evaluations.fired IS 'Whether the condition held.';
COMMENT ON COLUMN workspace.evaluations.recovered IS 'Whether the condition held in the evaluation before, and no more in this one.';
COMMENT ON COLUMN workspace.evaluations.as_of IS 'When the numbers were read. What is received later does not change the row.';
COMMENT ON COLUMN workspace.evaluations.created_at IS 'When it was planned. The row is pruned two years later.';

CREATE TABLE workspace.deliveries (
	id         uuid PRIMARY KEY,
	digest     uuid REFERENCES workspace.digests ON DELETE CASCADE,
	alert      uuid REFERENCES workspace.alerts ON DELETE CASCADE,
	test       boolean NOT NULL,
	first_day  date NOT NULL,
	last_day   date NOT NULL,
	due_at     timestamptz NOT NULL DEFAULT now(),
	state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
	attempts   smallint NOT NULL DEFAULT 0,
	next_at    timestamptz NOT NULL DEFAULT now(),
	claimed_at timestamptz,
	failure    text NOT NULL DEFAULT '',
	complete   boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	done_at    timestamptz,
	CHECK (num_nonnulls(digest, alert) = 1)
);
CREATE UNIQUE INDEX deliveries_period_key ON workspace.deliveries (digest, first_day, last_day) WHERE NOT test;
CREATE UNIQUE INDEX deliveries_alert_period_key ON workspace.deliveries (alert, last_day, first_day) WHERE NOT test;
CREATE INDEX deliveries_digest_idx ON workspace.deliveries (digest, created_at);
CREATE INDEX deliveries_alert_idx ON workspace.deliveries (alert, created_at);
CREATE INDEX deliveries_next_at_idx ON workspace.deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX deliveries_claimed_at_idx ON workspace.deliveries (claimed_at) WHERE state = 'sending';
CREATE INDEX deliveries_created_at_idx ON workspace.deliveries (created_at);
COMMENT ON TABLE workspace.deliveries IS 'Digests of periods and notifications of alerts. Each is claimed before it is sent, so no two processes send it at the same time.';
COMMENT ON COLUMN workspace.deliveries.id IS 'UUIDv7. Receivers see it as the Webhook-Id or in the Message-ID.';
COMMENT ON COLUMN workspace.deliveries.digest IS 'The digest; null for an alert.';
COMMENT ON COLUMN workspace.deliveries.alert IS 'The alert; null for a digest. What is sent is in the evaluation of the period, except for a test.';
COMMENT ON COLUMN workspace.deliveries.test IS 'Whether a member asked for it, to see if it arrives. Otherwise a period has one delivery.';
COMMENT ON COLUMN workspace.deliveries.first_day IS 'The first day of the period.';
COMMENT ON COLUMN workspace.deliveries.last_day IS 'The last day of the period.';
COMMENT ON COLUMN workspace.deliveries.due_at IS 'When it should have been sent. What is sent much later says so.';
COMMENT ON COLUMN workspace.deliveries.state IS 'waiting: it is sent at next_at. sending: a process has claimed it. sent, failed: nothing more is done.';
COMMENT ON COLUMN workspace.deliveries.attempts IS 'How often it was claimed.';
COMMENT ON COLUMN workspace.deliveries.next_at IS 'When it is sent, while it waits.';
COMMENT ON COLUMN workspace.deliveries.claimed_at IS 'When it was last claimed. A claim of more than some minutes ago is that of a process that died: a digest ends as failed, an alert is sent again.';
COMMENT ON COLUMN workspace.deliveries.failure IS 'Why the last attempt failed, for the members; empty if it did not.';
COMMENT ON COLUMN workspace.deliveries.complete IS 'Whether the numbers that were sent had everything that was received before the end of the period.';
COMMENT ON COLUMN workspace.deliveries.created_at IS 'When it was planned. The row is pruned 90 days later.';
COMMENT ON COLUMN workspace.deliveries.done_at IS 'When it was sent, or failed for good.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA workspace TO hp_auth;
GRANT USAGE ON SCHEMA workspace TO hp_aggregator;
GRANT SELECT ON workspace.digests, workspace.alerts TO hp_aggregator;
GRANT SELECT, INSERT, UPDATE, DELETE ON workspace.deliveries, workspace.evaluations TO hp_aggregator;
-- No digest goes to a member whose account is disabled.
GRANT SELECT (id, email, disabled_at) ON auth.users TO hp_aggregator;
GRANT SELECT (project, user_id) ON auth.members TO hp_aggregator;

CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'The audit log. Services add rows; only the auth service reads them, and nobody changes them.';
GRANT USAGE ON SCHEMA audit TO hp_auth, hp_catalog, hp_ingest, hp_aggregator;

CREATE TABLE audit.log (
	id         uuid PRIMARY KEY,
	at         timestamptz NOT NULL DEFAULT now(),
	actor_kind text NOT NULL CHECK (actor_kind IN ('user', 'key', 'command', 'service')),
	actor      text NOT NULL CHECK (octet_length(actor) BETWEEN 1 AND 200),
	project    smallint,
	action     text COLLATE "C" NOT NULL CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$' AND length(action) <= 64),
	subject    text NOT NULL DEFAULT '' CHECK (octet_length(subject) <= 300),
	details    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object' AND octet_length(details::text) <= 8192),
	request_id text CHECK (length(request_id) BETWEEN 1 AND 64),
	address    inet
);
CREATE INDEX log_at_idx ON audit.log (at, id);
CREATE INDEX log_project_at_idx ON audit.log (project, at, id);
COMMENT ON TABLE audit.log IS 'Who has done what to accounts, keys, projects and the installation. A row is written in the transaction of its action, so neither is there without the other.';
COMMENT ON COLUMN audit.log.id IS 'UUIDv7.';
COMMENT ON COLUMN audit.log.at IS 'When the transaction of the action began, by the clock of the database.';
COMMENT ON COLUMN audit.log.actor_kind IS 'user: an account. key: an API key. command: who ran hp-analytics beside the database. service: a job without a caller.';
COMMENT ON COLUMN audit.log.actor IS 'The id of the account or key, the user of the operating system, or the name of the service.';
COMMENT ON COLUMN audit.log.project IS 'The project in which it was done. Null for the whole installation.';
COMMENT ON COLUMN audit.log.action IS 'What was done, as x-audit in openapi.yaml names it, such as key.created. Names do not change.';
COMMENT ON COLUMN audit.log.subject IS 'What it was done to: a kind and an id, such as account:0195a3f2-….';
COMMENT ON COLUMN audit.log.details IS 'What changed. It has no passwords, hashes, keys or tokens.';
COMMENT ON COLUMN audit.log.request_id IS 'The X-Request-Id of the request, as in the access log: the text of the client if it sent a valid one, so it proves nothing. Null for a command.';
COMMENT ON COLUMN audit.log.address IS 'The address of the client behind the trusted proxies. Null for a command.';
-- No role may choose the time of a row, change a row or delete one.
GRANT INSERT (id, actor_kind, actor, project, action, subject, details, request_id, address) ON audit.log TO hp_auth, hp_catalog, hp_ingest, hp_aggregator;
GRANT SELECT ON audit.log TO hp_auth;

-- Deletes what is older than the retention of the log.
CREATE FUNCTION audit.prune(keep interval) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	deleted bigint;
BEGIN
	IF keep IS NULL OR keep < interval '30 days' THEN
		RAISE EXCEPTION 'audit.prune: rows are kept for 30 days at least, not %', keep
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	DELETE FROM audit.log WHERE at < now() - keep;
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END
$$;
COMMENT ON FUNCTION audit.prune(interval) IS
	'Deletes the rows of the audit log that are older than an interval of at least 30 days, and returns how many. It is the only way in which a service can delete rows.';
REVOKE ALL ON FUNCTION audit.prune(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.prune(interval) TO hp_auth;
