use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

const TEXT: &str = "Subject: Hi {{ name }}\n\nAt {{ when }} from {{ address }}.\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        fs::write(folder.path().join(name), source).unwrap();
    }
    folder
}

fn load(files: &[(&str, &str)]) -> Templates {
    Templates::load(Some(folder(files).path())).unwrap()
}

/// What is said of these files; the folder's own name is left out.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let Err(BadTemplates(problems)) = Templates::load(Some(folder.path())) else { panic!("{files:?} are accepted") };
    let start = format!("{}/", folder.path().display());
    problems.iter().map(|one| one.strip_prefix(&start).expect("which file it is").to_owned()).collect()
}

fn problem(file: &str, source: &str) -> String {
    let mut problems = problems(&[(file, source)]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

fn write(templates: &Templates, mail: (Kind, Locale)) -> Written {
    let values = samples(ALWAYS.iter().chain(mail.0.values()), Fullness::Full);
    templates.write(mail, &values).unwrap_or_else(|fault| panic!("{}", fault.told()))
}

#[test]
fn every_built_in_mail_says_what_it_is_given() {
    let set = built_in().unwrap();
    assert_eq!(faults(&set), BTreeSet::new());
    let templates = Templates::load(None).unwrap();
    for mail in every() {
        let written = write(&templates, mail);
        let html = written.html.unwrap();
        for value in mail.0.values() {
            let sample = samples([value].into_iter(), Fullness::Full).remove(value).unwrap();
            let in_page = super::super::escape::escaped(&sample);
            assert!(written.text.contains(&sample) && html.contains(&in_page), "{mail:?} does not say {value}");
            let of_text = built_in_files().find(|(file, _)| *file == mail.0.files(mail.1).0).unwrap().1;
            let named = of_text.lines().nth(2).unwrap();
            assert!(named.starts_with("{# Values: site") && named.contains(value), "{mail:?} tells nobody of {value}");
        }
        assert!(!written.text.contains("\n\n\n") && !written.text.contains("{#"), "{}", written.text);
        assert!(html.contains(&format!("lang=\"{}\"", "en")), "{html}");
    }
}

#[test]
fn the_built_in_texts_can_be_begun_from() {
    let folder = tempfile::tempdir().unwrap();
    for (file, source) in built_in_files() {
        fs::write(folder.path().join(file), source).unwrap();
    }
    let (own, built_in) = (Templates::load(Some(folder.path())).unwrap(), Templates::load(None).unwrap());
    for mail in every() {
        let (own, built_in) = (write(&own, mail), write(&built_in, mail));
        assert_eq!((own.subject, own.text, own.html), (built_in.subject, built_in.text, built_in.html), "{mail:?}");
    }
}

#[test]
fn a_file_takes_the_place_of_one_mail_in_one_language() {
    let changed = (Kind::PasswordChanged, Locale::En);
    let templates = load(&[("password-changed.en.txt", TEXT)]);
    let written = write(&templates, changed);
    assert_eq!(written.subject, "Hi Ana Ruiz");
    assert_eq!(written.text, "At 2026-02-13 10:00 UTC from 203.0.113.9.\n");
    assert_eq!(written.html, None, "a page that says something else is not sent along");
    assert!(write(&templates, (Kind::PasswordChanged, Locale::Es)).html.is_some());

    let page = "<p>{{ name }}, {{ subject }}</p>{{ '<b>' }}";
    let templates = load(&[("password-changed.en.txt", TEXT), ("password-changed.en.html", page)]);
    let written = write(&templates, changed);
    assert_eq!(written.html.as_deref(), Some("<p>Ana Ruiz, Hi Ana Ruiz</p>&lt;b&gt;\n"));
}

#[test]
fn one_layout_is_around_every_page() {
    let layout = "<main lang={{ locale }}>{% block body %}{% endblock %}<footer>ACME, {{ site }}</footer></main>";
    let templates = load(&[("layout.html", layout)]);
    for mail in every() {
        let html = write(&templates, mail).html.unwrap();
        assert!(html.ends_with("<footer>ACME, auth.example.com</footer></main>\n"), "{html}");
    }
    assert_eq!(
        problem("layout.html", "<main></main>"),
        "layout.html: pages are lost in it: it needs {% block body %}{% endblock %}"
    );
}

#[test]
fn the_language_is_there_whole() {
    let text = "Subject: x\n{% macro bold(word) %}*{{ word }}*{% endmacro %}{% for word in ['a', 'b'] %}{{ loop.index }}{{ bold(word) }} {% endfor %}";
    let page =
        "{% extends 'layout.html' %}{% block body %}{{ super() }}{% set words = site|upper %}{{ words }}{% endblock %}";
    let templates = load(&[("test.en.txt", text), ("test.en.html", page)]);
    let written = write(&templates, (Kind::Test, Locale::En));
    assert_eq!(written.text, "1*a* 2*b*\n");
    assert!(written.html.unwrap().contains("AUTH.EXAMPLE.COM"));
}

#[test]
fn it_is_said_where_a_mail_comes_from() {
    let folder =
        folder(&[("reset.en.txt", "Subject: x\n{{ link }}"), ("layout.html", "{% block body %}{% endblock %}")]);
    let templates = Templates::load(Some(folder.path())).unwrap();
    let own = Some(folder.path());
    assert_eq!(templates.origins(Kind::Reset, Locale::En), [("reset.en.txt".to_owned(), own)]);
    let in_spanish = [("reset.es.txt", None), ("reset.es.html", None), ("layout.html", own)];
    assert_eq!(templates.origins(Kind::Reset, Locale::Es), in_spanish.map(|(file, from)| (file.to_owned(), from)));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (source, said) in [
        ("Subject: x\n\n{{ link }\n", "reset.en.txt, line 3: syntax error"),
        ("Subject: {{ x\n\n{{ link }}", "reset.en.txt, line 1: syntax error"),
        (
            "Subject: x\n\n{{ linc }}",
            "reset.en.txt: there is no value linc: there are site, locale, when, address, device, link",
        ),
        ("Subject: {{ name }}\n\n{{ link }}", "reset.en.txt: there is no value name"),
        ("Subject: x\n{% if false %}{{ passwd }}{% endif %}{{ link }}", "reset.en.txt: there is no value passwd"),
        ("Subject: x\n\nA new password: ask for it.", "reset.en.txt: the link is missing: write {{ link }}"),
        ("Subject: x\n{% if device %}{{ link }}{% endif %} open it", "reset.en.txt: the link is missing"),
        ("Subject: x\n{{ link|upper }}", "reset.en.txt: the link is missing"),
        ("Subject: x\n{{ link|shorten }}", "reset.en.txt, line 2: unknown filter"),
        ("Hello\n{{ link }}", "reset.en.txt: the first line has to be the subject"),
        ("", "reset.en.txt: the first line has to be the subject"),
        ("Subject:\n{{ link }}", "reset.en.txt: the subject is empty"),
        ("Subject: {{ 'x' * 201 }}\n{{ link }}", "reset.en.txt: the subject is longer than 200 characters"),
        ("Subject: x\n{% include '/etc/passwd' %}{{ link }}", "reset.en.txt, line 2: template not found"),
        (
            "Subject: x\n{% for i in range(10000) %}{% for j in range(10000) %}.{% endfor %}{% endfor %}{{ link }}",
            "engine ran out of fuel",
        ),
        ("Subject: x\n{{ 'x' * 100000000000 }}{{ link }}", "engine ran out of fuel"),
        ("Subject: x\n{% include 'reset.en.txt' %}{{ link }}", "reset.en.txt, line 2: "),
        ("Subject: x\n{{ 'x' * 300000 }}{{ link }}", "reset.en.txt: what it makes is larger than 256 KiB"),
    ] {
        let told = problem("reset.en.txt", source);
        assert!(told.contains(said), "{source:?}: {told}");
    }
}

#[test]
fn no_subject_adds_a_header() {
    let evil = ["x\rBcc: eva@example.net", "{{ 'x\\r\\nBcc: eva@example.net' }}", "{{ 'x\\n' }}", "x\u{0}"];
    for subject in evil {
        let told = problem("test.en.txt", &format!("Subject: {subject}\n\nHello"));
        assert!(
            told.starts_with("test.en.txt: the subject has a line's end or another control"),
            "{subject:?}: {told}"
        );
    }
    let windows = load(&[("test.en.txt", "\u{feff}Subject: x\r\n\r\nHello\r\n")]);
    assert_eq!(write(&windows, (Kind::Test, Locale::En)).subject, "x");
}

#[test]
fn a_page_needs_its_text_and_its_link() {
    let page = "<p>Hello</p>";
    assert_eq!(problems(&[("reset.en.html", page)]), ["reset.en.html: a page needs its text beside it: reset.en.txt"]);
    let told = problems(&[("reset.en.txt", "Subject: x\n{{ link }}"), ("reset.en.html", page)]);
    assert_eq!(told, ["reset.en.html: the link is missing: write {{ link }} where it belongs"]);
    for page in ["<a href='{{ link }}'>x</a>", "<a href=\"{{ link|e }}\">x</a>"] {
        load(&[("reset.en.txt", "Subject: x\n{{ link }}"), ("reset.en.html", page)]);
    }
}

#[test]
fn what_is_no_template_is_refused_and_hidden_files_are_passed_over() {
    for name in ["reset.fr.txt", "reset.txt", "README.md", "reset.en.txt.bak", "RESET.en.txt", "layout.txt"] {
        let told = problem(name, "Subject: x\n{{ link }}");
        assert!(told.starts_with(&format!("{name}: no mail has a file of this name")), "{told}");
    }
    let place = folder(&[(".git", ""), (".reset.en.txt.swp", ""), ("reset.en.txt~", "{{ broken")]);
    // As a mounted ConfigMap is: files are links into a hidden folder.
    fs::create_dir(place.path().join("..data")).unwrap();
    fs::write(place.path().join("..data/test.en.txt"), "Subject: x\nHello").unwrap();
    symlink("..data/test.en.txt", place.path().join("test.en.txt")).unwrap();
    let templates = Templates::load(Some(place.path())).unwrap();
    assert_eq!(write(&templates, (Kind::Test, Locale::En)).text, "Hello\n");

    fs::create_dir(place.path().join("reset.en.txt")).unwrap();
    fs::write(place.path().join("reset.es.txt"), [b'S', 0xff]).unwrap();
    fs::write(place.path().join("test.es.txt"), vec![b'x'; 64 * 1024 + 1]).unwrap();
    let Err(BadTemplates(problems)) = Templates::load(Some(place.path())) else { panic!("they are accepted") };
    for (said, end) in problems.iter().zip(["it is not a file", "it is not UTF-8", "it is larger than 64 KiB"]) {
        assert!(said.ends_with(end), "{said}");
    }
    assert_eq!(problems.len(), 3);
    let Err(gone) = Templates::load(Some(&place.path().join("gone"))) else { panic!("it is accepted") };
    assert!(gone.to_string().contains("gone: No such file"), "{gone}");
}

#[test]
fn where_a_template_fails_the_built_in_one_speaks() {
    let reset = (Kind::Reset, Locale::En);
    let mut values = samples(ALWAYS.iter().chain(Kind::Reset.values()), Fullness::Full);
    for flaw in [
        "{% if device == 'curl' %}{{ device / 2 }}{% endif %}{{ link }}",
        "{% if device != 'curl' %}{{ link }}{% endif %} open it",
        "{% if device == 'curl' %}{% include link %}{% endif %}{{ link }}",
    ] {
        let templates = load(&[("reset.en.txt", &format!("Subject: Hi\n{flaw}"))]);
        assert_eq!(templates.write(reset, &values).ok().unwrap().subject, "Hi");
        values.insert("device", "curl".to_owned());
        let written = templates.write(reset, &values).ok().unwrap();
        assert_eq!(written.subject, "Reset your password", "{flaw}");
        assert!(written.text.contains(&values["link"]) && written.html.is_some());
        let fault = templates.own.unwrap().set.write(reset, &values).err().unwrap();
        assert!(!fault.to_string().contains("only-a-preview"), "the link gets into the log: {fault}");
        values.insert("device", "Firefox".to_owned());
    }
}

#[test]
fn a_value_is_one_line_of_text_and_no_tag() {
    let files = [
        ("test.en.txt", "Subject: {{ site }}\n{{ site }}"),
        ("test.en.html", "<p title=\"{{ site }}\">{{ site }}</p>"),
    ];
    let templates = load(&files);
    let site = "a\r\nBcc: x\"><script>".to_owned();
    let values = [("site", site), ("locale", "en".to_owned()), ("when", "x".to_owned()), ("link", "secret".to_owned())];
    let written = templates.write((Kind::Test, Locale::En), &values.into_iter().collect()).ok().unwrap();
    assert_eq!((written.subject.as_str(), written.text.as_str()), ("aBcc: x\"><script>", "aBcc: x\"><script>\n"));
    let html = written.html.unwrap();
    assert_eq!(html, "<p title=\"aBcc: x&quot;&gt;&lt;script&gt;\">aBcc: x&quot;&gt;&lt;script&gt;</p>\n");
    // What a mail is not given is not there, whoever calls.
    assert!(problem("test.en.txt", "Subject: x\n{{ link }}").contains("there is no value link"));
}
