//! Opens the MaxMind database that `iplocation` uses.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use maxminddb::{Reader, geoip2};
use spilltrail_search::context::GeoDatabase;

use crate::error::AppError;
use crate::option_file;

/// Maximum size of a database; it is held in memory. The largest that MaxMind sells has a tenth of it.
const MAX_BYTES: u64 = 2 << 30;

#[derive(Debug)]
struct MaxMind(Reader<Vec<u8>>);

/// Opens a MaxMind City or Country database.
///
/// # Errors
/// Fails if the file cannot be read, has more than [`MAX_BYTES`], or is not a valid MaxMind database.
pub(crate) fn open(path: &Path) -> Result<Arc<dyn GeoDatabase>, AppError> {
    let failed = |reason: String| AppError::File { path: path.to_owned(), reason };
    let bytes = option_file::read(path, MAX_BYTES).map_err(|error| failed(error.to_string()))?;
    let reader = Reader::from_source(bytes)
        .map_err(|error| failed(format!("not a MaxMind database: {error}")))?;
    Ok(Arc::new(MaxMind(reader)))
}

impl GeoDatabase for MaxMind {
    fn build(&self) -> String {
        let metadata = self.0.metadata();
        format!("{} {}", metadata.database_type, metadata.build_epoch)
    }

    fn locate(&self, address: &str, all: bool, language: &str) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let Ok(address) = address.trim().parse::<IpAddr>() else { return found };
        let Ok(result) = self.0.lookup(address) else { return found };
        let Ok(Some(city)) = result.decode::<geoip2::City<'_>>() else { return found };
        let name = |names: &geoip2::Names<'_>| {
            let localized = match language {
                "de" => names.german,
                "es" => names.spanish,
                "fr" => names.french,
                "ja" => names.japanese,
                "pt-BR" => names.brazilian_portuguese,
                "ru" => names.russian,
                "zh-CN" => names.simplified_chinese,
                _ => names.english,
            };
            localized.or(names.english).map(str::to_owned)
        };
        let region = city.subdivisions.first().and_then(|region| name(&region.names));
        let mut add = |field: &'static str, value: Option<String>| {
            found.extend(value.map(|value| (field, value)));
        };
        add("City", name(&city.city.names));
        add("Country", name(&city.country.names));
        add("Region", region);
        add("lat", city.location.latitude.map(|latitude| latitude.to_string()));
        add("lon", city.location.longitude.map(|longitude| longitude.to_string()));
        if all {
            add("Continent", name(&city.continent.names));
            add("MetroCode", city.location.metro_code.map(|code| code.to_string()));
            add("Timezone", city.location.time_zone.map(str::to_owned));
        }
        found
    }
}
