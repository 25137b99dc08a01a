//! Certificates made for one test: an authority, the brokers' certificate and a client's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::spawn::on_path;

/// Of our own, as the machine's may hold anything.
const CONFIG: &str = "
[req]
distinguished_name = name
prompt = no
[name]
commonName = replaced by -subj
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[elsewhere]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:elsewhere.example
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
";

const DAYS: &str = "30";

/// Which certificate the brokers show at a listener with TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// A good one, for `localhost` and `127.0.0.1`.
    #[default]
    Good,
    /// One that ended yesterday.
    Expired,
    /// One for [`Pki::OTHER_HOST`] only.
    OfAnotherHost,
}

/// An authority and what it has signed, as PEM files of one folder.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
    openssl: PathBuf,
}

impl Pki {
    /// The only host that [`Shown::OfAnotherHost`] is for.
    pub const OTHER_HOST: &'static str = "elsewhere.example";

    /// Makes an authority, a certificate for `localhost` and `127.0.0.1`, and one for the client `client`.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let openssl = on_path("openssl").context("`openssl` is missing: it makes the certificates of the TLS tests")?;
        let pki = Self { folder: folder.to_owned(), openssl };
        fs::write(pki.path("openssl.cnf"), CONFIG)?;
        let name = "/CN=testbed authority";
        let certificate = ["-x509", "-days", DAYS, "-extensions", "authority", "-out", "ca.pem"];
        pki.openssl(&[&new_key("ca.key", name)[..], &certificate].concat())?;
        pki.sign("server", "server", "localhost", DAYS)?;
        pki.sign("client", "client", "client", DAYS)?;
        pki.make_store(Shown::Good)?;
        Ok(pki)
    }

    /// Makes what a listener shows that has another certificate than the good one.
    pub(super) fn make(&self, shown: Shown) -> Result<()> {
        match shown {
            Shown::Good => return Ok(()),
            Shown::Expired => self.sign("expired", "server", "localhost", "-1")?,
            Shown::OfAnotherHost => self.sign("elsewhere", "elsewhere", Self::OTHER_HOST, DAYS)?,
        }
        self.make_store(shown)
    }

    /// Kafka reads key and certificate from one file.
    fn make_store(&self, shown: Shown) -> Result<()> {
        let parts = ["key", "pem"].map(|kind| fs::read(self.path(&format!("{}.{kind}", stem(shown)))));
        let [key, certificate] = parts;
        Ok(fs::write(self.store(shown), [key?, certificate?].concat())?)
    }

    /// The authority's certificate, which clients trust.
    pub fn ca_path(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The server's certificate.
    pub fn server_certificate(&self) -> PathBuf {
        self.path("server.pem")
    }

    /// The server's key, readable without a password.
    pub fn server_key(&self) -> PathBuf {
        self.path("server.key")
    }

    /// The client's certificate.
    pub fn client_certificate(&self) -> PathBuf {
        self.path("client.pem")
    }

    /// The client's key, readable without a password.
    pub fn client_key(&self) -> PathBuf {
        self.path("client.key")
    }

    /// The client's key, encrypted with this password.
    pub fn encrypted_client_key(&self, password: &str) -> Result<PathBuf> {
        let password = format!("pass:{password}");
        self.openssl(&["pkcs8", "-topk8", "-in", "client.key", "-out", "client.encrypted.key", "-passout", &password])?;
        Ok(self.path("client.encrypted.key"))
    }

    /// Another certificate for the client `client`, and its new key. `name` is that of the files.
    pub fn another_client(&self, name: &str) -> Result<(PathBuf, PathBuf)> {
        self.sign(name, "client", "client", DAYS)?;
        Ok((self.path(&format!("{name}.pem")), self.path(&format!("{name}.key"))))
    }

    /// The brokers' key and certificate in one file.
    pub(super) fn store(&self, shown: Shown) -> PathBuf {
        self.path(&format!("{}.store.pem", stem(shown)))
    }

    /// A new key in the file of this name, and its certificate of a kind in [`CONFIG`].
    fn sign(&self, name: &str, kind: &str, common_name: &str, days: &str) -> Result<()> {
        let (key, request, signed) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        self.openssl(&[&new_key(&key, &format!("/CN={common_name}"))[..], &["-out", &request]].concat())?;
        self.openssl(
            &[
                &["x509", "-req", "-in", &request, "-out", &signed, "-days", days, "-extfile", "openssl.cnf"][..],
                &["-extensions", kind, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
            ]
            .concat(),
        )
    }

    fn openssl(&self, arguments: &[&str]) -> Result<()> {
        let output = Command::new(&self.openssl).args(arguments).current_dir(&self.folder).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "openssl {} failed:\n{said}", arguments.join(" "));
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// How the files of a certificate begin.
fn stem(shown: Shown) -> &'static str {
    match shown {
        Shown::Good => "server",
        Shown::Expired => "expired",
        Shown::OfAnotherHost => "elsewhere",
    }
}

/// The arguments for a certificate's request with a new key.
fn new_key<'a>(file: &'a str, name: &'a str) -> [&'a str; 12] {
    let curve = "ec_paramgen_curve:prime256v1";
    ["req", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", file, "-subj", name]
}
