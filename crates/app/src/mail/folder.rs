//! Mail that stays here: each one an .eml file, for who has no mail server yet.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path as FsPath, PathBuf};
use std::pin::Pin;

use cerrojo_domain::{Clock as _, ListName, SystemClock, SystemRandom};
use lettre::message::Mailbox;

use super::message::{Path, message, sender};
use super::{Mail, Mailer, Route};

/// A folder that mails are written to, readable by this server's own account alone.
pub struct OutboxFolder {
    folder: PathBuf,
    from: Mailbox,
    clock: SystemClock,
}

impl OutboxFolder {
    /// Looks at the address alone. `from`: `mail.from`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(from: &str) -> Result<(), String> {
        sender(from).map(drop)
    }

    /// Makes the folder (mode 0700) if it is not there. `from`: `mail.from`.
    ///
    /// # Errors
    /// What is wrong with the folder or the address.
    pub fn new(folder: impl Into<PathBuf>, from: &str) -> Result<Self, String> {
        let folder = folder.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| format!("mail.outbox {}: {error}", folder.display()))?;
        Ok(Self { folder, from: sender(from)?, clock: SystemClock::new() })
    }
}

impl Mailer for OutboxFolder {
    fn route(&self) -> Route {
        Route::Folder
    }

    fn send<'a>(&'a self, mail: &'a Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let eml = message(&self.from, mail, Path::File)?.formatted();
            let name = format!("{}-{}.eml", self.clock.now().0, ListName::new(&SystemRandom));
            let folder = self.folder.clone();
            tokio::task::spawn_blocking(move || write(&folder, &name, &eml))
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| format!("the mail could not be written to mail.outbox: {error}"))
        })
    }
}

/// Whole or not at all: whoever watches for `*.eml` never sees half a mail.
fn write(folder: &FsPath, name: &str, eml: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!(".{name}.tmp"));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).and_then(|mut file| {
        file.write_all(eml)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(name))?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        // What is left of it may hold a reset link.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn each_mail_is_a_file_that_only_the_owner_reads() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data/outbox");
        let mailer = OutboxFolder::new(&folder, "Cerrojo <no-reply@example.com>").unwrap();
        let mail = Mail {
            to: "ana@example.com".to_owned(),
            subject: "Tu contraseña".to_owned(),
            text: "https://a.example/?token=c0de\n".to_owned(),
            html: Some("<p>x</p>\n".to_owned()),
        };
        mailer.send(&mail).await.unwrap();
        mailer.send(&mail).await.unwrap();

        let mode = |path: &FsPath| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 2);
        for file in files {
            assert_eq!(file.extension().unwrap(), "eml");
            assert_eq!(mode(&file), 0o600);
            assert!(fs::read_to_string(&file).unwrap().contains("\r\nhttps://a.example/?token=c0de\r\n"));
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("outbox");
        let mailer = OutboxFolder::new(&folder, "no-reply@example.com").unwrap();
        fs::remove_dir(&folder).unwrap();
        let mail = Mail { to: "ana@example.com".to_owned(), subject: String::new(), text: String::new(), html: None };
        assert!(mailer.send(&mail).await.is_err());
    }
}
