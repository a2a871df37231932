//! Every limit of the engine, with its arithmetic. docs/surface/limits.txt is generated from here.

/// LIMIT: a name (permission, role, workspace, attribute, tenant), bytes. Fits two cache lines.
pub const NAME_BYTES_MAX: usize = 128;
/// LIMIT: a pattern of permission names, bytes: a name and its `*`.
pub const PATTERN_BYTES_MAX: usize = 129;
/// LIMIT: a scope as it is written, bytes: the name of a permission, and as much again for its filters.
pub const SCOPE_BYTES_MAX: usize = 256;
/// LIMIT: parts of the path of a scope: namespace, service, resource and some below.
pub const SCOPE_SEGMENTS_MAX: usize = 8;
/// LIMIT: filters of one scope. A check compares all of those of a key's scopes: 64 × 8.
pub const SCOPE_FILTERS_MAX: usize = 8;
/// LIMIT: an identifier, bytes. RFC 5321 section 4.5.3.1.3: a path of 256 with its brackets.
pub const IDENTIFIER_BYTES_MAX: usize = 254;
/// LIMIT: a password, bytes. NIST SP 800-63B-4 asks for at least 64 characters; four-byte ones fit 16 times over.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// LIMIT: lifetime of a one-time secret that sets a password, s: a week, for a letter to arrive.
pub const SET_UP_TTL_S_MAX: u32 = 7 * 86_400;
/// LIMIT: identifiers of a tenant whose failed sign-ins are counted: 16,384 × some 200 B are 3 MiB.
pub const FAILURES_MAX: usize = 16_384;
/// LIMIT: identifiers of one subject.
pub const IDENTIFIERS_PER_SUBJECT_MAX: usize = 16;
/// LIMIT: patterns of one role or key. 64 × 129 B stays under a tenth of a frame.
pub const PATTERNS_MAX: usize = 64;
/// LIMIT: networks that a key is bound to: 32 × 17 B are half a KiB.
pub const NETWORKS_MAX: usize = 32;
/// LIMIT: origins that a tenant lists: 16 × 267 B stay under a page of 8 KiB.
pub const ORIGINS_MAX: usize = 16;
/// LIMIT: an origin, bytes: `https://`, a host of 253 (RFC 1035 section 3.1) and a port.
pub const ORIGIN_BYTES_MAX: usize = 267;
/// LIMIT: failed sign-ins without an application's credential that one source has at once, over all tenants of a
/// node: an office behind one address. What was right is given back.
pub const PUBLIC_FAILURES_MAX: u32 = 60;
/// LIMIT: how long it takes until a source has one more of these, ms.
pub const PUBLIC_FAILURE_EVERY_MS: u64 = 3_000;
/// LIMIT: sleeping tenants that one source may wake without a credential at once, and how long until one more, ms.
pub const PUBLIC_WAKES_PER_SOURCE_MAX: u32 = 8;
/// LIMIT: how long it takes until a source may wake one more, ms.
pub const PUBLIC_WAKE_PER_SOURCE_EVERY_MS: u64 = 15_000;
/// LIMIT: sleeping tenants that all strangers together may wake at once: a load of one takes some milliseconds.
pub const PUBLIC_WAKES_MAX: u32 = 64;
/// LIMIT: how long it takes until they may wake one more, ms: four a second are a small share of a core.
pub const PUBLIC_WAKE_EVERY_MS: u64 = 250;
/// LIMIT: registrations of one source at once: a family behind one address.
pub const REGISTRATIONS_PER_SOURCE_MAX: u32 = 10;
/// LIMIT: how long it takes until a source may register one more, ms.
pub const REGISTRATION_PER_SOURCE_EVERY_MS: u64 = 60_000;
/// LIMIT: registrations of one tenant at once.
pub const REGISTRATIONS_MAX: u32 = 100;
/// LIMIT: how long it takes until a tenant takes one more, ms: 17,280 a day.
pub const REGISTRATION_EVERY_MS: u64 = 5_000;
/// LIMIT: lifetime of a key, s: ten years. Never for ever.
pub const KEY_TTL_S_MAX: u32 = 10 * 366 * 86_400;
/// LIMIT: how long a key lives on beside its successor, s: a week.
pub const KEY_OVERLAP_S_MAX: u32 = 7 * 86_400;
/// LIMIT: the engine's own permissions, ids 1 to this in every tenant. At most 30: what a session that was
/// opened without a proof may do of them is one bit each of its restriction's number.
pub const ENGINE_PERMISSIONS_MAX: u32 = 22;
/// LIMIT: tenants that one cell gives away, or takes, at once: each is read, or written, whole.
pub const MOVES_MAX: usize = 4;
/// LIMIT: chunks of a tenant that moves which wait to be written: 16 x 120 KiB are 2 MiB.
pub const MOVE_CHUNKS_MAX: usize = 16;
/// LIMIT: cells of a fleet: each looks at all others once a minute, and one page tells a client of all.
pub const FLEET_CELLS_MAX: usize = 1_000;
/// LIMIT: the name of a cell, bytes.
pub const CELL_NAME_BYTES_MAX: usize = 32;
/// LIMIT: an address of a cell, bytes: a host of 253 (RFC 1035 section 3.1), brackets, scheme and port. It fits the
/// sentence of an Error reply.
pub const CELL_ADDRESS_BYTES_MAX: usize = 253;
/// LIMIT: tenants whose cell is not that of their birth, or was not at some time: 1,048,576 x some 60 B are 60 MiB.
pub const PLACEMENTS_MAX: usize = 1_048_576;
/// LIMIT: permissions of a tenant. 2^13 bits are 1 KiB per grant set.
pub const PERMISSIONS_MAX: u32 = 8_192;
/// LIMIT: services of a tenant: 256 × 96 KiB of texts are 24 MiB.
pub const SERVICES_MAX: u32 = 256;
/// LIMIT: entries of one service: as fields of one command, with all of its bytes, they fit a frame on the wire.
pub const SERVICE_ENTRIES_MAX: usize = 512;
/// LIMIT: bytes of the names, labels and descriptions of one service: with the registration of every name under
/// half of a frame.
pub const SERVICE_BYTES_MAX: usize = 96 * 1024;
/// LIMIT: labels of one entry, one for each language.
pub const LABELS_MAX: usize = 8;
/// LIMIT: a label, bytes: a line on a screen, also in letters of three bytes.
pub const LABEL_BYTES_MAX: usize = 120;
/// LIMIT: an entry's description, bytes.
pub const ENTRY_DESCRIPTION_BYTES_MAX: usize = 512;
/// LIMIT: endpoints of one service: with all of their bytes they fit a frame.
pub const ENDPOINTS_MAX: usize = 512;
/// LIMIT: bytes of the patterns and targets of one service's endpoints: under half of a frame.
pub const ENDPOINT_MAP_BYTES_MAX: usize = 96 * 1024;
/// LIMIT: a pattern of paths, bytes.
pub const ENDPOINT_BYTES_MAX: usize = 256;
/// LIMIT: parts of a path, of a pattern and of what is compared with it.
pub const ENDPOINT_SEGMENTS_MAX: usize = 32;
/// LIMIT: bytes of a target (path and query) that is compared with endpoints; a longer one matches nothing.
pub const URI_BYTES_MAX: usize = 4_096;
/// LIMIT: roles of a tenant, over all time (ids are not used again).
pub const ROLES_MAX: u32 = 65_536;
/// LIMIT: roles that a role has for parents itself.
pub const ROLE_PARENTS_MAX: usize = 16;
/// LIMIT: levels of roles above one another: a change of the lowest is worked out this many times at most.
pub const ROLE_DEPTH_MAX: usize = 8;
/// LIMIT: groups of a tenant, over all time (ids are not used again).
pub const GROUPS_MAX: u32 = 1_048_576;
/// LIMIT: levels of groups in one another.
pub const GROUP_DEPTH_MAX: usize = 16;
/// LIMIT: groups that one group lies in, straight and through others. With those of a subject 16,384 groups
/// are looked at when it joins one.
pub const GROUPS_ABOVE_MAX: usize = 256;
/// LIMIT: groups that one subject is in itself.
pub const GROUPS_PER_SUBJECT_MAX: usize = 64;
/// LIMIT: groups of a tenant whose members follow from a rule. A subject may come to be in all of them.
pub const RULE_GROUPS_MAX: usize = 1_024;
/// LIMIT: conditions of one rule.
pub const RULE_CONDITIONS_MAX: usize = 8;
/// LIMIT: values of one condition.
pub const CONDITION_VALUES_MAX: usize = 32;
/// LIMIT: a condition, bytes. With what stood before, a rule of 8 takes 16 KiB of a frame.
pub const CONDITION_BYTES_MAX: usize = 1_024;
/// LIMIT: conditions of one grant: one of each kind.
pub const GRANT_CONDITIONS_MAX: usize = 5;
/// LIMIT: a condition of a grant, bytes of its text: 32 networks, or 16 spans of a week and their zone.
pub const GRANT_CONDITION_BYTES_MAX: usize = 2_048;
/// LIMIT: spans of weekly hours.
pub const HOURS_SPANS_MAX: usize = 16;
/// LIMIT: a time zone's name, bytes. The longest of the IANA database has 32.
pub const ZONE_BYTES_MAX: usize = 64;
/// LIMIT: the age that a condition may ask a proof to be below, s: a year, longer than sessions live.
pub const STEP_UP_AGE_S_MAX: u32 = 31_536_000;
/// LIMIT: levels of proof that a session may be opened with: four bits of its place.
pub const ACR_MAX: u8 = 15;
/// LIMIT: subjects that one command looks at for a changed rule: so long at the most another command of the tenant
/// waits for it. The rest follow with further commands.
pub const RULE_SUBJECTS_MAX: u32 = 16_384;
/// LIMIT: grants of one group.
pub const GRANTS_PER_GROUP_MAX: usize = 256;
/// LIMIT: workspaces of a tenant, over all time.
pub const WORKSPACES_MAX: u32 = 1_048_576;
/// LIMIT: depth of the workspace tree. A check looks at the workspace and its ancestors.
pub const WORKSPACE_DEPTH_MAX: usize = 16;
/// LIMIT: workspaces that are deleted with the one above them in one command. Each looks at every subject.
pub const WORKSPACE_TREE_MAX: usize = 64;
/// LIMIT: grants of one subject. With 5 workspaces in its line and the rest in its overflow.
pub const GRANTS_PER_SUBJECT_MAX: usize = 256;
/// LIMIT: subjects of a tenant, over all time. 2^26 lines are 4 GiB.
pub const SUBJECTS_MAX: u32 = 1 << 26;
/// LIMIT: declared attributes of a tenant.
pub const ATTRIBUTES_MAX: u32 = 256;
/// LIMIT: bytes of one attribute's text or cold value.
pub const ATTRIBUTE_BYTES_MAX: usize = 4_096;
/// LIMIT: attributes in one command, and declared ones on one subject.
pub const ATTRIBUTES_PER_SUBJECT_MAX: usize = 64;
/// LIMIT: bytes of the declared attributes of one subject. Hot; stays under a third of a frame.
pub const ATTRIBUTES_PER_SUBJECT_BYTES_MAX: usize = 64 * 1024;
/// LIMIT: undeclared texts of one subject.
pub const PROFILE_PER_SUBJECT_MAX: usize = 64;
/// LIMIT: bytes of the undeclared texts of one subject, names included. With the declared ones one list on the wire.
pub const PROFILE_PER_SUBJECT_BYTES_MAX: usize = 64 * 1024;
/// LIMIT: what a person says a key is for, bytes.
pub const KEY_DESCRIPTION_BYTES_MAX: usize = 256;
/// LIMIT: cut-offs of a tenant, over all time: the counter never wraps.
pub const CUT_OFFS_MAX: u32 = u32::MAX - 1;
/// LIMIT: sessions and keys per tenant part: 24 bits of a place.
pub const PLACES_MAX: u32 = 1 << 24;
/// LIMIT: clients of a tenant, over all time (indexes are not used again).
pub const CLIENTS_MAX: u32 = 65_536;
/// LIMIT: refresh keys of a tenant at once: their number has one byte, and 0 is none.
pub const REFRESH_KEYS_MAX: u32 = 255;
/// LIMIT: sessions that one opening may evict: 255 × 8 B in its event, counted by one byte. Where a limit
/// was lowered by more, each further opening evicts as many again.
pub const EVICTED_MAX: usize = 255;
/// LIMIT: restrictions (distinct key masks) of a tenant. At 128 B each 8 MiB.
pub const RESTRICTIONS_MAX: u32 = 65_536;
/// LIMIT: restrictions of a tenant from which on keys narrow themselves to new ones no more: the others are kept for
/// whoever may make keys.
pub const RESTRICTIONS_NARROWED_MAX: u32 = 32_768;
/// LIMIT: devices of one subject that may be used; as many revoked ones are remembered.
pub const DEVICES_PER_SUBJECT_MAX: usize = 32;
/// LIMIT: how long a device may take to sign a challenge, s: two minutes, in which a person may be asked to allow it.
pub const CHALLENGE_TTL_S: u32 = 120;
/// LIMIT: proofs of one device within the life of a challenge: a session each. What is used is remembered until then.
pub const DEVICE_PROOFS_MAX: usize = 32;
/// LIMIT: used challenges of a tenant that are remembered: at some 64 B each 4 MiB, only ever for devices of its own.
pub const CHALLENGES_USED_MAX: usize = 65_536;
/// LIMIT: devices of a tenant, over all time: the number never wraps.
pub const DEVICES_MAX: u32 = u32::MAX - 1;
/// LIMIT: sessions that end with a device in one command: 4,096 × 14 B are a quarter of a frame. What is beyond is
/// denied all the same.
pub const DEVICE_SESSIONS_MAX: usize = 4_096;
/// LIMIT: lifetime of a session in which somebody acts for another, s: an hour.
pub const ACTING_TTL_S_MAX: u32 = 3_600;
/// LIMIT: live sessions in which one actor acts for others: each may take one of the tenant's restrictions.
pub const ACTING_PER_ACTOR_MAX: usize = 16;
/// LIMIT: how often it is remembered of one subject that somebody acted for it, beside what goes on: 64 × some 400 B.
pub const ACTED_PER_SUBJECT_MAX: usize = 64;
/// LIMIT: why somebody acts for another or asks for a role, bytes.
pub const REASON_BYTES_MAX: usize = 256;
/// LIMIT: requests for roles of a tenant that are remembered, decided ones included: 8,192 × some 500 B are 4 MiB.
pub const REQUESTS_MAX: usize = 8_192;
/// LIMIT: open requests for roles of one subject.
pub const REQUESTS_PER_SUBJECT_MAX: usize = 16;
/// LIMIT: requests for roles of one subject that are remembered, decided ones included: beyond, the oldest that is over
/// makes room.
pub const REQUESTS_KEPT_PER_SUBJECT_MAX: usize = 64;
/// LIMIT: how long a role may be asked for, s: 30 days.
pub const REQUEST_DURATION_S_MAX: u32 = 30 * 86_400;
/// LIMIT: how long a request may wait for its decision, s: a week.
pub const REQUEST_TTL_S: u32 = 7 * 86_400;
/// LIMIT: invitations of a tenant that are remembered, answered ones included: 8,192 × some 600 B are 5 MiB.
pub const INVITATIONS_MAX: usize = 8_192;
/// LIMIT: forgotten invitations whose keys wait for the next erasure of the tenant; with so many one is begun for them
/// alone: each rewrites the tenant's sealed buckets.
pub const INVITATION_KEYS_WAIT_MAX: usize = 512;
/// LIMIT: open invitations of one inviter: a department at once.
pub const INVITATIONS_PER_INVITER_MAX: usize = 512;
/// LIMIT: open invitations of one identifier, whoever invites it: nobody's letter box is filled from here.
pub const INVITATIONS_PER_IDENTIFIER_MAX: usize = 16;
/// LIMIT: secrets that are made for one invitation, the first one included.
pub const INVITATION_SECRETS_MAX: u32 = 8;
/// LIMIT: how long an invitation may wait for its answer, s: 30 days.
pub const INVITATION_TTL_S_MAX: u32 = 30 * 86_400;
/// LIMIT: windows in which one group lies in others, straight and through others: as many as groups above it.
pub const GROUP_WINDOWS_MAX: usize = 256;
/// LIMIT: rules about who sees whom, one a role: those that hold for a viewer stand in one word.
pub const VISIBILITY_RULES_MAX: usize = 64;
/// LIMIT: attributes that one rule shows by name: 64 × 16 × 130 B are 130 KiB, over half a frame.
pub const VISIBILITY_ATTRIBUTES_MAX: usize = 16;
/// LIMIT: how far up it is looked at who made whom: beyond that nobody sees whom those made that they made.
pub const CREATORS_DEPTH_MAX: u32 = 64;
/// LIMIT: checks in one batch frame. 1,024 × 128 B stays under a frame.
pub const BATCH_CHECKS_MAX: usize = 1_024;
/// LIMIT: commands decided in one batch of one tenant.
pub const BATCH_COMMANDS_MAX: usize = 256;
/// LIMIT: commands of one tenant that may wait in its intake, those that narrow included.
pub const INTAKE_MAX: usize = 4_096;
/// LIMIT: of these, permits that only commands that narrow may take (one in sixteen).
pub const INTAKE_RESERVED_MAX: usize = 256;
/// LIMIT: command ids remembered per tenant: 1,048,576 × 32 B = 32 MiB.
pub const COMMAND_IDS_MAX: usize = 1 << 20;
/// LIMIT: how long a command id is remembered, ms.
pub const COMMAND_ID_AGE_MS_MAX: u64 = 15 * 60 * 1000;
/// LIMIT: how far ahead of the node a command id's time may be, ms (F-27).
pub const COMMAND_ID_AHEAD_MS_MAX: u64 = 10_000;
/// LIMIT: a frame without its rows, bytes. Leaves room in a segment of 252 KiB.
pub const FRAME_BYTES_MAX: usize = 240 * 1024;
/// LIMIT: a frame with its rows, bytes.
pub const FRAME_WITH_ROWS_BYTES_MAX: usize = 1024 * 1024;
/// LIMIT: frames in one group of the journal.
pub const GROUP_FRAMES_MAX: usize = 1_000;
/// LIMIT: bytes of a relationship model's text: with what stands around it, it fits a frame.
pub const RELATION_MODEL_BYTES_MAX: usize = 192 * 1024;
/// LIMIT: versions of the relationship model that are kept, the present one included: 16 × 192 KiB are 3 MiB.
pub const RELATION_MODELS_MAX: u32 = 16;
/// LIMIT: changes of tuples in one command, which is one commit. Short names all fit one frame.
pub const RELATION_CHANGES_MAX: usize = 1_000;
/// LIMIT: tuples of a tenant: 2^26 × 64 B are 4 GiB.
pub const RELATIONS_MAX: u64 = 1 << 26;
/// LIMIT: bytes of an object or subject of a tuple: type 254, id 256, relation 50, and the signs between.
pub const RELATION_BYTES_MAX: usize = 562;
/// LIMIT: permissions of a tenant that are mapped to relations, one for each type: 1,000 × 300 B are 300 KB.
pub const RELATION_MAPPINGS_MAX: usize = 1_000;
/// LIMIT: commands that whoever watches relations may be behind: reading them takes about a second. Beyond that
/// it is told to begin anew.
pub const RELATION_WATCH_BEHIND_MAX: u64 = 65_536;
/// LIMIT: whoever waits at once for changes of one tenant's relations: some 10 KiB each.
pub const RELATION_WATCHERS_MAX: usize = 1_024;
/// LIMIT: milliseconds that one request waits for changes of relations.
pub const RELATION_WATCH_WAIT_MS_MAX: u32 = 30_000;
/// LIMIT: tuples that come with one question, as in OpenFGA.
pub const RELATION_CONTEXT_MAX: usize = 100;
/// LIMIT: bytes of the texts of policies and schema together: with what they compile to they fit one frame.
pub const POLICY_TEXT_BYTES_MAX: usize = 96 * 1024;
/// LIMIT: bytes of what policies and schema are compiled to.
pub const POLICY_PROGRAM_BYTES_MAX: usize = 128 * 1024;
/// LIMIT: sets of policies of a tenant that are kept, the present one included: older ones without what they were
/// compiled to.
pub const POLICY_VERSIONS_MAX: u32 = 8;
/// LIMIT: sets of policies that a node compiles at once: each may keep a core busy for some 100 ms.
pub const POLICY_COMPILES_MAX: usize = 2;
/// LIMIT: entities of a tenant: 65,536 × some 500 B are 32 MiB.
pub const ENTITIES_MAX: usize = 65_536;
/// LIMIT: bytes of all entities of a tenant, names and parents included. One over it is refused as one over their number.
pub const ENTITIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// LIMIT: entities below those that a command moves, counted for each that is moved: what lies above each is found anew
/// while all others wait. One over it is refused as one over the changes of a command.
pub const ENTITIES_BELOW_MAX: usize = 4_096;
/// LIMIT: changes of entities in one command.
pub const ENTITY_CHANGES_MAX: usize = 256;
/// LIMIT: bytes of the attributes, tags and parents of one entity: of 256 under a frame in all but odd cases, which are
/// refused.
pub const ENTITY_BYTES_MAX: usize = 16 * 1024;
/// LIMIT: bytes of the type of an entity.
pub const ENTITY_TYPE_BYTES_MAX: usize = 254;
/// LIMIT: bytes of the id of an entity.
pub const ENTITY_ID_BYTES_MAX: usize = 256;
/// LIMIT: entities that one entity lies in, directly and through others.
pub const ENTITY_ANCESTORS_MAX: usize = 256;
/// LIMIT: bytes of the context of one question.
pub const CONTEXT_BYTES_MAX: usize = 16 * 1024;
/// LIMIT: values of one context.
pub const CONTEXT_VALUES_MAX: u32 = 256;
/// LIMIT: values within values, of a context or an entity.
pub const CONTEXT_DEPTH_MAX: u32 = 16;
/// LIMIT: entities that come with one question.
pub const SENT_ENTITIES_MAX: usize = 64;
/// LIMIT: bytes of the entities that come with one question, or with one command.
pub const SENT_ENTITIES_BYTES_MAX: usize = 192 * 1024;
/// LIMIT: bytes of one group of the journal; never more than a quarter of a journal file.
pub const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// LIMIT: a bucket or a history segment in the checkpoint, bytes.
pub const BUCKET_BYTES_MAX: usize = 252 * 1024;
/// LIMIT: consecutive places of one sessions bucket: 3,500 × 72 B + head < 252 KiB.
pub const BUCKET_PLACES: u32 = 3_500;
/// LIMIT: a frame on the wire, bytes.
pub const WIRE_FRAME_BYTES_MAX: usize = 256 * 1024;
/// LIMIT: a frame on the wire before Hello was answered, bytes.
pub const WIRE_FRAME_BEFORE_HELLO_BYTES_MAX: usize = 4 * 1024;
/// LIMIT: subjects in one command of a bulk load: with some 200 B of events each under half a frame, decided in
/// some 3 ms, which is how much longer another command of the tenant may wait.
pub const LOAD_ROWS_MAX: usize = 512;
/// LIMIT: commands of a bulk load that wait in one tenant's intake, apart from all others.
pub const LOADS_WAITING_MAX: usize = 16;
/// LIMIT: places of the session table looked at for one page of a list: 65,536 × 64 B, some milliseconds.
pub const PAGE_PLACES_MAX: u64 = 65_536;
/// LIMIT: rows of one page of a list.
pub const PAGE_ROWS_MAX: usize = 1_000;
