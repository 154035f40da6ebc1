//! Keys, lists and tokens that the vectors are about.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cerrojo_domain::KeyId;
use cerrojo_guard::{
    Algorithm, Claims, Header, SESSION_TYP, SigningKey, Status, StatusList, attach_signature, signing_input,
    status_list,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://auth.example.org";
pub(crate) const AUDIENCE: &str = "https://api.example.org";
/// 2026-02-13T10:00:00Z in milliseconds, when the guard's own clock shows 0.
pub(crate) const NOW: i64 = 1_770_976_800_000;

/// Lists that the guard knows at first: a small one, a large one, one whose size is no multiple of eight.
pub(crate) const SMALL: List = List { name: "sMaLLliST0000000000001", capacity: 1000, ended: &[3, 64, 999] };
pub(crate) const LARGE: List = List { name: "LaRGEliST0000000000002", capacity: 131_072, ended: &[0, 131_071] };
pub(crate) const ODD: List = List { name: "oDD-_iST00000000000003", capacity: 13, ended: &[12] };
/// A list that is made later.
pub(crate) const LATER: List = List { name: "LaTERliST0000000000004", capacity: 512, ended: &[7] };

/// Private keys, PKCS #8. They sign nothing but these vectors.
const KEYS: [(&str, Algorithm, &str); 5] = [
    (
        "kEy0000000000000000001",
        Algorithm::Es256,
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3HF3tADatOifpU5t65nKtF/7SUNQR8BZfCG9QEEKfCKhRANCAATUGpEQcDtCy7BHoDdbQuaa+PY7yelXI5l6HNK8qf3Brpm82Tz9PK26Sb5K+r34q2BQx+8/aJrgck9RFwLaVpjN",
    ),
    (
        "kEy0000000000000000002",
        Algorithm::Es256,
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsAuxQ6s9+kfkismhk+V/VDh6uliK4zgTLRa/uMveC4yhRANCAAR4MygPpK/5kWlPt/JJgwLXdh+qfH0ORKlWngofIeY0b6jemgUA152rqWKtM/YS3duVCKKlF9eu3wwUrJm3VgWG",
    ),
    (
        "kEy0000000000000000003",
        Algorithm::Es256,
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOJ8ti8/AnIi7hmL8X/JrI9kjS97TcX1+3twZ1ZWahGyhRANCAARViYAvTeDc0DXTwCbBhekmjNx03Mq1nJTkDBe7V6Xt3Cawyeakc6c78QzOH5hy1xSpIzGIPhFhgWxXYdC2NVq6",
    ),
    (
        "kEy0000000000000000004",
        Algorithm::Ed25519,
        "MFECAQEwBQYDK2VwBCIEIKt3UwXyBZCEmSpUh4g4fCB5Xi9r0t43WXg+HrEJxKYlgSEAK2zP+OIjuAQg2yw/3D5mZWK/+z8zFHipydi84psIMAc=",
    ),
    (
        "kEy0000000000000000005",
        Algorithm::EdDsa,
        "MFECAQEwBQYDK2VwBCIEIMegzyTyMv01zK1dE2G91BIQFzYE1OsuU8/dwg4W02ybgSEAcM1/BeUkFR1DU6x00gFu61lkEHAQqMVVkE2d0mHNGC4=",
    ),
];
const RSA: (&str, &[u8]) = ("kEy0000000000000000006", include_bytes!("../../src/hostile/server.pk8"));

/// Which of the keys signs. Where the vectors do not say otherwise the guard knows the first two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signer {
    First,
    Second,
    Third,
    Ed25519,
    EdDsa,
    Rs256,
}

/// A status list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    pub(crate) name: &'static str,
    pub(crate) capacity: u32,
    pub(crate) ended: &'static [u32],
}

impl List {
    /// As a `list` event has it.
    pub(crate) fn json(&self) -> Value {
        let mut bitmap = vec![0_u8; self.capacity.div_ceil(8) as usize];
        for index in self.ended {
            if let Some(byte) = bitmap.get_mut((index / 8) as usize) {
                *byte |= 1 << (index % 8);
            }
        }
        json!({ "name": self.name, "capacity": self.capacity, "lst": status_list::encode(&bitmap) })
    }
}

/// One of the keys.
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) pair: SigningKey,
}

impl Key {
    fn new(id: &str, algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, Box<dyn Error>> {
        let pair = SigningKey::from_pkcs8(algorithm, pkcs8).ok_or("a private key that does not open")?;
        Ok(Self { id: KeyId::from_text(id), pair })
    }

    pub(crate) fn jwk(&self) -> Option<Value> {
        self.pair.verifying_key().to_jwk(&self.id)
    }
}

type Signatures = HashMap<String, Vec<Vec<u8>>>;

/// What signs the vectors' tokens.
pub(crate) struct World {
    keys: Vec<Key>,
    /// Tokens of the file as it was, by what they are about.
    pub(crate) kept: HashMap<String, String>,
    /// Whatever stands behind a second dot in the file as it was, by what stands before it, in the file's order.
    earlier: Signatures,
    made: RefCell<HashMap<(KeyId, String), Vec<u8>>>,
}

impl World {
    pub(crate) fn new(earlier: &str) -> Result<Self, Box<dyn Error>> {
        let keys = KEYS.iter().map(|(id, algorithm, pkcs8)| Key::new(id, *algorithm, &STANDARD.decode(pkcs8)?));
        let keys = keys.chain([Key::new(RSA.0, Algorithm::Rs256, RSA.1)]);
        let (kept, earlier) = read(earlier);
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, kept, earlier, made: RefCell::default() })
    }

    pub(crate) fn key(&self, signer: Signer) -> Result<&Key, Box<dyn Error>> {
        self.keys.get(signer as usize).ok_or_else(|| "no such key".into())
    }

    /// The key's signature: the first that the file has, or a new one, and within one run always the same.
    pub(crate) fn sign(&self, key: &Key, input: &str) -> Vec<u8> {
        let mut made = self.made.borrow_mut();
        let of_key = (key.id.clone(), input.to_owned());
        if let Some(signature) = made.get(&of_key) {
            return signature.clone();
        }
        let mut earlier = self.earlier.get(input).into_iter().flatten();
        let kept = earlier.find(|signature| key.pair.verifying_key().verifies(input.as_bytes(), signature));
        let signature = kept.cloned().or_else(|| key.pair.sign(input)).unwrap_or_default();
        made.insert(of_key, signature.clone());
        signature
    }

    /// The JWK set of these keys.
    pub(crate) fn jwks(&self, signers: &[Signer]) -> Value {
        let keys = signers.iter().filter_map(|signer| self.key(*signer).ok());
        json!({ "keys": keys.filter_map(Key::jwk).collect::<Vec<_>>() })
    }

    pub(crate) fn first_keys(&self) -> Value {
        self.jwks(&[Signer::First, Signer::Second])
    }

    /// A valid token of the session at this place, signed by the first key.
    pub(crate) fn token(&self, list: &List, index: u32) -> Result<String, Box<dyn Error>> {
        self.token_by(Signer::First, list, index)
    }

    /// The same, signed by that key.
    pub(crate) fn token_by(&self, signer: Signer, list: &List, index: u32) -> Result<String, Box<dyn Error>> {
        self.signed(signer, &claims(list, index))
    }

    /// A token of these claims under the usual header.
    pub(crate) fn signed(&self, signer: Signer, claims: &impl serde::Serialize) -> Result<String, Box<dyn Error>> {
        let key = self.key(signer)?;
        let header = Header { alg: key.pair.algorithm(), typ: SESSION_TYP, kid: key.id.clone() };
        let input = signing_input(&header, claims);
        Ok(attach_signature(&input, &self.sign(key, &input)))
    }
}

pub(crate) fn first_lists() -> Vec<Value> {
    [SMALL, LARGE, ODD].iter().map(List::json).collect()
}

/// Claims of the session at this place.
pub(crate) fn claims(list: &List, index: u32) -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: "7".to_owned(),
        iat: NOW / 1000,
        exp: NOW / 1000 + 86_400,
        jti: "jTiJtIjTiJtIjTiJtIjTiJ".to_owned(),
        sid: format!("sId{index:019}"),
        status: Status { status_list: StatusList { idx: index, uri: format!("{ISSUER}/status-lists/{}", list.name) } },
        user_id: 7,
        email: "ana@example.org".to_owned(),
        role_id: 2,
        name: "Ana Núñez".to_owned(),
    }
}

/// Tokens of the file as it was, by what they are about; and what could be a signature, wherever it stands in it: that of
/// the good token stands before the attacks that were made from it.
fn read(file: &str) -> (HashMap<String, String>, Signatures) {
    let mut tokens = HashMap::new();
    let mut signatures = Signatures::new();
    // Line by line, since a JSON object would forget their order.
    for line in file.lines().filter_map(|line| serde_json::from_str::<Value>(line.trim_end_matches(',')).ok()) {
        if let (Some(about), Some(token)) = (line["about"].as_str(), line["token"].as_str()) {
            tokens.insert(about.to_owned(), token.to_owned());
        }
        let steps = line["steps"].as_array().into_iter().flatten().map(|step| &step["check"]);
        for token in steps.chain([&line["token"]]).filter_map(Value::as_str) {
            if let Some((input, signature)) = token.rsplit_once('.')
                && let Ok(signature) = URL_SAFE_NO_PAD.decode(signature)
            {
                signatures.entry(input.to_owned()).or_default().push(signature);
            }
        }
    }
    (tokens, signatures)
}
