//! Which announcements there are.

use media::announcement::{Announcement, built_in as file_of, built_in_names};

use super::{LibraryArgs, format, seconds, used_by};

/// One announcement a line: tenant, name, seconds, format, SHA-256, source, who uses it.
pub fn run(args: &LibraryArgs) -> anyhow::Result<()> {
    let loaded = args.load()?;
    for problem in loaded.problems.iter() {
        eprintln!("{problem}");
    }
    let mut rows = Vec::new();
    for (id, tenant) in &loaded.resources.tenants {
        if args.tenant.as_ref().is_some_and(|wanted| wanted != id) {
            continue;
        }
        for (name, announcement) in &tenant.announcements {
            rows.push([
                id.to_string(),
                name.to_string(),
                seconds(announcement.duration),
                format(&announcement.audio).to_owned(),
                announcement.sha256.clone(),
                used_by(&tenant.announcement_uses(name)),
            ]);
        }
    }
    if rows.is_empty() {
        println!("there is no announcement; add one by callseal announcement add");
    }
    print(&rows);
    Ok(())
}

/// One announcement a line: name, seconds, format, SHA-256.
pub fn built_in() -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for name in built_in_names() {
        let Some(bytes) = file_of(name) else { continue };
        let announcement = Announcement::from_file(bytes)?;
        rows.push([
            name.to_owned(),
            seconds(announcement.duration()),
            format(bytes).to_owned(),
            announcement.sha256_hex(),
        ]);
    }
    print(&rows);
    Ok(())
}

/// In columns.
fn print<const N: usize>(rows: &[[String; N]]) {
    let widths: [usize; N] =
        std::array::from_fn(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0));
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
