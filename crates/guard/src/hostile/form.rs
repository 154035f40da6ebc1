//! Attacks on the form: parts, base64url, other serialisations, size.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{Forge, Hostile, prefixed};

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn attacks(forge: &Forge<'_>) -> Vec<Hostile> {
    let mut all = parts(forge);
    all.extend(surroundings(forge));
    all.extend(encodings(forge));
    all.extend(serialisations(forge));
    all.extend(sizes(forge));
    all
}

fn named(area: &str, tokens: Vec<(&str, String)>) -> Vec<Hostile> {
    tokens.into_iter().map(|(name, token)| (format!("{area}: {name}"), token)).collect()
}

fn parts(forge: &Forge<'_>) -> Vec<Hostile> {
    let (header, payload, signature) = forge.parts();
    let good = forge.good;
    named(
        "parts",
        vec![
            ("nothing", String::new()),
            ("one dot", ".".to_owned()),
            ("two dots", "..".to_owned()),
            ("three dots", "...".to_owned()),
            ("header alone", header.to_owned()),
            ("no signature part", format!("{header}.{payload}")),
            ("empty signature", format!("{header}.{payload}.")),
            ("empty payload", format!("{header}..{signature}")),
            ("empty payload, signed", forge.sign_text(&format!("{header}."))),
            ("empty header", format!(".{payload}.{signature}")),
            ("empty header, signed", forge.sign_text(&format!(".{payload}"))),
            ("a fourth, empty", format!("{good}.")),
            ("a fourth", format!("{good}.{signature}")),
            ("a first, empty", format!(".{good}")),
            ("payload twice, signed", forge.sign_text(&format!("{header}.{payload}.{payload}"))),
            ("header and payload exchanged", format!("{payload}.{header}.{signature}")),
            ("header and payload exchanged, signed", forge.sign_text(&format!("{payload}.{header}"))),
            ("twice", format!("{good}{good}")),
            ("twice with a comma", format!("{good},{good}")),
            ("other separators", good.replace('.', ":")),
            ("full-width dots", good.replace('.', "\u{ff0e}")),
        ],
    )
}

fn surroundings(forge: &Forge<'_>) -> Vec<Hostile> {
    let (header, payload, signature) = forge.parts();
    let good = forge.good;
    let mut all = Vec::new();
    for (name, text) in [
        ("space", " "),
        ("tab", "\t"),
        ("newline", "\n"),
        ("carriage return and newline", "\r\n"),
        ("NUL", "\0"),
        ("no-break space", "\u{a0}"),
        ("zero-width space", "\u{200b}"),
        ("byte order mark", "\u{feff}"),
        ("quotation mark", "\""),
        ("percent-encoded space", "%20"),
    ] {
        all.push((format!("{name} before"), format!("{text}{good}")));
        all.push((format!("{name} after"), format!("{good}{text}")));
        all.push((format!("{name} after the header"), format!("{header}{text}.{payload}.{signature}")));
        all.push((format!("{name} in a signed header"), forge.sign_text(&format!("{text}{header}.{payload}"))));
        all.push((format!("{name} in a signed payload"), forge.sign_text(&format!("{header}.{payload}{text}"))));
    }
    all.push(("scheme inside".to_owned(), format!("Bearer {good}")));
    all.push(("upper case".to_owned(), good.to_ascii_uppercase()));
    all.push(("lower case".to_owned(), good.to_ascii_lowercase()));
    all.push(("backwards".to_owned(), good.chars().rev().collect()));
    all.push(("full-width first letter".to_owned(), good.replacen('e', "\u{ff45}", 1)));
    all
}

fn encodings(forge: &Forge<'_>) -> Vec<Hostile> {
    let (header, payload, signature) = forge.parts();
    let mut all = named(
        "base64",
        vec![
            ("signature padded", format!("{}=", forge.good)),
            ("signature padded twice", format!("{}==", forge.good)),
            ("header padded, signed", forge.sign_text(&format!("{header}=.{payload}"))),
            ("header padded twice, signed", forge.sign_text(&format!("{header}==.{payload}"))),
            ("payload padded, signed", forge.sign_text(&format!("{header}.{payload}="))),
            ("payload padded twice, signed", forge.sign_text(&format!("{header}.{payload}=="))),
            ("header plain, signed", forge.sign_text(&format!("{}.{payload}", forge.header_text))),
            ("signature of one letter more", format!("{}A", forge.good)),
        ],
    );
    if let Some(signature) = with_stray_bits(signature) {
        all.push(("base64: stray bits in the signature".to_owned(), format!("{header}.{payload}.{signature}")));
    }
    // A header and a payload of each length, so that some have bits to spare, with text that the two alphabets write
    // differently.
    let claims = String::from_utf8_lossy(&forge.payload);
    for filling in ["?>~", "?>~?", "?>~?>", "\u{fb}\u{ff}\u{fe}?>~?>~"] {
        let member = format!("\"filling\":\"{filling}\"");
        for (name, token) in respelt(&prefixed(&forge.header_text, &member)) {
            all.push((format!("base64: {name} in a signed header"), forge.sign_text(&format!("{token}.{payload}"))));
        }
        for (name, token) in respelt(&prefixed(&claims, &member)) {
            all.push((format!("base64: {name} in a signed payload"), forge.sign_text(&format!("{header}.{token}"))));
        }
    }
    let other = signature.replace('-', "+").replace('_', "/");
    if other != signature {
        all.push(("base64: the other alphabet in the signature".to_owned(), format!("{header}.{payload}.{other}")));
    }
    all
}

/// A text in base64 as a careless decoder would take it too.
fn respelt(text: &str) -> Vec<Hostile> {
    let mut all = Vec::new();
    if let Some(stray) = with_stray_bits(&URL_SAFE_NO_PAD.encode(text)) {
        all.push((format!("stray bits after {} bytes", text.len()), stray));
    }
    let standard = STANDARD_NO_PAD.encode(text);
    if standard.contains(['+', '/']) {
        all.push((format!("{} bytes in the other alphabet", text.len()), standard));
    }
    all
}

/// The same bytes to a careless decoder: the last letter with a bit set that none of them takes up.
fn with_stray_bits(encoded: &str) -> Option<String> {
    if encoded.len() % 4 < 2 {
        return None;
    }
    let last = encoded.chars().next_back()?;
    let next = ALPHABET.chars().nth(ALPHABET.find(last)? + 1)?;
    Some(format!("{}{next}", encoded.strip_suffix(last)?))
}

fn serialisations(forge: &Forge<'_>) -> Vec<Hostile> {
    let (header, payload, signature) = forge.parts();
    let general = json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] });
    let flattened = json!({ "payload": payload, "protected": header, "signature": signature });
    let unprotected = json!({ "payload": payload, "header": forge.header, "signature": signature });
    let jwe = URL_SAFE_NO_PAD.encode(json!({ "alg": "dir", "enc": "A256GCM", "typ": "at+jwt" }).to_string());
    let encrypted_key = URL_SAFE_NO_PAD.encode(json!({ "alg": "ECDH-ES", "enc": "A128GCM" }).to_string());
    named(
        "serialisation",
        vec![
            ("general JSON", general.to_string()),
            ("flattened JSON", flattened.to_string()),
            ("unprotected header", unprotected.to_string()),
            ("general JSON in base64url", URL_SAFE_NO_PAD.encode(general.to_string())),
            ("JSON string", format!("\"{}\"", forge.good)),
            ("JWE with a direct key", format!("{jwe}..AAAAAAAAAAAAAAAA.{payload}.AAAAAAAAAAAAAAAAAAAAAA")),
            ("JWE with our parts", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
            ("JWE header on three parts, signed", forge.sign_text(&format!("{jwe}.{payload}"))),
            ("JWE with key agreement", format!("{encrypted_key}..AAAAAAAAAAAAAAAA.{payload}.AAAAAAAAAAAAAAAAAAAAAA")),
            ("claims alone", String::from_utf8_lossy(&forge.payload).into_owned()),
            ("claims alone in base64url", payload.to_owned()),
        ],
    )
}

fn sizes(forge: &Forge<'_>) -> Vec<Hostile> {
    let claims = String::from_utf8_lossy(&forge.payload);
    let filled =
        |bytes: usize| forge.sign_payload(prefixed(&claims, &format!("\"x\":\"{}\"", "A".repeat(bytes))).as_bytes());
    let long_header = prefixed(&forge.header_text, &format!("\"x\":\"{}\"", "A".repeat(8192)));
    named(
        "size",
        vec![
            ("signed, with 8 KiB of filling", filled(8 * 1024)),
            ("signed, with 1 MiB of filling", filled(1024 * 1024)),
            ("signed, with a header of 8 KiB", forge.sign(long_header.as_bytes(), &forge.payload)),
            ("8 KiB more of signature", format!("{}{}", forge.good, "A".repeat(8 * 1024))),
            ("1 MiB of letters", "A".repeat(1024 * 1024)),
            ("100,000 dots", ".".repeat(100_000)),
        ],
    )
}
