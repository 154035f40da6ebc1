//! `cerrojo breached-list`: building and asking lists of breached passwords.

mod kind;
mod line;
mod source;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cerrojo_app::breached::{Build, List, Overwrite, record_of};
use indicatif::{HumanBytes, HumanCount};

use self::source::{Rules, Source, Tally};
use crate::cli::{BreachedList, BuildList};
use crate::config::Loaded;
use crate::failure::Failure;
use crate::progress::{self, Unit};
use crate::{ask, out};

pub(crate) fn run(command: BreachedList, loaded: &Loaded) -> Result<(), Failure> {
    match command {
        BreachedList::Build(sources) => build(&sources),
        BreachedList::Check { file } => check(&file),
        BreachedList::Contains { file, password: _ } => contains(file, loaded),
    }
}

fn build(wanted: &BuildList) -> Result<(), Failure> {
    let BuildList { list, sources, min_count, format, replace, memory } = wanted;
    if sources.iter().filter(|source| *source == Path::new("-")).count() > 1 {
        return Err(Failure::usage("standard input can be read only once: say - only once"));
    }
    let rules = Rules { format: *format, min_count: *min_count };
    // What is wrong with the last of them is not to be said after an hour.
    let mut opened = Vec::new();
    for path in sources {
        opened.push((path, Source::open(path, rules)?));
    }
    let overwrite = if *replace { Overwrite::List } else { Overwrite::Nothing };
    let memory = usize::try_from(*memory).unwrap_or(usize::MAX).saturating_mul(1 << 20);
    let mut building = Build::begin(list, memory, overwrite)?;
    let mut taken = 0;
    for (path, source) in opened {
        let tally = source.read_all(&mut |record| Ok(building.push(record)?))?;
        taken += tally.taken;
        tell(path, &tally);
    }
    if taken == 0 {
        return Err(Failure::new("nothing would be in the list: it was not written"));
    }
    let bar = progress::bar(Some(taken), Unit::Things("merged"));
    let built = building.end(|merged| bar.set_position(merged));
    bar.finish_and_clear();
    let built = built?;
    let twice = taken.saturating_sub(built.count);
    let twice = if twice == 0 { String::new() } else { format!("; {} were there before", HumanCount(twice)) };
    let (count, bytes) = (HumanCount(built.count), HumanBytes(built.bytes));
    out::line(&format!("{count} passwords in {} ({bytes}){twice}", list.display()));
    Ok(())
}

fn tell(path: &Path, tally: &Tally) {
    let Tally { kind, taken, rare, long, latin1, missing, empty } = *tally;
    let mut said = format!("{} {kind}", HumanCount(taken));
    for (count, what) in [
        (rare, "seen too rarely"),
        (long, "longer than a password can be"),
        (latin1, "were not UTF-8 and were read as Latin-1"),
    ] {
        if count > 0 {
            // Writing to a string does not fail.
            let _ = write!(said, ", {} {what}", HumanCount(count));
        }
    }
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    out::note(&format!("{shown}: {said}"));
    if missing > 0 || empty > 0 {
        out::note(&format!(
            "warning: {shown}: {} range files of 1,048,576 are not there and {} are empty: the download is not complete",
            HumanCount(missing),
            HumanCount(empty)
        ));
    }
}

fn check(file: &Path) -> Result<(), Failure> {
    let because = || Failure::because(file.display().to_string());
    let list = List::open(file).map_err(because())?;
    let bar = progress::bar(Some(list.count()), Unit::Things("passwords"));
    let verified = list.verify(|read| bar.set_position(read));
    bar.finish_and_clear();
    verified.map_err(because())?;
    out::line(&format!("{}: {} passwords, as they were written", file.display(), HumanCount(list.count())));
    Ok(())
}

fn contains(file: Option<PathBuf>, loaded: &Loaded) -> Result<(), Failure> {
    let file = match file {
        Some(file) => file,
        None => loaded.configuration()?.app.password.breached_list.ok_or_else(|| {
            Failure::usage("password.breached_list is not set: name a list that `cerrojo breached-list build` wrote")
        })?,
    };
    let password = ask::password()?;
    let list = List::open(&file);
    let found = list.and_then(|list| list.contains(record_of(password.as_bytes())));
    if found.map_err(Failure::because(file.display().to_string()))? {
        return Err(Failure::new("the password is in the list"));
    }
    out::line("the password is not in the list");
    Ok(())
}
