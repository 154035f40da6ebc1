//! Roles: numbers with names. 1 and 2 are fixed by the contract; an application may declare more.

use std::collections::BTreeMap;

/// A role's number.
pub type RoleId = i64;

/// The administrator's role.
pub const ADMIN_ROLE: RoleId = 1;
/// The role of whoever registers.
pub const USER_ROLE: RoleId = 2;

/// One role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its number.
    pub id: RoleId,
    /// Its name, as shown in `role` and `role_name`.
    pub name: String,
}

/// The roles that exist: `admin`, `user` and the declared ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeMap<RoleId, String>);

impl Roles {
    /// The two fixed roles and `declared` ones (number to name). A declared number of 1 or 2, one below 1, an empty name
    /// or a name used twice is an error that says which.
    pub fn new(declared: impl IntoIterator<Item = (RoleId, String)>) -> Result<Self, String> {
        let mut roles = BTreeMap::from([(ADMIN_ROLE, "admin".to_owned()), (USER_ROLE, "user".to_owned())]);
        for (id, name) in declared {
            if id <= USER_ROLE {
                return Err(format!("role {id} cannot be declared: 1 is admin, 2 is user, further ones start at 3"));
            }
            if name.trim().is_empty() || roles.values().any(|known| *known == name) {
                return Err(format!("role {id} needs a name of its own"));
            }
            roles.insert(id, name);
        }
        Ok(Self(roles))
    }

    /// The name of a role; a number that is no longer declared is shown as itself.
    #[must_use]
    pub fn name(&self, id: RoleId) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Whether a role of this number exists.
    #[must_use]
    pub fn exists(&self, id: RoleId) -> bool {
        self.0.contains_key(&id)
    }

    /// Every role, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (RoleId, &str)> {
        self.0.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// The role of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<RoleId> {
        self.0.iter().find(|(_, known)| *known == name).map(|(id, _)| *id)
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self(BTreeMap::from([(ADMIN_ROLE, "admin".to_owned()), (USER_ROLE, "user".to_owned())]))
    }
}
