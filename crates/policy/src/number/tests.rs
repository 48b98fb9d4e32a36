use phonenumber::{
    Mode,
    country::Id,
    metadata::{DATABASE, Metadata},
};

use super::*;

fn plan(country: Option<&str>) -> NumberPlan {
    NumberPlan::new(country, &Numbering::default())
}

/// A PBX in Böblingen with extensions of up to four digits and 0 for a line.
fn office() -> NumberPlan {
    let numbering = Numbering {
        area_code: Some("7031".into()),
        outside_line: Some("0".into()),
        extension_digits: Some(4),
        ..Numbering::default()
    };
    NumberPlan::new(Some("DE"), &numbering)
}

#[test]
fn all_spellings_of_a_number_are_one() {
    for (country, text, expected) in [
        (Some("DE"), "+49 (7031) 12-34", "+4970311234"),
        (Some("DE"), "+49 (0) 7031 1234", "+4970311234"),
        (Some("DE"), "+0049 7031 1234", "+4970311234"),
        (Some("DE"), "+0 7031 1234", "+4970311234"),
        (Some("DE"), "004970311234", "+4970311234"),
        (Some("DE"), "4970311234", "+4970311234"),
        (Some("DE"), "070311234", "+4970311234"),
        (Some("DE"), "tel:+49-7031-1234;phone-context=x", "+4970311234"),
        (Some("DE"), "%2B4970311234", "+4970311234"),
        (Some("DE"), "0044 (0) 20 7946 0018", "+442079460018"),
        (Some("AT"), "01 5321234", "+4315321234"),
        (Some("CH"), "+44 (0) 20 7946 0018", "+442079460018"),
        (Some("US"), "1 212 555 0100", "+12125550100"),
        (Some("US"), "212 555 0100", "+12125550100"),
        (Some("US"), "011 49 7031 1234", "+4970311234"),
        (Some("IT"), "06 1234 5678", "+390612345678"),
        (Some("IT"), "+39 06 1234 5678", "+390612345678"),
        (Some("ES"), "912 345 678", "+34912345678"),
        (Some("RU"), "8 800 555 35 35", "+78005553535"),
        (Some("RU"), "+7 800 555 35 35", "+78005553535"),
        (Some("AR"), "0343 15 555 1212", "+5493435551212"),
        (None, "004970311234", "+4970311234"),
        (None, "070311234", "070311234"),
        // Extensions stay what they are.
        (Some("DE"), "22", "22"),
        (Some("DE"), "022", "022"),
        (Some("DE"), "Erika", "erika"),
        (Some("DE"), "SIP:Erika@PBX.acme.example;transport=tcp", "erika@pbx.acme.example"),
        (Some("DE"), "", ""),
        (Some("DE"), "+", "+"),
    ] {
        assert_eq!(plan(country).canonical(text), expected, "{text} in {country:?}");
    }
}

#[test]
fn a_tenants_own_prefixes_and_area_code_apply() {
    for (text, expected) in [
        ("1234", "1234"),
        ("12345", "+49703112345"),
        ("07031 12345", "+49703112345"),
        ("49703112345", "+49703112345"),
        ("0711 12345", "+4971112345"),
        ("0049 711 12345", "+4971112345"),
    ] {
        assert_eq!(office().canonical(text), expected, "{text}");
    }
    let numbering = Numbering {
        international_prefix: Some("990".into()),
        national_prefix: Some("9".into()),
        ..Numbering::default()
    };
    let odd = NumberPlan::new(Some("DE"), &numbering);
    assert_eq!(odd.canonical("990 44 20 79460018"), "+442079460018");
    assert_eq!(odd.canonical("9 7031 1234"), "+4970311234");
    let without = Numbering { national_prefix: Some(String::new()), ..Numbering::default() };
    assert_eq!(NumberPlan::new(Some("DE"), &without).canonical("7031 1234"), "+4970311234");
}

#[test]
fn a_dialled_number_is_read_behind_the_digits_for_an_outside_line_as_well() {
    for (text, expected) in [
        ("0 07031 12345", Some("+49703112345")),
        ("0 12345", Some("+49703112345")),
        ("sip:0004420794600@pbx", Some("+4420794600")),
        ("12345", None),
        ("0123", None),
        ("+49703112345", None),
    ] {
        assert_eq!(office().behind_outside_line(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn the_user_part_of_an_address_is_a_number_of_its_own() {
    let plan = plan(Some("DE"));
    assert_eq!(plan.user_part("sip:070311234@pbx").as_deref(), Some("+4970311234"));
    assert_eq!(plan.user_part("22"), None);
}

/// An example of each kind of number that libphonenumber has for a country.
fn examples(metadata: &Metadata) -> Vec<&str> {
    let kinds = metadata.descriptors();
    let all = [
        kinds.fixed_line(),
        kinds.mobile(),
        kinds.toll_free(),
        kinds.premium_rate(),
        kinds.shared_cost(),
        kinds.personal_number(),
        kinds.voip(),
        kinds.uan(),
    ];
    all.into_iter().flatten().filter_map(|kind| kind.example()).collect()
}

/// Where the trunk prefix is 8, crate phonenumber takes it off twice, and `+7 800…` becomes `+70…`.
/// May only shrink.
const SLIPS_OF_THE_LIBRARY: [&str; 4] = ["BY", "KZ", "LT", "RU"];

#[test]
fn examples_of_every_country_have_one_spelling_and_the_library_has_the_same() {
    let mut wrong = Vec::new();
    let countries: Vec<_> = DATABASE.iter().filter(|metadata| metadata.id() != "001").collect();
    assert!(countries.len() > 200, "{} countries", countries.len());
    for metadata in countries {
        let (id, code) = (metadata.id(), metadata.country_code());
        let plan = plan(Some(id));
        let country: Id = id.parse().unwrap();
        let preferred = metadata.preferred_international_prefix();
        let idd = preferred.or(metadata.international_prefix().map(|prefix| prefix.as_str())).unwrap_or("00");
        for example in examples(metadata) {
            let expected = format!("+{code}{example}");
            let parsed = phonenumber::parse(Some(country), &expected).unwrap();
            if parsed.format().mode(Mode::E164).to_string() != expected && !SLIPS_OF_THE_LIBRARY.contains(&id)
            {
                wrong.push(format!("{id}: the library does not agree with {expected}"));
            }
            let mut spellings = vec![expected.clone(), format!("+{code} {example}")];
            if idd.bytes().all(|b| b.is_ascii_digit()) {
                spellings.push(format!("{idd}{code}{example}"));
            }
            if example.len() > EXTENSION_DIGITS {
                spellings.push(example.to_owned());
                spellings.push(format!("{}{example}", metadata.national_prefix().unwrap_or_default()));
            }
            for spelling in spellings {
                let ours = plan.canonical(&spelling);
                if ours != expected {
                    wrong.push(format!("{id}: {spelling} is {ours}, should be {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
