//! What the server does, one file a verb. Every use case is a plain function on a plain [`App`].

pub mod accept;
pub mod account;
pub mod activity;
pub mod administer;
pub mod agreement;
mod app;
pub mod audit;
pub mod authenticate;
mod birth;
pub mod breached;
mod codes;
pub mod confirm;
pub mod end;
pub mod ended_lately;
pub mod farewell;
pub mod feed;
pub mod follow;
pub mod hashing;
mod incarnation;
pub mod introspect;
pub mod keys;
pub mod lease;
pub mod leave;
pub mod limits;
pub mod lists;
pub mod login;
pub mod mail;
pub mod metrics;
mod old_tokens;
pub mod onlookers;
pub mod over;
pub mod password;
pub mod personal;
pub mod picture;
pub mod profile;
mod pulse;
mod put_back;
pub mod recover;
pub mod register;
pub mod replaced;
pub mod request;
mod scans;
pub mod services;
pub mod sessions;
mod settings;
mod sha256;
mod side_file;
pub mod snapshot;
pub mod status_list;
pub mod sweep;
pub mod system;
pub mod take_back;
mod tasks;
mod together;
mod traced;
mod trouble;
mod went_back;

pub use app::{App, Lease, Parts, StartError};
pub use authenticate::Caller;
pub use limits::{Limited, Quota};
pub use pulse::Pulse;
pub use settings::{
    Algorithm, Argon2Settings, Composition, Failover, Locale, NewDeviceNotice, OldTokens, OwnDeletion,
    PasswordSettings, Rate, Reauthentication, Registration, Required, Retention, RoleRules, Secret, SessionRules,
    Settings, Verification, WhenFull,
};
pub use tasks::Tasks;
pub use trouble::Trouble;
