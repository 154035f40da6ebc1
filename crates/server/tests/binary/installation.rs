//! One installation in a folder of its own: its commands and its server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, request};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A folder, and settings for everything that runs in it.
pub(crate) struct Installation {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let environment = vec![
            // The issuer must stay the same although every start takes another port.
            ("CERROJO_SERVER__PUBLIC_URL".to_owned(), "http://127.0.0.1:4000".to_owned()),
            ("CERROJO_SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("CERROJO_LIMITS__PUBLIC".to_owned(), "off".to_owned()),
        ];
        Self { folder: tempfile::tempdir().unwrap(), environment }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary, in the folder, with nothing of the outer environment's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.here(env!("CARGO_BIN_EXE_cerrojo"));
        command.args(arguments);
        command
    }

    /// Any program, as the binary is run.
    pub(crate) fn here(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CERROJO_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder.path()).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Runs a command that reads standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that refuses at once closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::from(child.wait_with_output().unwrap())
    }

    pub(crate) fn add_user(&self, email: &str, role: &str) -> Ran {
        let arguments = ["user", "add", "--email", email, "--name", "Ana", "--role", role, "--password-stdin"];
        self.run_with_input(&arguments, &format!("{PASSWORD}\n"))
    }

    /// Starts the server and waits until it says that it listens.
    pub(crate) fn serve(&self) -> Server {
        Self::serve_by(self.command(&["serve"]).stdout(Stdio::null()))
    }

    /// The same by a command of one's own.
    pub(crate) fn serve_by(command: &mut Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (listening, reader) = read_lines(&mut child, &said);
        let Ok(address) = listening.recv_timeout(Duration::from_mins(1)) else {
            let _ = child.kill();
            panic!("the server did not start: {:#?}", said.lock().unwrap());
        };
        Server { child, address, said, reader: Some(reader) }
    }
}

/// Gathers what the server says, and gives the address once it says that it listens.
fn read_lines(child: &mut Child, said: &Arc<Mutex<Vec<String>>>) -> (Receiver<SocketAddr>, JoinHandle<()>) {
    let (tell, listening) = channel();
    let (lines, said) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(said));
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let listens = line.split_once("listening on http").map(|(_, url)| {
                let (_, address) = url.split_once("://").unwrap();
                let end = address.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c)));
                address[..end.unwrap_or(address.len())].parse().unwrap()
            });
            said.lock().unwrap().push(line);
            if let Some(address) = listens {
                let _ = tell.send(address);
            }
        }
    });
    (listening, reader)
}

/// A command that has run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.exit, Some(0), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, exit: i32, with: &str) -> Self {
        assert_eq!(self.exit, Some(exit), "{self:?}");
        assert!(self.err.contains(with), "{with:?} is not said: {self:?}");
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    pub(crate) fn request(&self, line: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        request(self.address, line, token, body).unwrap()
    }

    pub(crate) fn login(&self, email: &str, password: &str) -> Answer {
        self.request("POST /api/auth/login", None, Some(&json!({ "email": email, "password": password })))
    }

    /// Signs in and returns the token, which is shown to work.
    #[track_caller]
    pub(crate) fn token(&self, email: &str) -> String {
        let answer = self.login(email, PASSWORD);
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.body["data"]["token"].as_str().unwrap().to_owned();
        assert_eq!(self.verify(&token), 200);
        token
    }

    pub(crate) fn verify(&self, token: &str) -> u16 {
        self.request("GET /api/auth/verify", Some(token), None).status
    }

    pub(crate) fn logout(&self, token: &str) -> u16 {
        self.request("POST /api/auth/logout", Some(token), None).status
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// kill -9, and the process is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the process is gone by itself.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.said());
    }
}

impl Server {
    /// SIGTERM, and all that it said until it was gone.
    pub(crate) fn stopped(mut self) -> String {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
        self.said()
    }

    /// Waits until the process has ended by itself, and fails if it has not `within` a time. What it said, at last.
    #[track_caller]
    pub(crate) fn fails_by_itself(mut self, within: Duration) -> String {
        let (ended, wait) = channel::<()>();
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        let patience = std::thread::spawn(move || {
            if wait.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
                kill_process(pid, Signal::KILL).unwrap();
            }
        });
        let status = self.child.wait().unwrap();
        drop(ended);
        patience.join().unwrap();
        assert_eq!(status.code(), Some(1), "{status}: {}", self.said());
        self.reader.take().unwrap().join().unwrap();
        self.said()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `kid` and `alg` of a token's header.
pub(crate) fn header(token: &str) -> Value {
    use base64::Engine as _;
    let head = token.split('.').next().unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(head).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Copies the database with everything SQLite keeps beside it.
pub(crate) fn copy_database(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let (source, target) = (format!("{}{suffix}", from.display()), format!("{}{suffix}", to.display()));
        let _ = std::fs::remove_file(&target);
        if Path::new(&source).exists() {
            std::fs::copy(source, target).unwrap();
        }
    }
}
