//! Texts of mails of an operator's own, from the first look to a mail that is sent.

use std::fs;

use crate::installation::Installation;

fn write(here: &Installation, name: &str, text: &str) {
    fs::write(here.path("texts").join(name), text).unwrap();
}

#[test]
fn texts_are_written_to_begin_from_changed_looked_at_and_used() {
    let here = Installation::new().with("CERROJO_LOCALE__DEFAULT", "en");
    let written = here.run(&["mail", "templates", "texts"]).ok().out;
    let files = fs::read_dir(here.path("texts")).unwrap().count();
    assert_eq!(written.lines().count(), files, "{written}");
    assert!(written.contains("texts/reset.en.txt\n") && written.contains("texts/layout.html\n"), "{written}");

    let built_in = here.run(&["mail", "preview", "reset"]).ok();
    assert!(built_in.err.contains("reset.en.txt: built in\nreset.en.html: built in\nlayout.html: built in\n"));
    let same = here.run(&["mail", "preview", "reset", "--templates", "texts"]).ok();
    let up_to_facts = |text: &str| text.split_once("When: ").unwrap().0.to_owned();
    assert_eq!(up_to_facts(&same.out), up_to_facts(&built_in.out));
    assert!(same.err.contains("reset.en.txt: from texts\n"), "{}", same.err);

    write(&here, "reset.en.txt", "Subject: ACME\n\nDear customer: {{ link }}\n");
    fs::remove_file(here.path("texts/reset.en.html")).unwrap();
    let own = here.run(&["mail", "preview", "reset", "--templates", "texts"]).ok();
    assert_eq!(own.out, "ACME\n\nDear customer: http://127.0.0.1:4000/reset-password?token=only-a-preview\n");
    let page = ["mail", "preview", "reset", "--html", "--templates", "texts"];
    here.run(&page).refused(1, "no reset.en.html beside it");

    let here = here.with("CERROJO_MAIL__TEMPLATES", "texts");
    here.run(&["config", "check"]).ok();
    assert_eq!(here.run(&["mail", "preview", "reset"]).ok().out, own.out);
    write(&here, "test.en.txt", "Subject: ACME calling\n\n{{ when }}\n");
    here.run(&["mail", "test", "ana@example.com"]).ok();
    let sent = fs::read_dir(here.path("data/outbox")).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_to_string(sent).unwrap().contains("Subject: ACME calling\r\n"));
}

#[test]
fn files_that_are_there_are_left_unless_told() {
    let here = Installation::new();
    here.run(&["mail", "templates", "texts", "reset", "test"]).ok();
    assert_eq!(fs::read_dir(here.path("texts")).unwrap().count(), 8, "of each a text and a page, in two languages");
    write(&here, "test.es.txt", "mine");
    let again = here.run(&["mail", "templates", "texts", "test"]).ok();
    assert!(again.out.is_empty() && again.err.contains("texts/test.es.txt is there already"), "{again:?}");
    assert_eq!(fs::read_to_string(here.path("texts/test.es.txt")).unwrap(), "mine");
    here.run(&["mail", "templates", "texts", "test", "--replace"]).ok();
    assert_ne!(fs::read_to_string(here.path("texts/test.es.txt")).unwrap(), "mine");
    here.run(&["mail", "templates", "texts", "invitaton"]).refused(2, "password-changed");
}

#[test]
fn what_is_wrong_with_a_template_is_said_before_anything_starts() {
    let here = Installation::new().with("CERROJO_MAIL__TEMPLATES", "texts");
    for command in [&["config", "check"][..], &["serve"], &["mail", "test", "ana@example.com"]] {
        here.run(command).refused(1, "mail.templates: texts: No such file");
    }
    fs::create_dir(here.path("texts")).unwrap();
    write(&here, "reset.es.txt", "Subject: {{ 'x\\r\\nBcc: eva@example.net' }}\n\n{{ linc }}\n");
    write(&here, "layuot.html", "");
    here.run(&["config", "check"]).refused(1, "mail.templates: texts/layuot.html: no mail has a file of this name");
    fs::remove_file(here.path("texts/layuot.html")).unwrap();
    here.run(&["config", "check"])
        .refused(1, "texts/reset.es.txt: there is no value linc: there are site, locale, when");
    write(&here, "reset.es.txt", "Subject: {{ 'x\\r\\nBcc: eva@example.net' }}\n\n{{ link }}\n");
    here.run(&["serve"]).refused(1, "texts/reset.es.txt: the subject has a line's end");
    assert!(!here.path("data").exists(), "nothing was begun");
    let ran =
        here.run(&["mail", "preview", "reset", "--templates", "texts"]).refused(1, "texts/reset.es.txt: the subject");
    assert!(!ran.err.contains("mail.templates"), "{ran:?}");
}
