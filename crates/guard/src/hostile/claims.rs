//! Attacks on the claims, all properly signed: what a careless issuer under the same key might make, and must not pass.

use serde_json::{Value, json};

use super::{Forge, Hostile, prefixed, with};

/// 2100-01-01: later than any clock of a test.
const FAR_AHEAD: i64 = 4_102_444_800;

pub(super) fn attacks(forge: &Forge<'_>) -> Vec<Hostile> {
    let mut all = Vec::new();
    for (path, wrong) in wrong_values(&forge.claims) {
        for value in wrong {
            let shown = value.as_ref().map_or("missing".to_owned(), |it| it.to_string().chars().take(120).collect());
            let claims = with(&forge.claims, path, value).to_string();
            all.push((format!("claim {}: {shown}", path.join(".")), forge.sign_payload(claims.as_bytes())));
        }
    }
    all.extend(raw(forge));
    all.extend(other_kinds(forge));
    all
}

/// Wrong for a claim that is a string.
fn not_text(own: &Value) -> Vec<Option<Value>> {
    vec![
        None,
        Some(Value::Null),
        Some(json!(true)),
        Some(json!(7)),
        Some(json!(-1.5)),
        Some(json!([])),
        Some(json!([[own]])),
        Some(json!({})),
        Some(json!({ "0": own })),
    ]
}

/// Wrong for a claim that is an integer from 0.
fn not_number(own: &Value) -> Vec<Option<Value>> {
    let mut wrong = vec![
        None,
        Some(Value::Null),
        Some(json!(true)),
        Some(json!("")),
        Some(json!("12")),
        Some(json!(own.to_string())),
        Some(json!([own])),
        Some(json!({ "0": own })),
        Some(json!(own.as_f64())),
        Some(json!(0.5)),
        Some(json!(-1)),
        Some(json!(i64::MIN)),
        Some(json!(u64::MAX)),
        Some(json!(9_007_199_254_740_992_i64)),
        Some(json!(1e300)),
    ];
    wrong.push(Some(json!(format!(" {own}"))));
    wrong
}

fn and(mut wrong: Vec<Option<Value>>, more: impl IntoIterator<Item = Value>) -> Vec<Option<Value>> {
    wrong.extend(more.into_iter().map(Some));
    wrong
}

type Wrong = (&'static [&'static str], Vec<Option<Value>>);

fn wrong_values(claims: &Value) -> Vec<Wrong> {
    let own = |path: &[&str]| path.iter().try_fold(claims, |at, name| at.get(*name)).cloned().unwrap_or_default();
    let text = |path: &[&str]| own(path).as_str().unwrap_or_default().to_owned();
    let (iss, aud, sub) = (text(&["iss"]), text(&["aud"]), text(&["sub"]));
    let user = own(&["user_id"]).as_i64().unwrap_or_default();
    vec![
        (
            &["iss"],
            and(
                not_text(&json!(iss)),
                [json!(""), json!(format!("{iss}/")), json!("https://attacker.example"), json!([iss])],
            ),
        ),
        (
            &["aud"],
            and(
                not_text(&json!(aud)),
                [json!(""), json!("x"), json!(format!("{aud} ")), json!([aud, aud]), json!([aud, "x"]), json!(["x"])],
            ),
        ),
        (
            &["sub"],
            and(
                not_text(&json!(sub)),
                [
                    json!(""),
                    json!(format!("0{sub}")),
                    json!(format!("{sub} ")),
                    json!(user + 1),
                    json!((user + 1).to_string()),
                ],
            ),
        ),
        (&["jti"], and(not_text(&own(&["jti"])), [json!("")])),
        (&["sid"], and(not_text(&own(&["sid"])), [json!(""), json!("A".repeat(65))])),
        (&["email"], not_text(&own(&["email"]))),
        (&["name"], not_text(&own(&["name"]))),
        (&["user_id"], and(not_number(&json!(user)), [json!(0), json!(user + 1)])),
        (&["role_id"], and(not_number(&own(&["role_id"])), [json!(0)])),
        (&["iat"], and(not_number(&own(&["iat"])), [json!(FAR_AHEAD)])),
        (&["exp"], and(not_number(&own(&["exp"])), [json!(0), json!(1)])),
        (&["nbf"], and(not_number(&json!(0)).split_off(1), [json!(FAR_AHEAD)])),
        (&["status"], and(not_text(&own(&["status"])), [json!(""), json!([own(&["status"])])])),
        (&["status", "status_list"], and(not_text(&own(&["status", "status_list"])), [json!(""), json!([0, ""])])),
        (
            &["status", "status_list", "idx"],
            and(not_number(&own(&["status", "status_list", "idx"])), [json!(u32::MAX), json!(i64::from(u32::MAX) + 1)]),
        ),
        (&["status", "status_list", "uri"], wrong_addresses(&text(&["status", "status_list", "uri"]), &iss)),
    ]
}

fn wrong_addresses(own: &str, issuer: &str) -> Vec<Option<Value>> {
    let name = own.rsplit('/').next().unwrap_or_default();
    and(
        not_text(&json!(own)),
        [
            json!(""),
            json!(name),
            json!(format!("/status-lists/{name}")),
            json!(format!("https://attacker.example/status-lists/{name}")),
            json!(format!("{issuer}.attacker.example/status-lists/{name}")),
            json!(format!("{issuer}/status-lists/")),
            json!(format!("{issuer}/status-lists/AAAAAAAAAAAAAAAAAAAAAA")),
            json!(format!("{issuer}/status-lists/x/../{name}")),
            json!(format!("{issuer}//status-lists/{name}")),
            json!(format!("{own}/")),
            json!(format!("{own}?x")),
            json!(format!("{own}#x")),
            json!(format!("{own} ")),
        ],
    )
}

/// Payloads that are not the strict JSON object that they should be.
fn raw(forge: &Forge<'_>) -> Vec<Hostile> {
    let claims = String::from_utf8_lossy(&forge.payload);
    let more = |members: &str| prefixed(&claims, members).into_bytes();
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, value) in forge.claims.as_object().into_iter().flatten() {
        texts.push((format!("{name} twice"), more(&format!("\"{name}\":{value}"))));
        texts.push((format!("{name} twice, first null"), more(&format!("\"{name}\":null"))));
    }
    let nested = |from: &str, to: &str| claims.replacen(from, to, 1).into_bytes();
    let named: Vec<(&str, Vec<u8>)> = vec![
        ("sid twice, one escaped", more(r#""\u0073id":"x""#)),
        ("idx twice", nested(r#""idx":"#, r#""idx":0,"idx":"#)),
        ("uri twice", nested(r#""uri":"#, r#""uri":"x","uri":"#)),
        ("status_list twice", nested(r#""status_list":"#, r#""status_list":{},"status_list":"#)),
        ("deep", more(&format!("\"x\":{}{}", "[".repeat(64), "]".repeat(64)))),
        ("very deep", more(&format!("\"x\":{}", "[".repeat(3000)))),
        ("lone surrogate", more(r#""x":"\ud800""#)),
        ("lone surrogate in a member's name", more(r#""\udfff":1"#)),
        ("NUL", more(r#""x":"\u0000""#)),
        ("a number beyond all bounds", more(r#""x":1e999"#)),
        ("NaN", more(r#""x":NaN"#)),
        ("in an array", format!("[{claims}]").into_bytes()),
        ("a string", json!(claims).to_string().into_bytes()),
        ("null", b"null".to_vec()),
        ("a number", b"1".to_vec()),
        ("empty object", b"{}".to_vec()),
        ("empty", Vec::new()),
        ("something after it", format!("{claims}x").into_bytes()),
        ("a NUL byte after it", format!("{claims}\0").into_bytes()),
        ("twice", format!("{claims}{claims}").into_bytes()),
        ("cut short", claims.trim_end_matches('}').as_bytes().to_vec()),
        ("trailing comma", more(r#""x":[1,]"#)),
        ("comment", format!("{claims}//").into_bytes()),
        ("single quotes", claims.replace('"', "'").into_bytes()),
        ("byte order mark", format!("\u{feff}{claims}").into_bytes()),
        ("UTF-16", claims.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("form-encoded", b"sub=1&sid=x&user_id=1".to_vec()),
    ];
    texts.extend(named.into_iter().map(|(name, text)| (name.to_owned(), text)));
    let mut broken = more("\"x\":\"");
    broken.splice(6..6, *b"\xff\"");
    texts.push(("not UTF-8".to_owned(), broken));
    texts.into_iter().map(|(name, text)| (format!("payload: {name}"), forge.sign_payload(&text))).collect()
}

/// Other tokens that the same key could have signed.
fn other_kinds(forge: &Forge<'_>) -> Vec<Hostile> {
    let list = json!({
        "sub": forge.claims.pointer("/status/status_list/uri"), "iat": forge.claims.get("iat"),
        "exp": forge.claims.get("exp"), "ttl": 60, "status_list": { "bits": 1, "lst": "eNrbuRgAAhcBXQ" },
    });
    let bare = with(&with(&forge.claims, &["sid"], None), &["status"], None);
    let nobody = |user: i64| {
        let claims =
            with(&with(&forge.claims, &["user_id"], Some(json!(user))), &["sub"], Some(json!(user.to_string())));
        forge.sign_payload(claims.to_string().as_bytes())
    };
    let typ = |typ: &str| forge.header_with("typ", Some(json!(typ))).to_string();
    let nested = forge.header_with("cty", Some(json!("JWT"))).to_string();
    let tokens = [
        ("a status list", forge.sign(typ("statuslist+jwt").as_bytes(), list.to_string().as_bytes())),
        ("a status list that says it is a session", forge.sign(typ("at+jwt").as_bytes(), list.to_string().as_bytes())),
        ("a session that says it is a status list", forge.sign(typ("statuslist+jwt").as_bytes(), &forge.payload)),
        ("without sid and status", forge.sign_payload(bare.to_string().as_bytes())),
        ("without sid and status, plain JWT", forge.sign(typ("JWT").as_bytes(), bare.to_string().as_bytes())),
        ("for user 0", nobody(0)),
        ("for user -1", nobody(-1)),
        ("a token inside a token", forge.sign(nested.as_bytes(), forge.good.as_bytes())),
    ];
    tokens.into_iter().map(|(name, token)| (format!("other kind: {name}"), token)).collect()
}
