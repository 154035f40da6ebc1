//! Who may read and write what the server keeps, and what it is set up with.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::machine::name_of;
use super::{Finding, Patient};
use crate::config::{Configuration, Database, MailRoute, MasterKeySource};
use crate::owner;
use crate::place::{Place, beside};

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let configuration = &patient.configuration;
    let mut found = Vec::new();
    found.extend(settings_file(patient));
    found.extend(configuration.open_secret_files.iter().map(open_secret_file));
    found.extend(master_key_file(patient));
    found.extend(database_files(configuration));
    found.extend(folders(configuration));
    found.extend(owners(patient));
    found
}

/// What the server makes by itself, as far as it is a file: its owner is the server's user.
pub(super) fn made_by_the_server(configuration: &Configuration) -> Vec<PathBuf> {
    let mut made = Vec::new();
    if let Database::Sqlite(path) = &configuration.database {
        let database = Place::of(configuration).map_or_else(|_| path.clone(), |place| place.database);
        made.extend(["", "-wal", "-shm", ".position", ".lock"].map(|ending| beside(&database, ending)));
    }
    if let MasterKeySource::File(path) = &configuration.master_key {
        made.push(path.clone());
    }
    made
}

/// What of a mode lets others in.
#[derive(Clone, Copy)]
enum Others {
    Read,
    Write,
}

/// Who counts as another.
#[derive(Clone, Copy)]
enum Who {
    Everybody,
    /// Members of its group as well.
    GroupToo,
}

/// Whether users other than the owner may.
fn lets(file: &Metadata, (who, what): (Who, Others)) -> bool {
    let bits = match what {
        Others::Read => 0o004,
        Others::Write => 0o002,
    };
    let bits = match who {
        Who::Everybody => bits,
        Who::GroupToo => bits | bits << 3,
    };
    file.mode() & bits != 0
}

/// The file of settings. Its group may read it: that is how a server gets at a file of root's.
fn settings_file(patient: &Patient) -> Option<Finding> {
    const CHECK: &str = "settings file";
    let (path, secrets) = patient.file.as_ref()?;
    let shown = path.display();
    let file = std::fs::metadata(path).ok()?;
    if lets(&file, (Who::Everybody, Others::Write)) {
        let says = format!("{shown} can be changed by everybody on this machine");
        return Some(Finding::problem(CHECK, says, format!("chmod o-w {shown}")));
    }
    if lets(&file, (Who::Everybody, Others::Read)) && !secrets.is_empty() {
        let says = format!("{shown} can be read by everybody on this machine, and {} is in it", secrets.join(", "));
        return Some(Finding::problem(CHECK, says, format!("chmod o-rwx {shown}")));
    }
    let holds = if secrets.is_empty() { "no secret is in it" } else { "others cannot read it" };
    Some(Finding::ok(CHECK, format!("{shown}: {holds}")))
}

fn open_secret_file((name, path): &(String, PathBuf)) -> Finding {
    let shown = path.display();
    let says = format!("{shown} ({name}) can be read or changed by everybody on this machine, and a secret is in it");
    Finding::problem(
        "secret file",
        says,
        format!("chmod o-rwx {shown}; if somebody may have read it, change the secret"),
    )
}

fn master_key_file(patient: &Patient) -> Option<Finding> {
    const CHECK: &str = "master key file";
    let MasterKeySource::File(path) = &patient.configuration.master_key else {
        return Some(Finding::ok(CHECK, "none: the key is in keys.master_key"));
    };
    let shown = path.display();
    Some(match std::fs::metadata(path) {
        Ok(file) if owner::is_handed_over(&file, patient.serving.user) => {
            Finding::ok(CHECK, format!("{shown}: root's, handed over to the server's group; others cannot read it"))
        }
        Ok(file) if lets(&file, (Who::GroupToo, Others::Read)) || lets(&file, (Who::GroupToo, Others::Write)) => {
            Finding::problem(
                CHECK,
                format!(
                    "{shown} can be read by others: whoever has it and the database can make tokens, and no server starts"
                ),
                format!(
                    "chmod 600 {shown}; if somebody may have read it, `cerrojo key list` and `cerrojo key retire` each key"
                ),
            )
        }
        Ok(_) => Finding::ok(CHECK, format!("{shown}: others cannot read it")),
        // Whether it should be there is known once the database is open.
        Err(_) => return None,
    })
}

fn database_files(configuration: &Configuration) -> Option<Finding> {
    const CHECK: &str = "database files";
    let Database::Sqlite(_) = &configuration.database else { return None };
    let place = match Place::of(configuration) {
        Ok(place) => place,
        Err(failure) => return Some(Finding::failed(CHECK, &failure)),
    };
    if let Err(failure) = place.check() {
        return Some(Finding::failed(CHECK, &failure));
    }
    let files = ["", "-wal", "-shm"].map(|ending| beside(&place.database, ending));
    let open: Vec<String> = files
        .iter()
        .filter(|path| std::fs::metadata(path).is_ok_and(|file| file.mode() & 0o077 != 0))
        .map(|path| path.display().to_string())
        .collect();
    if !open.is_empty() {
        let files = open.join(" ");
        return Some(Finding::problem(
            CHECK,
            format!("others can read {files}: hashes of passwords are in there"),
            format!("chmod 600 {files}"),
        ));
    }
    place.database.exists().then(|| Finding::ok(CHECK, format!("{}: others cannot read it", place.database.display())))
}

/// Whoever can write into a folder can replace what is in it.
fn folders(configuration: &Configuration) -> Vec<Finding> {
    const CHECK: &str = "folders";
    let mut folders: Vec<PathBuf> =
        made_by_the_server(configuration).iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
    let outbox = match &configuration.mail {
        MailRoute::Outbox { folder } => Some(folder.clone()),
        MailRoute::Smtp { .. } => None,
    };
    folders.dedup();
    let mut found = Vec::new();
    for folder in folders.iter().chain(&outbox) {
        let shown = folder.display();
        let Ok(about) = std::fs::metadata(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) else {
            continue;
        };
        // In a folder with the sticky bit nobody replaces what is another's.
        if lets(&about, (Who::Everybody, Others::Write)) && about.mode() & 0o1000 == 0 {
            let says = format!("everybody on this machine can replace what is in {shown}");
            found.push(Finding::problem(CHECK, says, format!("chmod o-w {shown}")));
        }
        if outbox.as_ref() == Some(folder) && lets(&about, (Who::GroupToo, Others::Read)) {
            let says = format!("others can look into {shown}, where mails with reset links are");
            found.push(Finding::problem(CHECK, says, format!("chmod 700 {shown}")));
        }
    }
    if found.is_empty() && folders.iter().any(|folder| folder.exists()) {
        found.push(Finding::ok(CHECK, "only their owner writes into them"));
    }
    found
}

/// Whether all of it belongs to the user that the server runs as.
fn owners(patient: &Patient) -> Option<Finding> {
    let user = patient.serving.user?;
    let made = made_by_the_server(&patient.configuration).into_iter();
    let found = made.filter_map(|path| Some((std::fs::metadata(&path).ok()?, path)));
    let key = match &patient.configuration.master_key {
        MasterKeySource::File(path) => Some(path),
        MasterKeySource::Given(_) => None,
    };
    let own = found.filter(|(file, path)| Some(path) != key || !owner::is_handed_over(file, Some(user)));
    Some(held_against(user, own.map(|(file, path)| (file.uid(), path))))
}

fn held_against(user: u32, owned: impl Iterator<Item = (u32, PathBuf)>) -> Finding {
    const CHECK: &str = "owners";
    let foreign: Vec<String> =
        owned.filter(|(owner, _)| *owner != user).map(|(_, path)| path.display().to_string()).collect();
    // Root may write what is anybody's.
    if foreign.is_empty() || user == 0 {
        return Finding::ok(CHECK, format!("the server's files belong to {}", name_of(user)));
    }
    let (files, name) = (foreign.join(" "), name_of(user));
    let says = format!("the server runs as {name}, and {files} is another's: a command was run as another user");
    Finding::problem(CHECK, says, format!("chown {name} {files}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn what_a_command_of_another_user_made_is_named() {
        let owned = || [(4711, PathBuf::from("a.db")), (0, PathBuf::from("a.db-wal"))].into_iter();
        let found = held_against(4711, owned());
        assert_eq!((found.level, found.remedy.as_deref()), (Level::Problem, Some("chown 4711 a.db-wal")), "{found:?}");
        assert_eq!(held_against(0, owned()).level, Level::Ok);
        assert_eq!(held_against(4711, owned().take(1)).level, Level::Ok);
    }
}
