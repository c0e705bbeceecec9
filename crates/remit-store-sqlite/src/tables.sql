-- The tables. Constraints repeat the laws that the code holds already, and say so to whoever looks at the file with
-- other tools. Text compares byte for byte: no column has a collation but BINARY.
--
-- Times are microseconds since 1970 (UTC), money is micro-USD, digests are 32 bytes. Integers are signed 64-bit: amounts
-- and limits beyond the largest of them are held as that, which is never more.

-- Counters of the store itself. `halts` counts halts ordered and lifted, `grants` grants
-- given and ended; `flushes` counts the times
-- records were made durable for their bound's sake; `erasures` those since the file was last rebuilt.
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('halts', 0), ('flushes', 0), ('erasures', 0), ('grants', 0);

-- The keys that records were signed with.
CREATE TABLE writers (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;

-- The signed records, in the order in which they became durable. Never changed, never deleted; only what
-- stands beside them, `disclosures`, can go.
CREATE TABLE records (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN
    ('decision', 'approval', 'execution', 'run', 'halt', 'policy', 'key', 'grant', 'erasure', 'peer')),
  run TEXT,
  time TEXT NOT NULL,
  writer INTEGER NOT NULL,
  seq INTEGER NOT NULL CHECK (seq >= 0),
  payload BLOB NOT NULL,
  keyid TEXT,
  signature BLOB NOT NULL CHECK (length(signature) = 64),
  disclosures TEXT NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  UNIQUE (writer, seq)
) STRICT;
CREATE INDEX records_of_keys ON records (position) WHERE kind = 'key';
CREATE INDEX records_of_policies ON records (position) WHERE kind = 'policy';
CREATE TRIGGER records_stay BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'a record is never deleted'); END;
CREATE TRIGGER records_stand BEFORE UPDATE ON records
WHEN new.disclosures <> '' OR new.payload <> old.payload OR new.signature <> old.signature OR new.digest <> old.digest
BEGIN SELECT RAISE(ABORT, 'a signed payload never changes'); END;
CREATE INDEX records_by_run ON records (run, position) WHERE run IS NOT NULL;

-- The heads of the logs over the records, one for each log, which has so many records before its first leaf: the
-- tree that was signed last, with its right edge (the roots of its complete subtrees, 32 bytes each) and the
-- signed checkpoint. A log never shrinks and never forks, and one that has ended never goes on.
CREATE TABLE log_head (
  first INTEGER PRIMARY KEY,
  origin TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  peaks BLOB NOT NULL CHECK (length(peaks) % 32 = 0),
  note TEXT NOT NULL
) STRICT;
CREATE TRIGGER log_head_follows BEFORE UPDATE ON log_head
WHEN new.first <> old.first OR new.origin <> old.origin OR new.size < old.size
  OR (new.size = old.size AND new.root <> old.root)
BEGIN SELECT RAISE(ABORT, 'the log never shrinks and never forks'); END;
CREATE TRIGGER log_head_stays BEFORE DELETE ON log_head
BEGIN SELECT RAISE(ABORT, 'the head of the log is never deleted'); END;

-- The logs after the first one. Keys are verifier keys, a line each; `ended_keys` are those of the log before.
CREATE TABLE log_epochs (
  first INTEGER PRIMARY KEY CHECK (first > 0),
  origin TEXT NOT NULL UNIQUE,
  keys TEXT NOT NULL,
  ended_keys TEXT NOT NULL
) STRICT;
CREATE TRIGGER log_head_ends BEFORE UPDATE ON log_head
WHEN old.first < (SELECT max(first) FROM log_epochs)
BEGIN SELECT RAISE(ABORT, 'a log that has ended never goes on'); END;
CREATE TRIGGER log_epochs_stand BEFORE UPDATE ON log_epochs
BEGIN SELECT RAISE(ABORT, 'the row of logs never changes'); END;
CREATE TRIGGER log_epochs_stay BEFORE DELETE ON log_epochs
BEGIN SELECT RAISE(ABORT, 'the row of logs never changes'); END;

-- Admitted calls, each at the position of its decision record. A call is settled once: then it has an
-- outcome, and only then.
CREATE TABLE intents (
  position INTEGER PRIMARY KEY,
  agent TEXT NOT NULL,
  user TEXT,
  call BLOB NOT NULL CHECK (length(call) = 32),
  tool TEXT NOT NULL,
  at INTEGER NOT NULL,
  idempotency TEXT,
  preview_of TEXT,
  carrier TEXT NOT NULL CHECK (carrier IN ('gate', 'service')),
  reservations TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'admitted' CHECK (state IN ('admitted', 'settled')),
  settled_at INTEGER,
  charged INTEGER CHECK (charged IN (0, 1)),
  outcome TEXT CHECK (outcome IN ('result', 'error', 'not_started', 'unknown')),
  code TEXT,
  reason TEXT,
  answer TEXT,
  CHECK ((state = 'settled') = (outcome IS NOT NULL)),
  CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
  CHECK ((state = 'settled') = (charged IS NOT NULL)),
  CHECK (charged IS NULL OR charged = 1 OR outcome = 'not_started')
) STRICT;
CREATE UNIQUE INDEX intents_by_key ON intents (agent, ifnull(user, ''), idempotency) WHERE idempotency IS NOT NULL;
CREATE UNIQUE INDEX intents_by_preview ON intents (preview_of) WHERE preview_of IS NOT NULL;
CREATE INDEX intents_unsettled ON intents (at) WHERE state = 'admitted';

-- Counters with a limit: the one of the last reservation. Limits are never overspent.
CREATE TABLE budgets (
  key TEXT NOT NULL,
  span TEXT NOT NULL,
  ends INTEGER,
  settled INTEGER NOT NULL CHECK (settled >= 0),
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  lim INTEGER NOT NULL CHECK (settled + reserved <= lim),
  PRIMARY KEY (key, span)
) STRICT, WITHOUT ROWID;

-- Objects counted within a span: held by so many unsettled calls, and booked once one was charged.
CREATE TABLE objects (
  key TEXT NOT NULL,
  span TEXT NOT NULL,
  object TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  holders INTEGER NOT NULL CHECK (holders >= 0),
  booked INTEGER NOT NULL CHECK (booked IN (0, 1)),
  CHECK (holders > 0 OR booked),
  PRIMARY KEY (key, span, object)
) STRICT, WITHOUT ROWID;

-- Runs. `version` counts changes of the labels and the closing: a decision rests on one version.
CREATE TABLE runs (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent TEXT NOT NULL,
  user TEXT,
  workflow TEXT,
  environment TEXT,
  release_phase TEXT,
  intent TEXT,
  implicit INTEGER NOT NULL CHECK (implicit IN (0, 1)),
  opened_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  closed_at INTEGER,
  calls INTEGER NOT NULL CHECK (calls >= 0),
  spend INTEGER NOT NULL CHECK (spend >= 0),
  sensitivity TEXT NOT NULL CHECK (sensitivity IN ('public', 'internal', 'confidential', 'restricted')),
  untrusted INTEGER NOT NULL CHECK (untrusted IN (0, 1)),
  marks TEXT NOT NULL,
  version INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_by_age ON runs (opened_at);
CREATE INDEX runs_by_agent ON runs (agent, opened_at);
CREATE INDEX runs_by_user ON runs (user) WHERE user IS NOT NULL;

-- What held calls wait for. An approval is used once, and never after a denial. `denied`: people have closed it,
-- by a denial or by another call in its place, which `narrowed` then says.
CREATE TABLE questions (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  call BLOB NOT NULL CHECK (length(call) = 32),
  action BLOB NOT NULL CHECK (length(action) = 32),
  salt BLOB NOT NULL CHECK (length(salt) = 16),
  voters BLOB NOT NULL CHECK (length(voters) = 16),
  intent TEXT NOT NULL,
  decision BLOB NOT NULL CHECK (length(decision) = 32),
  run TEXT NOT NULL,
  agent TEXT NOT NULL,
  tool TEXT NOT NULL,
  arguments TEXT NOT NULL,
  particulars TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  denied INTEGER NOT NULL DEFAULT 0 CHECK (denied IN (0, 1)),
  used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
  approved INTEGER NOT NULL DEFAULT 0 CHECK (approved IN (0, 1)),
  escalated INTEGER NOT NULL DEFAULT 0,
  step_at INTEGER,
  uses INTEGER NOT NULL DEFAULT 0,
  narrowed TEXT,
  preview TEXT,
  CHECK (NOT (denied AND used))
) STRICT;
CREATE INDEX questions_previewing ON questions (expires_at) WHERE preview = 'awaited';
CREATE INDEX questions_by_run ON questions (run);
CREATE INDEX questions_by_call ON questions (call, expires_at) WHERE NOT used;
CREATE INDEX questions_waiting ON questions (expires_at) WHERE NOT used AND NOT denied AND NOT approved;
CREATE INDEX questions_escalating ON questions (step_at) WHERE step_at IS NOT NULL AND NOT used AND NOT denied AND NOT approved;
CREATE INDEX questions_alike ON questions (tool, agent);
CREATE INDEX questions_by_agent ON questions (agent, expires_at) WHERE NOT used AND NOT denied;

-- Votes. Nobody votes twice on the same rule of the same question.
CREATE TABLE votes (
  position INTEGER PRIMARY KEY,
  question TEXT NOT NULL,
  rule TEXT NOT NULL,
  operator TEXT NOT NULL,
  user TEXT,
  behalf TEXT,
  behalf_user TEXT,
  factor TEXT NOT NULL,
  approve INTEGER NOT NULL CHECK (approve IN (0, 1)),
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  bounds TEXT,
  record BLOB CHECK (length(record) = 32),
  UNIQUE (question, rule, operator)
) STRICT;
CREATE INDEX votes_by_operator ON votes (operator);
CREATE INDEX votes_by_principal ON votes (behalf) WHERE behalf IS NOT NULL;
CREATE INDEX votes_by_age ON votes (at);
CREATE INDEX votes_by_user ON votes (user) WHERE user IS NOT NULL;

-- What is said about questions; without an operator it is the agent's answer.
CREATE TABLE remarks (
  position INTEGER PRIMARY KEY,
  question TEXT NOT NULL,
  operator TEXT,
  text TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX remarks_by_question ON remarks (question);
CREATE INDEX remarks_by_operator ON remarks (operator) WHERE operator IS NOT NULL;

-- The halts in force.
CREATE TABLE halts (
  target TEXT PRIMARY KEY,
  ordered_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What agents asked people for. `question` decides it; `body` is what nothing is looked up by.
CREATE TABLE access_requests (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  question TEXT NOT NULL UNIQUE,
  agent TEXT NOT NULL,
  user TEXT,
  state TEXT NOT NULL CHECK (state IN ('open', 'granted', 'refused', 'lapsed')),
  granted TEXT,
  body TEXT NOT NULL,
  CHECK ((state = 'granted') = (granted IS NOT NULL))
) STRICT;
CREATE INDEX access_requests_open ON access_requests (position) WHERE state = 'open';

-- Grants. One that has ended never comes back, and a request is granted once.
CREATE TABLE grants (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent TEXT NOT NULL,
  user TEXT,
  request TEXT UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('live', 'revoked', 'expired', 'expired_unused')),
  review_due INTEGER NOT NULL CHECK (review_due IN (0, 1)),
  body TEXT NOT NULL
) STRICT;
CREATE INDEX grants_live ON grants (position) WHERE state = 'live';
CREATE INDEX grants_to_review ON grants (position) WHERE review_due;
CREATE TRIGGER grants_stay_ended BEFORE UPDATE ON grants WHEN old.state <> 'live' AND new.state <> old.state
BEGIN SELECT RAISE(ABORT, 'a grant that has ended never comes back'); END;
-- The authority in force, and the record that says so.
CREATE TABLE authority (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  record TEXT NOT NULL
) STRICT;

-- Changes of the authority that wait, or waited, for people. At most one is open, and what ended stays so.
CREATE TABLE changes (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  base BLOB NOT NULL CHECK (length(base) = 32),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  weakens TEXT NOT NULL,
  needed INTEGER NOT NULL CHECK (needed > 0),
  record TEXT NOT NULL,
  proposed BLOB NOT NULL CHECK (length(proposed) = 32),
  proposed_by TEXT,
  at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ended TEXT CHECK (ended IN ('in_force', 'refused', 'superseded'))
) STRICT;
CREATE UNIQUE INDEX changes_open ON changes (ended IS NULL) WHERE ended IS NULL;
CREATE TRIGGER changes_end_once BEFORE UPDATE OF ended ON changes WHEN old.ended IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a change ends once'); END;

-- Votes on changes. Nobody votes twice.
CREATE TABLE change_votes (
  position INTEGER PRIMARY KEY,
  change TEXT NOT NULL,
  operator TEXT NOT NULL,
  factor TEXT NOT NULL,
  approve INTEGER NOT NULL CHECK (approve IN (0, 1)),
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  record BLOB NOT NULL CHECK (length(record) = 32),
  UNIQUE (change, operator)
) STRICT;
CREATE INDEX change_votes_by_operator ON change_votes (operator);

-- Proposed changes of remits. What each says is disclosed by its record.
CREATE TABLE proposals (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent TEXT NOT NULL,
  question TEXT NOT NULL,
  proposed_by TEXT NOT NULL,
  at INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;

-- The holds in place: what must not be deleted.
CREATE TABLE holds (
  target TEXT PRIMARY KEY,
  ordered_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How people sign in. A password and the secret of its codes go together; the secret is sealed.
CREATE TABLE accounts (
  operator TEXT PRIMARY KEY,
  password TEXT,
  totp BLOB,
  step INTEGER NOT NULL DEFAULT 0 CHECK (step >= 0),
  failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
  not_before INTEGER,
  signed_in_at INTEGER,
  CHECK ((password IS NULL) = (totp IS NULL))
) STRICT, WITHOUT ROWID;

-- Their passkeys. A credential is one person's.
CREATE TABLE passkeys (
  id BLOB PRIMARY KEY,
  operator TEXT NOT NULL,
  key TEXT NOT NULL,
  label TEXT NOT NULL,
  sign_count INTEGER NOT NULL CHECK (sign_count >= 0),
  added_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX passkeys_by_operator ON passkeys (operator);

-- Their login with another party: one each at most, and one person's.
CREATE TABLE logins (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  operator TEXT NOT NULL UNIQUE,
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- Invitations that wait, by the SHA-256 of their token: one for each person at most.
CREATE TABLE invitations (
  token BLOB PRIMARY KEY CHECK (length(token) = 32),
  operator TEXT NOT NULL UNIQUE,
  made_by TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sessions, by the SHA-256 of their token: who reads this file signs in as nobody.
CREATE TABLE sessions (
  id BLOB PRIMARY KEY CHECK (length(id) = 32),
  operator TEXT NOT NULL,
  factor TEXT NOT NULL CHECK (factor IN ('password+totp', 'oidc', 'passkey')),
  proved_at INTEGER,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  device TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_operator ON sessions (operator);

-- Challenges that were answered, until nobody would take them anyway.
CREATE TABLE challenges (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may vote in whose place.
CREATE TABLE delegations (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  principal TEXT NOT NULL,
  stand_in TEXT NOT NULL,
  rule TEXT,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  CHECK (since < until),
  CHECK (principal <> stand_in)
) STRICT;

-- Calls that went through and wait for a person to look at them, at the position of their decision record.
CREATE TABLE reviews (
  position INTEGER PRIMARY KEY,
  closed_by TEXT,
  objects INTEGER CHECK (objects IN (0, 1)),
  note TEXT,
  closed_at INTEGER,
  CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
  CHECK ((closed_at IS NULL) = (objects IS NULL)),
  CHECK ((closed_at IS NULL) = (note IS NULL))
) STRICT;
CREATE INDEX reviews_waiting ON reviews (position) WHERE closed_at IS NULL;

-- Who was first shown which question when.
CREATE TABLE sightings (
  question TEXT NOT NULL,
  operator TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (question, operator)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_by_operator ON sightings (operator);

-- Steps of escalations that were told about.
CREATE TABLE escalations (
  question TEXT NOT NULL,
  rule TEXT NOT NULL,
  step INTEGER NOT NULL CHECK (step > 0),
  at INTEGER NOT NULL,
  PRIMARY KEY (question, rule, step)
) STRICT, WITHOUT ROWID;

-- Questions that must be denied, each with what its record commits to.
CREATE TABLE canaries (
  position INTEGER PRIMARY KEY,
  question TEXT NOT NULL UNIQUE,
  at_votes INTEGER NOT NULL CHECK (at_votes >= 0),
  seal TEXT NOT NULL,
  ended TEXT CHECK (ended IN ('approved', 'denied', 'expired'))
) STRICT;
CREATE INDEX canaries_waiting ON canaries (position) WHERE ended IS NULL;

-- What people are told, once for each channel; an empty channel is news that is not routed yet. A row whose
-- id is there already is the same news, and is not added again.
CREATE TABLE deliveries (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  about TEXT NOT NULL,
  event TEXT NOT NULL,
  channel TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  claimed_until INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
  last_error TEXT,
  UNIQUE (about, event, channel),
  CHECK (channel <> '' OR state = 'waiting')
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (max(next_at, ifnull(claimed_until, next_at))) WHERE state = 'waiting';
CREATE INDEX deliveries_over ON deliveries (created_at) WHERE state <> 'waiting';

-- How agents have fared, counted from the first `records` of them. `since`, there and in each count, is where the record
-- of the authority stands under which it happened. An empty class: it happened to the agent, and to no call.
CREATE TABLE counted (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  records INTEGER NOT NULL CHECK (records >= 0),
  since INTEGER NOT NULL CHECK (since BETWEEN 0 AND records)
) STRICT;
INSERT INTO counted VALUES (1, 0, 0);
CREATE TRIGGER counted_once BEFORE UPDATE ON counted WHEN new.records < old.records OR new.since < old.since
BEGIN SELECT RAISE(ABORT, 'no record is counted twice'); END;
CREATE TABLE standings (
  agent TEXT NOT NULL,
  since INTEGER NOT NULL,
  class TEXT NOT NULL CHECK (class IN ('', 'read', 'write', 'trigger', 'approve', 'expose')),
  what TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0),
  PRIMARY KEY (agent, since, class, what)
) STRICT, WITHOUT ROWID;

-- Checkpoints with a third party's token over them (RFC 3161). A token proves itself, so it has no record.
CREATE TABLE stamps (
  origin TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size > 0),
  note TEXT NOT NULL,
  token BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (origin, size)
) STRICT;
