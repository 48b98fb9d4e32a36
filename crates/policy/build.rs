//! Takes what the policy needs to know of each country's numbers out of libphonenumber's metadata.
//! At run time only the tenant's own country is compiled: loading the whole library would take a
//! process longer than everything else at its start.

use std::{env, fmt::Write, fs, path::Path};

use phonenumber::metadata::{DATABASE, Metadata};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let mut countries: Vec<&Metadata> = DATABASE.iter().filter(|country| country.id() != "001").collect();
    countries.sort_unstable_by_key(|country| country.id());
    let mut source = format!("static COUNTRIES: [Known; {}] = [\n", countries.len());
    for country in &countries {
        let line = writeln!(
            source,
            "Known {{ id: {:?}, code: {}, international: {:?}, trunk: {:?}, parsing: {:?}, transform: {:?}, numbers: {:?}, compiled: OnceLock::new() }},",
            country.id(),
            country.country_code(),
            country.international_prefix().map(|pattern| compact(pattern.as_str())),
            country.national_prefix(),
            country.national_prefix_for_parsing().map(|pattern| compact(pattern.as_str())),
            country.national_prefix_transform_rule(),
            compact(country.descriptors().general().national_number().as_str()),
        );
        line.expect("a String takes everything");
    }
    source.push_str("];\n");
    // Where several countries share a code, its main country says how it is dialled.
    let is_main = |country: &&&Metadata| {
        country.is_main_country_for_code()
            || countries.iter().filter(|other| other.country_code() == country.country_code()).count() == 1
    };
    let mut zero: Vec<u16> = countries
        .iter()
        .filter(is_main)
        .filter(|country| country.national_prefix() == Some("0"))
        .map(|country| country.country_code())
        .collect();
    zero.sort_unstable();
    writeln!(source, "static WITH_TRUNK_ZERO: &[u16] = &{zero:?};").expect("a String takes everything");
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&folder).join("countries.rs"), source).expect("OUT_DIR can be written");
}

/// The metadata lays its expressions out over several lines.
fn compact(pattern: &str) -> String {
    pattern.split_whitespace().collect()
}
