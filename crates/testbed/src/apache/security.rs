//! How clients reach the brokers: the listener's protocol, logins and rights, as lines of `server.properties`.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::pki::{Pki, Shown};

/// How clients log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// Name and password as they are.
    Plain,
    /// Challenge and response by SHA-256.
    ScramSha256,
    /// Challenge and response by SHA-512.
    ScramSha512,
    /// A token. The brokers take unsigned ones (`{"alg":"none"}` with `sub`, `iat`, `exp`), as Kafka does by default.
    OAuthBearer,
}

impl Sasl {
    /// As clients name it in `sasl.mechanism`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }
}

/// Which side shows a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// The brokers.
    Server,
    /// The brokers and the clients. A client is known by its certificate's common name.
    Mutual,
}

/// One more listener for clients, see [`super::Builder::listener`].
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// Its name: capital letters and digits.
    pub name: &'static str,
    /// How clients log in there.
    pub sasl: &'static [Sasl],
    /// Whether there is TLS.
    pub tls: Option<Tls>,
    /// The certificate that is shown there.
    pub shown: Shown,
}

/// Everything about a listener of the clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Security {
    pub(super) sasl: Vec<Sasl>,
    pub(super) users: Vec<(String, String)>,
    pub(super) tls: Option<Tls>,
    pub(super) shown: Shown,
    pub(super) acls: bool,
}

impl Security {
    /// As clients name it in `security.protocol`.
    pub(super) fn protocol(&self) -> &'static str {
        match (self.sasl.is_empty(), self.tls) {
            (true, None) => "PLAINTEXT",
            (true, Some(_)) => "SSL",
            (false, None) => "SASL_PLAINTEXT",
            (false, Some(_)) => "SASL_SSL",
        }
    }

    /// Of another listener of the same cluster.
    pub(super) fn at(&self, listener: Listener) -> Self {
        let Listener { sasl, tls, shown, .. } = listener;
        Self { sasl: sasl.to_vec(), tls, shown, ..self.clone() }
    }

    /// Whether clients have names, which rights are given to.
    fn has_names(&self) -> bool {
        !self.sasl.is_empty() || self.tls == Some(Tls::Mutual)
    }

    pub(super) fn check(&self, more: &[Listener]) -> Result<()> {
        // Brokers are anonymous among each other, and super users: with anonymous clients only, no right would be refused.
        ensure!(
            !self.acls || self.has_names() || more.iter().any(|listener| self.at(*listener).has_names()),
            "rights need clients with a name: add SASL or Tls::Mutual"
        );
        for (name, password) in &self.users {
            // What two of Kafka's own syntaxes, of logins and of the storage tool, take without escapes.
            let odd = |text: &str| text.is_empty() || text.contains(['"', '\\', ',', '[', ']', '=', '\n']);
            ensure!(!odd(name) && !odd(password), "name and password of {name} may not be empty or hold \" \\ , [ ] =");
        }
        Ok(())
    }

    /// The arguments that make the SCRAM users when the storage is formatted.
    pub(super) fn format_arguments(&self, more: &[Listener]) -> Vec<String> {
        let offered = |mechanism: &Sasl| {
            self.sasl.contains(mechanism) || more.iter().any(|listener| listener.sasl.contains(mechanism))
        };
        let scram = [Sasl::ScramSha256, Sasl::ScramSha512].into_iter().filter(offered);
        let users = scram.flat_map(|mechanism| {
            self.users
                .iter()
                .map(move |(name, password)| format!("{}=[name={name},password={password}]", mechanism.name()))
        });
        users.flat_map(|user| ["--add-scram".to_owned(), user]).collect()
    }

    /// The broker's side of it. `listener` is the name of the clients' listener, in lower case.
    pub(super) fn properties(&self, listener: &str, pki: Option<&Pki>) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        let mut set = |key: String, value: String| properties.insert(key, value);
        if !self.sasl.is_empty() {
            let names: Vec<_> = self.sasl.iter().map(|mechanism| mechanism.name()).collect();
            set(format!("listener.name.{listener}.sasl.enabled.mechanisms"), names.join(","));
        }
        for mechanism in &self.sasl {
            let mechanism_name = mechanism.name().to_ascii_lowercase();
            set(format!("listener.name.{listener}.{mechanism_name}.sasl.jaas.config"), self.login_module(*mechanism));
        }
        if let (Some(tls), Some(pki)) = (self.tls, pki) {
            let stores = [
                ("ssl.keystore.type", "PEM".to_owned()),
                ("ssl.keystore.location", pki.store(self.shown).display().to_string()),
                ("ssl.truststore.type", "PEM".to_owned()),
                ("ssl.truststore.location", pki.ca_path().display().to_string()),
                ("ssl.client.auth", if tls == Tls::Mutual { "required" } else { "none" }.to_owned()),
            ];
            for (key, value) in stores {
                set(format!("listener.name.{listener}.{key}"), value);
            }
            set("ssl.principal.mapping.rules".to_owned(), "RULE:^CN=([^,]*).*$/$1/,DEFAULT".to_owned());
        }
        if self.acls {
            let authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
            set("authorizer.class.name".to_owned(), authorizer.to_owned());
            set("super.users".to_owned(), "User:ANONYMOUS".to_owned());
        }
        properties
    }

    fn login_module(&self, mechanism: Sasl) -> String {
        const MODULES: &str = "org.apache.kafka.common.security";
        match mechanism {
            Sasl::Plain => {
                let users: String =
                    self.users.iter().map(|(name, password)| format!(" user_{name}=\"{password}\"")).collect();
                format!("{MODULES}.plain.PlainLoginModule required{users};")
            }
            Sasl::ScramSha256 | Sasl::ScramSha512 => {
                format!("{MODULES}.scram.ScramLoginModule required;")
            }
            // The broker itself wants to log in too, so it is given a name.
            Sasl::OAuthBearer => format!(
                "{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"
            ),
        }
    }
}
