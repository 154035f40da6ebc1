//! What is exposed, by name: each family is declared once, and `docs/METRICS.md` is written from the declarations.

/// What kind of numbers a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; from zero again when the process starts.
    Counter,
    /// As it is now.
    Gauge,
    /// How often something took up to so long.
    Histogram,
}

impl Kind {
    /// As the exposition format names it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A family of series.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its whole name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it is, without a full stop.
    pub help: &'static str,
}

/// Declares families: `NAME = Kind "cerrojo_name" [labels], "help";`, and a list of all of them.
#[macro_export]
macro_rules! families {
    ($(#[$doc:meta])* $all:ident: $($name:ident = $kind:ident $text:literal [$($label:literal),*], $help:literal;)+) => {
        $(pub(crate) const $name: $crate::metrics::Family = $crate::metrics::Family {
            name: $text,
            kind: $crate::metrics::Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)+
        $(#[$doc])*
        pub const $all: &[&$crate::metrics::Family] = &[$(&$name),+];
    };
}

families! {
    /// What this crate exposes, in the order of the reference.
    ALL:
    BUILD = Gauge "cerrojo_build_info" ["version", "engine"], "1, for the version of the server and the engine of its database";
    READY = Gauge "cerrojo_ready" [], "1 while this node may accept tokens (as /health/ready says), otherwise 0";
    LEASE_LEFT = Gauge "cerrojo_lease_remaining_seconds" [], "How long this node may accept tokens if its lease is not renewed, 0 if it has none (PostgreSQL)";
    LEASE_FAILURES = Counter "cerrojo_lease_renewal_failures_total" [], "Renewals of the lease that failed (PostgreSQL)";
    NODES = Gauge "cerrojo_nodes" [], "Nodes that hold a lease, this one included (PostgreSQL)";
    NODES_LAG = Gauge "cerrojo_nodes_lag_entries" [], "How many entries of the log the node that is furthest behind had still to apply when the leases were last looked at (PostgreSQL)";
    LOG_HEAD = Gauge "cerrojo_log_head_entry" [], "The number of the log's last entry in the database";
    LOG_APPLIED = Gauge "cerrojo_log_applied_entry" [], "The number of the last entry of the log that this node has applied";
    WENT_BACK = Counter "cerrojo_database_went_back_total" [], "How often this process found the database gone back and ended every session";
    EVERYTHING_OVER = Counter "cerrojo_everything_over_total" [], "How often every session was ended at once, for whatever reason, as this node learnt from the log";

    SIGN_INS = Counter "cerrojo_sign_ins_total" ["outcome"], "Sign-ins by how they went";
    NEW_PLACES = Counter "cerrojo_sign_ins_from_new_places_total" ["notice"], "Sign-ins from networks that the account was not signed in from lately, by whether its owner is told; limited: told three times within a day before";
    REGISTRATIONS = Counter "cerrojo_registrations_total" ["outcome"], "Registrations by how they went; refused: closed, incomplete, not fit or taken";
    RESET_REQUESTS = Counter "cerrojo_password_reset_requests_total" ["outcome"], "Reset links that were asked for; success says nothing about whether there is such an account";
    RESETS = Counter "cerrojo_password_resets_total" ["outcome"], "Passwords that were to be set by a reset link, by how that went";
    VERIFICATIONS = Counter "cerrojo_email_verifications_total" ["outcome"], "Links that were to confirm an address, by how that went";
    CHECKS = Counter "cerrojo_token_checks_total" ["outcome"], "Tokens that this node was shown, by whether it accepted them; unavailable: it may not say yes now";
    CACHE_MISSES = Counter "cerrojo_token_cache_misses_total" [], "Tokens whose signature and claims had to be verified, since they were not among those verified lately";
    CACHE_ENTRIES = Gauge "cerrojo_token_cache_entries" [], "Verified tokens that are remembered";

    ENDINGS = Counter "cerrojo_session_endings_total" ["reason"], "Sessions that this node ended, by reason; not those of commands and of other nodes, nor where everything was ended at once";
    ENDING_COMMIT = Histogram "cerrojo_ending_commit_duration_seconds" [], "From when endings were asked for until they were committed and applied here";
    ENDING_KNOWN = Histogram "cerrojo_ending_known_duration_seconds" [], "From when endings were asked for until they were known wherever yes could be said, which is when they are answered";
    UNCONFIRMED = Counter "cerrojo_endings_unconfirmed_total" [], "Endings that were answered 503 since it was not certain that they were known everywhere";
    LISTS = Gauge "cerrojo_status_lists" [], "Status lists in use";
    LIST_PLACES = Gauge "cerrojo_status_list_places" ["state"], "Places in status lists in use; ended: their sessions are over; open: they are live, or the places are still free";

    HASH_WAITING = Gauge "cerrojo_password_hashing_waiting" [], "Passwords that wait to be hashed";
    HASH_RUNNING = Gauge "cerrojo_password_hashing_running" [], "Passwords that are being hashed";
    HASH_THREADS = Gauge "cerrojo_password_hashing_threads" [], "Threads that hash passwords";
    HASH_WAIT = Histogram "cerrojo_password_hashing_wait_seconds" [], "How long passwords waited for their turn";
    HASH_TIME = Histogram "cerrojo_password_hashing_duration_seconds" [], "How long hashing one took";
    HASH_REFUSED = Counter "cerrojo_password_hashing_refused_total" [], "Passwords that were not hashed since they would have waited, or had waited, too long";
    LIMITS = Counter "cerrojo_limit_hits_total" ["limit"], "Requests that were refused since a limit was used up";

    AUDIT_WAITING = Gauge "cerrojo_audit_waiting_entries" [], "Entries of the audit trail that are not in the chain yet; a server puts them there every second";

    MAIL_WAITING = Gauge "cerrojo_mail_outbox_waiting" [], "Mails that have not left";
    MAIL_DUE = Gauge "cerrojo_mail_outbox_due" [], "Of these, mails that are due now";
    MAIL_AGE = Gauge "cerrojo_mail_outbox_oldest_age_seconds" [], "How long the oldest of them has been waiting, 0 if none is";
    MAILS = Counter "cerrojo_mails_total" ["outcome"], "Mails by what became of them at this node; failed ones are tried again, dropped: there was nobody to send one to";

    DATABASE_UP = Gauge "cerrojo_database_up" [], "1 if the database answered within a second when it was last asked for these numbers, otherwise 0, and what was to be read of it is left out";
    DATABASE_CONNECTIONS = Gauge "cerrojo_database_connections" ["pool", "state"], "Connections to the database";
    DATABASE_CONNECTIONS_MOST = Gauge "cerrojo_database_connections_max" ["pool"], "How many a pool may have";
    DATABASE_ERRORS = Counter "cerrojo_database_errors_total" ["kind"], "Statements and transactions that failed; unavailable: may well succeed later, outcome_unknown: a COMMIT of which no answer came, broken: a defect";
    BACKGROUND_FAILURES = Counter "cerrojo_background_failures_total" [], "Background work that failed and is tried again";
    SPANS = Counter "cerrojo_trace_spans_total" ["outcome"], "Spans of traces by what became of them (traces.endpoint); dropped: too many waited to be sent, failed: the collector did not take them";

    KEYS = Gauge "cerrojo_signing_keys" ["purpose", "status"], "Signing keys; rotated ones still verify, retired ones never again";
    KEY_CREATED = Gauge "cerrojo_signing_key_created_timestamp_seconds" [], "When the key that signs session tokens now was made, left out if none may";

    CPU = Counter "process_cpu_seconds_total" [], "Processor time of the process, in user and in system mode";
    RESIDENT = Gauge "process_resident_memory_bytes" [], "Memory of the process that is in RAM";
    VIRTUAL = Gauge "process_virtual_memory_bytes" [], "Address space of the process";
    OPEN_FILES = Gauge "process_open_fds" [], "Open file descriptors";
    MOST_FILES = Gauge "process_max_fds" [], "How many may be open";
    THREADS = Gauge "process_threads" [], "Threads of the process";
    STARTED = Gauge "process_start_time_seconds" [], "When the process started, in seconds since 1970";
}
