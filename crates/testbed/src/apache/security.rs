//! How clients reach the brokers: the listener's protocol, logins and rights, as lines of `server.properties`.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::pki::Pki;

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

    fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha256 | Self::ScramSha512)
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

/// Everything about the listener of the clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Security {
    pub(super) sasl: Vec<Sasl>,
    pub(super) users: Vec<(String, String)>,
    pub(super) tls: Option<Tls>,
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

    pub(super) fn check(&self) -> Result<()> {
        // Brokers are anonymous among each other, and super users: with anonymous clients too, no right would be refused.
        ensure!(
            !self.acls || !self.sasl.is_empty() || self.tls == Some(Tls::Mutual),
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
    pub(super) fn format_arguments(&self) -> Vec<String> {
        let scram = self.sasl.iter().filter(|mechanism| mechanism.is_scram());
        let users = scram.flat_map(|mechanism| {
            self.users.iter().map(|(name, password)| format!("{}=[name={name},password={password}]", mechanism.name()))
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
                ("ssl.keystore.location", pki.server_store().display().to_string()),
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
