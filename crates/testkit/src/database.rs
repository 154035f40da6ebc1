//! A database of a test's own.

use std::path::PathBuf;
use std::sync::Arc;

use cerrojo_domain::Random;
use cerrojo_store::testing::Fresh;
use cerrojo_store::{OpenOptions, Store};

use crate::Engine;

pub(crate) struct Database {
    engine: Engine,
    fresh: Fresh,
    /// Holds the side file; removed when dropped.
    folder: tempfile::TempDir,
}

impl Database {
    pub(crate) async fn fresh(engine: Engine) -> Self {
        let fresh = match engine {
            Engine::Sqlite => Fresh::sqlite(),
            Engine::Postgres => Fresh::postgres().await,
        };
        Self { engine, fresh, folder: tempfile::tempdir().expect("a folder for the side file") }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    pub(crate) fn url(&self) -> &str {
        &self.fresh.url
    }

    pub(crate) fn fresh_one(&self) -> &Fresh {
        &self.fresh
    }

    pub(crate) fn side_file(&self) -> PathBuf {
        self.folder.path().join("cerrojo.db.position")
    }

    pub(crate) async fn open(&self, random: Arc<dyn Random>) -> Store {
        let store = Store::open(&self.fresh.url, OpenOptions { readers: 4, random, ..OpenOptions::default() })
            .await
            .expect("the database opens");
        store.migrate().await.expect("the database migrates");
        store
    }
}
