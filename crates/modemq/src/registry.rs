//! The file that `modemq broker --iotda` reads: which devices there are, and what they are.
//!
//! Secrets may stand in it, in files of their own, or in the environment. No message shows one.

use crate::clock::unix_millis;
use credentials::Secret;
use instant::Instant;
use iotda::model::Service;
use iotda::{Config, Device, Platform, Product};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the secret of the one device that a command is about stands, when nothing else names it.
pub const SECRET_VARIABLE: &str = "MODEMQ_IOTDA_SECRET";

/// What the file may say, for `--help`.
pub const FORMAT: &str = r#"The file of --iotda, in TOML:
  [[device]]
  id = "64000697352830580e48df07_dev1"
  secret = "12345678"            # or secret_file = "dev1.secret", or secret_env = "DEV1_SECRET"
  product = "lamp"               # optional: checked against its model
  frozen = false                 # optional: true is refused with CONNACK 5

  [[product]]
  product_id = "lamp"
  model = "lamp.json"            # optional: service_capabilities as IoTDA's interface writes them
  custom_topics = ["$oc/devices/{device_id}/user/alarm"]   # optional: else any below user/
  allowed_topics = ["lamps/*"]   # optional: else any that does not begin with $oc"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    #[serde(default)]
    device: Vec<DeviceEntry>,
    #[serde(default)]
    product: Vec<ProductEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceEntry {
    id: String,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    product: Option<String>,
    #[serde(default)]
    frozen: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductEntry {
    product_id: String,
    model: Option<PathBuf>,
    service_capabilities: Option<Vec<Service>>,
    custom_topics: Option<Vec<String>>,
    allowed_topics: Option<Vec<String>>,
}

/// What of a product's description is used.
#[derive(Deserialize)]
struct Model {
    service_capabilities: Vec<Service>,
}

/// Reads the file; other files are found beside it.
///
/// # Errors
/// What is wrong with it, and where; never a secret.
pub fn read(path: &Path) -> Result<Config, String> {
    let at = |why: String| format!("{}: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|error| at(error.to_string()))?;
    // The library's message shows the line, and the line may hold a secret.
    let registry: Registry = toml::from_str(&text).map_err(|error| {
        let before = error.span().map_or("", |span| &text[..span.start]);
        at(format!(
            "line {}: {}",
            before.matches('\n').count() + 1,
            error.message()
        ))
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut config = Config::default();
    for entry in registry.device {
        let id = entry.id.clone();
        let device = entry
            .device(folder)
            .map_err(|why| at(format!("the device {id}: {why}")))?;
        config.devices.push(device);
    }
    for entry in registry.product {
        let id = entry.product_id.clone();
        let product = entry
            .product(folder)
            .map_err(|why| at(format!("the product {id}: {why}")))?;
        config.products.push(product);
    }
    if config.devices.is_empty() {
        return Err(at("there is no [[device]], so nobody could log in".into()));
    }
    Ok(config)
}

/// The platform for the devices of the file, whose time begins now and at [`Instant::ZERO`]; `news`: whether it tells of itself.
///
/// # Errors
/// What is wrong with the file, and where; never a secret.
pub fn platform(path: &Path, news: bool) -> Result<Platform, String> {
    let devices = Config {
        unix_ms: unix_millis().unwrap_or_default(),
        news,
        ..read(path)?
    };
    Platform::new(Instant::ZERO, devices).map_err(|why| format!("{}: {why}", path.display()))
}

impl DeviceEntry {
    fn device(self, folder: &Path) -> Result<Device, String> {
        let secret = match (self.secret, self.secret_file, self.secret_env) {
            (Some(secret), None, None) => Secret::from(secret),
            (None, Some(file), None) => secret_from_file(&folder.join(file))?,
            (None, None, Some(name)) => secret_from_environment(&name)?,
            _ => return Err("one of secret, secret_file and secret_env is wanted".into()),
        };
        Ok(Device {
            id: self.id,
            secret,
            product: self.product,
            frozen: self.frozen,
        })
    }
}

impl ProductEntry {
    fn product(self, folder: &Path) -> Result<Product, String> {
        let service_capabilities = match (self.model, self.service_capabilities) {
            (Some(_), Some(_)) => {
                return Err("either model or service_capabilities is wanted, not both".into());
            }
            (Some(file), None) => {
                let path = folder.join(file);
                let at = |why: String| format!("{}: {why}", path.display());
                let text = fs::read_to_string(&path).map_err(|error| at(error.to_string()))?;
                let model: Model =
                    serde_json::from_str(&text).map_err(|error| at(error.to_string()))?;
                Some(model.service_capabilities)
            }
            (None, services) => services,
        };
        Ok(Product {
            product_id: self.product_id,
            service_capabilities,
            custom_topics: self.custom_topics,
            allowed_topics: self.allowed_topics,
        })
    }
}

/// The first line of a file.
///
/// # Errors
/// It cannot be read, or is empty.
pub fn secret_from_file(path: &Path) -> Result<Secret, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(format!("{}: no secret in its first line", path.display())),
    }
}

/// A variable of the environment.
///
/// # Errors
/// It is not set.
pub fn secret_from_environment(name: &str) -> Result<Secret, String> {
    match std::env::var(name) {
        Ok(secret) if !secret.is_empty() => Ok(secret.into()),
        _ => Err(format!("{name} is not set in the environment")),
    }
}
