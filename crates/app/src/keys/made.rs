//! Keys made, before anything is held in the database: RSA takes a good part of a second.

use std::convert::Infallible;
use std::sync::Arc;

use cerrojo_domain::{KeyId, Random, UnixMillis};
use cerrojo_guard::{Algorithm, SigningKey};
use cerrojo_store::keys::Key;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use super::MasterKey;
use super::halves::{public_half, seal_label};
use crate::Trouble;

/// Bits of an RSA modulus: as strong as 128 bits (NIST SP 800-57 part 1, table 2), as the other algorithms are.
const RSA_BITS: usize = 3072;

/// What new keys are made with.
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) random: Arc<dyn Random>,
    pub(super) master: Arc<MasterKey>,
}

impl Maker {
    /// A new key, its private half sealed. Nothing knows it yet, and it counts as made when it is added.
    pub(super) async fn make(&self, algorithm: Algorithm, purpose: &'static str) -> Result<Key, Trouble> {
        let this = self.clone();
        let made = tokio::task::spawn_blocking(move || this.make_now(algorithm, purpose)).await;
        made.map_err(|error| Trouble::Internal(format!("a signing key could not be made: {error}")))?
    }

    fn make_now(&self, algorithm: Algorithm, purpose: &str) -> Result<Key, Trouble> {
        let broken = || Trouble::Internal(format!("a signing key for {} could not be made", algorithm.name()));
        let pkcs8 = if algorithm == Algorithm::Rs256 {
            rsa(&*self.random).ok_or_else(broken)?
        } else {
            let made = SigningKey::generate_pkcs8(algorithm).ok_or_else(broken)?;
            Zeroizing::new(made.as_ref().to_vec())
        };
        // Read back by what will sign with it, which is another library than the one that made an RSA key.
        let half = SigningKey::from_pkcs8(algorithm, &pkcs8).ok_or_else(broken)?;
        let mut key = unmade(KeyId::new(&*self.random), algorithm, purpose);
        key.public = public_half(half.verifying_key()).to_vec();
        key.sealed = self.master.seal(&*self.random, &seal_label(&key), &pkcs8)?;
        Ok(key)
    }
}

/// A key without halves.
pub(super) fn unmade(id: KeyId, algorithm: Algorithm, purpose: &str) -> Key {
    Key {
        id,
        algorithm: algorithm.name().to_owned(),
        purpose: purpose.to_owned(),
        public: Vec::new(),
        sealed: Vec::new(),
        created_at: UnixMillis(0),
        rotated_at: None,
        retired_at: None,
    }
}

/// PKCS #8 of a new RSA key with the exponent 65537. Made and written here, and nothing else is done with this library.
fn rsa(random: &dyn Random) -> Option<Zeroizing<Vec<u8>>> {
    let key = rsa::PrivateKey::new(&mut Drawn(random), RSA_BITS).ok()?;
    Some(Zeroizing::new(key.to_pkcs8_der().ok()?.as_bytes().to_vec()))
}

/// Our randomness, as the library asks for it.
struct Drawn<'a>(&'a dyn Random);

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.0.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.0.bytes()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}

#[cfg(test)]
mod tests {
    use cerrojo_domain::SystemRandom;

    use super::*;

    #[tokio::test]
    async fn a_key_is_made_for_each_algorithm_and_two_are_not_the_same() {
        let master = MasterKey::generate(&SystemRandom);
        let maker = Maker { random: Arc::new(SystemRandom), master: Arc::new(master) };
        for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::EdDsa, Algorithm::Rs256] {
            let [one, other] = [(); 2].map(|()| maker.make(algorithm, "session"));
            let (one, other) = (one.await.unwrap(), other.await.unwrap());
            assert_eq!((one.algorithm.as_str(), one.purpose.as_str()), (algorithm.name(), "session"));
            assert!(one.id != other.id && one.public != other.public);
            let pkcs8 = maker.master.unseal(&seal_label(&one), &one.sealed).unwrap();
            let half = SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap();
            assert_eq!(public_half(half.verifying_key()), one.public);
            if algorithm == Algorithm::Rs256 {
                assert_eq!(one.public.len() * 8, RSA_BITS);
                assert!(one.public[0] >= 0x80);
            }
        }
        assert!(maker.make(Algorithm::Hs256, "session").await.is_err());
    }
}
