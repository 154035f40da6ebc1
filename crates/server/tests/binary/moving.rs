//! Moving in with the users of another application, and out again.

use std::os::unix::fs::PermissionsExt as _;

use cerrojo_store::testing::Fresh;
use serde_json::{Value, json};

use crate::installation::Installation;

/// Of "U*U", of "caballo grapa 7" by Django and by Node, and of "password" by Argon2's reference.
const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const DJANGO: &str = "pbkdf2_sha256$1200$seasalt$cE0OZ0pAOxhvRsJad5Q/PHG9JI/nqxfLX2VjvqZmlvI=";
const ARGON2: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const NODE: &str = "00112233445566778899aabbccddeeff:c83ddb159050585725e6d09f72e005870d3a5707f70978f7c2481d29c749c1d92f95629f927698223adb1c9a7e45cb373b34fc045f0bfdd5970a5e4fdd9526fa";

/// The same with a database of either engine.
fn on_both_engines(test: impl Fn(Installation)) {
    test(Installation::new());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    test(Installation::new().with("CERROJO_DATABASE__URL", &fresh.url));
}

fn write(here: &Installation, name: &str, text: &str) {
    std::fs::write(here.path(name), text).unwrap();
}

fn users(here: &Installation) -> Vec<Value> {
    let mut users = here.run(&["user", "list", "--json"]).ok().json().as_array().unwrap().clone();
    users.sort_by_key(|user| user["user_id"].as_i64());
    users
}

/// Four that fit and seven that do not.
fn table() -> String {
    format!(
        "\u{feff}id,email,full_name,password,role,active,created_at,last_login,notes\n\
         7,ANA@example.com,Ana Ñandú,{BCRYPT},admin,true,2024-02-13T10:00:00Z,2025-01-01 08:00:00+00,\"two\nlines\"\n\
         9,eva@example.com,,{DJANGO},editor,1,1700000000,,\n\
         40,bea@example.com,Bea,\"{ARGON2}\",editor,false,2024-02-13,,\n\
         41,sin@example.com,Sin clave,,,1,,,\n\
         x,no@example.com,No,{BCRYPT},,,,,\n\
         43,no-address,No,{BCRYPT},,,,,\n\
         44,md5@example.com,No,5f4dcc3b5aa765d61d8327deb882cf99,,,,,\n\
         45,ana@EXAMPLE.com,No,{BCRYPT},,1,,,\n\
         46,role@example.com,No,{BCRYPT},owner,,,,\n\
         47,date@example.com,No,{BCRYPT},,1,soon,,\n\
         48,few\n"
    )
}

const IMPORT: [&str; 7] = ["user", "import", "users.csv", "--role", "editor=user", "--report", "report.csv"];

#[test]
fn whoever_cannot_be_taken_over_is_named_and_the_others_are() {
    on_both_engines(|here| {
        write(&here, "users.csv", &table());
        let dry =
            here.run(&[&IMPORT[..], &["--dry-run"]].concat()).refused(1, "7 would be refused; nothing was written");
        assert!(
            dry.out.contains("user_id=id email=email name=full_name password_hash=password role=role status=active")
        );
        assert!(dry.out.contains("4 would be added, 0 there already, 7 refused"), "{}", dry.out);
        assert!(!here.path("data").exists());
        let ran = here.run(&IMPORT).refused(1, "7 were refused");
        assert!(ran.out.contains("4 added, 0 there already, 7 refused"), "{}", ran.out);
        assert!(ran.out.contains("password hashes: PBKDF2 1, argon2id 1, bcrypt 1, none 1"), "{}", ran.out);
        for told in [
            "line 7: no@example.com: \"x\" is no number of a user",
            "line 8: no-address: that is no e-mail address",
            "line 9: md5@example.com: the password's hash is of no kind that is known here",
            "line 10: ana@example.com: the same address stands in line 2",
            "line 11: role@example.com: the role is \"owner\": there is none of that name",
            "line 12: date@example.com: \"soon\" is no date",
            "line 13: it has 2 fields and the header line 9",
        ] {
            assert!(ran.err.contains(told), "{told}: {}", ran.err);
        }
        let report = std::fs::read_to_string(here.path("report.csv")).unwrap();
        assert_eq!(std::fs::metadata(here.path("report.csv")).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(ran.out.contains("roles: admin 1, user 3\nstatuses: active 3, inactive 1\n"), "{}", ran.out);
        assert!(report.contains("10,ana@example.com,refused,the same address stands in line 2\n"), "{report}");
        assert_eq!(report.lines().count(), 8);
        for text in [&ran.err, &ran.out, &report] {
            assert!(!text.contains("5f4dcc3b") && !text.contains(BCRYPT), "no hash is shown");
        }
        let there = users(&here);
        let short =
            |user: &Value| json!([user["user_id"], user["email"], user["name"], user["role_name"], user["status"]]);
        assert_eq!(
            there.iter().map(short).collect::<Vec<_>>(),
            [
                json!([7, "ana@example.com", "Ana Ñandú", "admin", "active"]),
                json!([9, "eva@example.com", "eva", "user", "active"]),
                json!([40, "bea@example.com", "Bea", "user", "inactive"]),
                json!([41, "sin@example.com", "Sin clave", "user", "active"]),
            ]
        );
        assert_eq!(there[0]["registration_date"], "2024-02-13T10:00:00.000Z");
        assert_eq!(there[0]["last_session"], "2025-01-01T08:00:00.000Z");
        assert_eq!(there[1]["registration_date"], "2023-11-14T22:13:20.000Z");
    });
}

#[test]
fn users_of_another_application_sign_in_as_before() {
    on_both_engines(|here| {
        write(&here, "users.csv", &table());
        here.run(&IMPORT).refused(1, "7 were refused");
        let server = here.serve();
        for (email, password) in [("ana@example.com", "U*U"), ("eva@example.com", "caballo grapa 7")] {
            // The second one against the hash that took the other's place.
            for _ in 0..2 {
                assert_eq!(server.login(email, password).status, 200, "{email}");
            }
            assert_eq!(server.login(email, "U*V").status, 401);
        }
        assert_eq!(server.login("bea@example.com", "password").status, 401, "not active");
        here.run(&["user", "set-status", "bea@example.com", "active"]).ok();
        assert_eq!(server.login("bea@example.com", "password").status, 200);
        for nothing in ["", "none", "x"] {
            assert!([400, 401].contains(&server.login("sin@example.com", nothing).status));
        }
        // Beside the running server, and again: whoever is there stays.
        let again = here.run(&IMPORT).refused(1, "7 were refused");
        assert!(again.out.contains("0 added, 4 there already, 7 refused"), "{}", again.out);
        assert_eq!(server.login("ana@example.com", "U*U").status, 200);
        here.add_user("new@example.com", "user").ok();
        assert_eq!(users(&here).last().unwrap()["user_id"], 42, "after the highest that came");

        write(
            &here,
            "more.jsonl",
            "{\"user_id\": 42, \"email\": \"x@example.com\"}\n{\"id\": 70, \"email\": \"ana@example.com\"}\n\n{\"email\": \"y@example.com\"}\n[]\n",
        );
        let more = here.run(&["user", "import", "more.jsonl"]).refused(1, "3 were refused");
        for told in [
            "line 1: x@example.com: the number is another user's",
            "line 2: ana@example.com: the address is there already, as user 7",
            "line 5: it is a list",
        ] {
            assert!(more.err.contains(told), "{told}: {}", more.err);
        }
        assert!(users(&here).last().unwrap()["user_id"].as_i64() > Some(42));
    });
}

#[test]
fn users_come_straight_from_a_table_and_leave_by_a_file() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let other = runtime.block_on(Fresh::postgres());
    runtime.block_on(other.run(format!(
        "CREATE TABLE \"Users\" (\"userId\" INT, mail TEXT, profile JSONB, pwd TEXT, \"createdAt\" TIMESTAMPTZ, banned BOOL); \
         INSERT INTO \"Users\" SELECT n, 'u' || n || '@example.com', jsonb_build_object('names', jsonb_build_array('U ' || n)), \
         '{NODE}', '2024-02-13 11:00:00+01', n = 3 FROM generate_series(1, 2003) n"
    )));
    on_both_engines(|here| {
        let from = ["user", "import", "--from", &other.url, "--table", "Users", "--hash", "node-scrypt"];
        let mapped = [
            "--column",
            "name=profile.names.0",
            "--column",
            "password_hash=pwd",
            "--column",
            "status=banned",
            "--status",
            "true=suspended",
            "--status",
            "false=active",
        ];
        let ran = here.run(&[&from[..], &mapped].concat()).ok();
        assert!(ran.out.contains("2003 added, 0 there already, 0 refused"), "{}", ran.out);
        let server = here.serve();
        assert_eq!(server.login("u2003@example.com", "caballo grapa 7").status, 200);
        let third = here.run(&["user", "show", "u3@example.com", "--json"]).ok().json();
        assert_eq!((&third["name"], &third["status"]), (&json!("U 3"), &json!("suspended")));
        assert_eq!(third["registration_date"], "2024-02-13T10:00:00.000Z");

        for file in ["out.jsonl", "out.csv"] {
            here.run(&["user", "export", file]).ok();
            let path = here.path(file);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            here.run(&["user", "export", file]).refused(1, "exists");
            let there = Installation::new();
            std::fs::copy(&path, there.path(file)).unwrap();
            let ran = there.run(&["user", "import", file]).ok();
            assert!(ran.out.contains("2003 added"), "{}", ran.out);
            assert_eq!(users(&there), users(&here));
            let server = there.serve();
            // One whose hash is Argon2id by now, one whose is as it came.
            assert_eq!(server.login("u2003@example.com", "caballo grapa 7").status, 200);
            assert_eq!(server.login("u1@example.com", "caballo grapa 7").status, 200);
        }
        let without = here.run(&["user", "export", "-", "--format", "csv", "--without-passwords"]).ok();
        assert!(without.out.starts_with("user_id,email,name,") && !without.out.contains("scrypt"), "{}", without.out);
        assert_eq!(without.out.lines().count(), 2004);
    });
}

#[test]
fn what_is_no_list_of_users_is_refused() {
    let here = Installation::new();
    write(&here, "quote.csv", &format!("email,name\na@example.com,A\nb@example.com,\"{}\n", "x,y\n".repeat(600_000)));
    let ran = here.run(&["user", "import", "quote.csv"]).refused(1, "from line 3 on");
    assert!(ran.out.contains("1 added"), "what came before it: {}", ran.out);
    write(&here, "short.csv", "id,email,bio\n11,a@x.com,\"hello\n12,b@x.com,x\n13,c@x.com,y\n");
    let short = here
        .run(&["user", "import", "short.csv", "--dry-run"])
        .refused(1, "from line 2 on, or before: a quote is not closed");
    assert!(short.out.starts_with("columns:") && short.out.contains("\n0 would be added"), "{}", short.out);
    write(&here, "stray.csv", "id,email,bio\n11,a@x.com,\"hello\n12,b@x.com,x\n13,c@x.com,y\"\n");
    let stray = here.run(&["user", "import", "stray.csv", "--dry-run"]).ok();
    assert!(stray.err.contains("1 of them run over several lines, the first at line 2"), "{}", stray.err);
    write(&here, "slip.jsonl", "{\"email\": \"a@x.com\", \"pwd\": \"x\"}\n");
    here.run(&["user", "import", "slip.jsonl", "--column", "password_hash=pasword"])
        .refused(2, "none of the 1 read so far has a column \"pasword\"");
    let late = "{\"email\": \"a@x.com\"}\n{\"email\": \"b@x.com\", \"role\": \"ADMIN\", \"disabled\": true}\n";
    write(&here, "late.jsonl", late);
    let late = here.run(&["user", "import", "late.jsonl", "--dry-run"]).ok();
    assert!(
        late.out.contains("email=email role=role\n") && late.out.contains("roles: admin 1, user 1"),
        "{}",
        late.out
    );
    assert!(late.err.contains("the column \"disabled\" is not read"), "{}", late.err);
    write(&here, "semicolons.csv", "id;mail\n");
    here.run(&["user", "import", "semicolons.csv"]).refused(2, "none of the columns is known as the address");
    std::fs::write(here.path("latin1.csv"), b"email,name\nc@example.com,Nand\xfa\n").unwrap();
    here.run(&["user", "import", "latin1.csv"]).refused(1, "line 2: it is not in UTF-8");
    write(&here, "long.jsonl", &format!("{{\"email\": \"d@example.com\", \"name\": \"{}\"}}\n", "x".repeat(2_000_000)));
    here.run(&["user", "import", "long.jsonl"]).refused(1, "line 1 has more than 1 MiB");
    write(&here, "users.txt", "email\ne@example.com\n");
    here.run(&["user", "import", "users.txt"]).refused(2, "say --format csv or --format jsonl");
    here.run(&["user", "import", "users.txt", "--format", "csv", "--column", "name=nombre"])
        .refused(2, "there is no column \"nombre\"; there are: email");
    here.run(&["user", "import", "users.txt", "--column", "nombre=name"]).refused(2, "there is no field \"nombre\"");
    here.run(&["user", "import", "users.txt", "--format", "csv", "--role", "1=boss"])
        .refused(2, "there is no role \"boss\"");
    here.run(&["user", "import", "users.txt", "--format", "csv", "--hash", "md5"])
        .refused(2, "--hash: there is no \"md5\"");
    here.run(&["user", "import", "nothing.csv"]).refused(1, "nothing.csv");
    here.run(&["user", "import"]).refused(2, "--from");
    write(&here, "empty.csv", "");
    here.run(&["user", "import", "empty.csv"]).refused(1, "there is nothing in it");
    let piped = here.run_with_input(
        &["user", "import", "-", "--format", "csv", "--delimiter", ";"],
        "email;name\nf@example.com;F\n",
    );
    assert!(piped.ok().out.contains("1 added"));
    assert_eq!(users(&here).len(), 2);
}

/// Who must not sign in there must not here, and nobody becomes an administrator by accident.
#[test]
fn nothing_is_guessed_that_would_let_somebody_in() {
    let here = Installation::new();
    let table = "email,role_id,is_active,banned\na@example.com,1,t,f\nb@example.com,2,,1\nc@example.com,2,0,t\n\
                 d@example.com,2,1,\ne@example.com,,TRUE,maybe\n";
    write(&here, "users.csv", table);
    let ran = here.run(&["user", "import", "users.csv", "--dry-run"]).refused(1, "4 would be refused");
    assert!(ran.err.contains("line 2: a@example.com: the role is \"1\": numbers are no names"), "{}", ran.err);
    assert!(ran.err.contains("the column \"banned\" is not read"), "{}", ran.err);
    let roles = ["user", "import", "users.csv", "--role", "1=admin", "--role", "2=user", "--dry-run"];
    let ran = here.run(&roles).refused(1, "line 3: b@example.com: the status is empty");
    assert!(ran.out.contains("roles: admin 1, user 3\nstatuses: active 3, inactive 1"), "{}", ran.out);
    let banned = ["--column", "status=banned", "--status", "true=suspended", "--status", "false=active"];
    let ran = here.run(&[&roles[..], &banned].concat()).refused(1, "2 would be refused");
    assert!(ran.out.contains("statuses: active 1, suspended 2"), "{}", ran.out);
    let ran = here.run(&[&roles[..], &banned, &["--status", "*=suspended"]].concat()).ok();
    assert!(ran.out.contains("statuses: active 1, suspended 4"), "{}", ran.out);
    let mixed = here.run(&["user", "import", "users.csv", "--column", "role=email", "--dry-run"]).refused(1, "line 2");
    assert!(!mixed.err.contains('$'));
    for (name, text) in [("users.csv", table), ("other", "x")] {
        write(&here, name, text);
        here.run(&["user", "import", "users.csv", "--dry-run", "--report", name])
            .refused(1, "is no report of an import");
        assert_eq!(std::fs::read_to_string(here.path(name)).unwrap(), text);
    }
}

#[test]
fn all_that_is_kept_of_a_person_is_shown_on_request() {
    on_both_engines(|here| {
        write(&here, "users.csv", &table());
        here.run(&IMPORT).refused(1, "7 were refused");
        let told = here.run(&["user", "data", "ana@example.com"]).ok();
        assert!(!told.out.contains("$2a$"), "{}", told.out);
        let data = told.json();
        assert_eq!((&data["user"]["user_id"], &data["user"]["role_name"]), (&json!(7), &json!("admin")));
        assert_eq!((&data["sessions"], &data["addresses"], &data["mails"]), (&json!([]), &json!([]), &json!([])));
        here.run(&["user", "data", "nobody@example.com"]).refused(1, "there is no user nobody@example.com");
    });
}
