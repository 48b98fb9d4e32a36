//! Whose call it is.

use std::net::IpAddr;

use super::{Resources, TenantResources};

impl Resources {
    /// The tenant of a call: the one that owns `domain` (host of the Request-URI or the To header),
    /// else the one whose network around `source` (where the request came from) is the most
    /// specific, else the only tenant there is.
    pub fn tenant_of_call(&self, domain: &str, source: IpAddr) -> Option<&TenantResources> {
        self.by_domain(domain).or_else(|| self.by_source(source)).or_else(|| self.the_only())
    }

    fn by_domain(&self, domain: &str) -> Option<&TenantResources> {
        // A fully qualified name may end with a dot.
        let domain = domain.trim_end_matches('.');
        let owns = |t: &&TenantResources| t.tenant.sip.domains.iter().any(|d| d.eq_ignore_ascii_case(domain));
        self.tenants.values().find(owns)
    }

    fn by_source(&self, source: IpAddr) -> Option<&TenantResources> {
        // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
        let source = source.to_canonical();
        let networks =
            self.tenants.values().flat_map(|t| t.tenant.sip.sources.iter().map(move |net| (net, t)));
        let around = networks.filter(|(net, _)| net.contains(&source));
        around.max_by_key(|(net, _)| net.prefix_len()).map(|(_, tenant)| tenant)
    }

    fn the_only(&self) -> Option<&TenantResources> {
        let mut tenants = self.tenants.values();
        tenants.next().filter(|_| tenants.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{SipMatchSpec, TenantSpec};

    fn resources(tenants: &[(&str, &[&str], &[&str])]) -> Resources {
        let mut resources = Resources::default();
        for (name, domains, sources) in tenants {
            let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
            let sip = SipMatchSpec { domains: texts(domains), sources: texts(sources) };
            let tenant = TenantSpec { sip, ..Default::default() }.validate(name.parse().unwrap()).unwrap();
            resources.tenants.insert(tenant.id.clone(), TenantResources::empty(tenant));
        }
        resources
    }

    #[test]
    fn domain_goes_before_the_narrowest_network_and_that_before_being_the_only_one() {
        let two = resources(&[
            ("acme", &["pbx.acme.example"], &["10.0.0.0/8"]),
            ("globex", &[], &["10.1.0.0/16", "2001:db8::/32"]),
        ]);
        let one = resources(&[("acme", &[], &[])]);
        for (resources, domain, source, expected) in [
            (&two, "PBX.acme.example", "10.1.2.3", Some("acme")),
            (&two, "pbx.acme.example.", "192.0.2.1", Some("acme")),
            (&two, "other.example", "10.1.2.3", Some("globex")),
            (&two, "other.example", "::ffff:10.1.2.3", Some("globex")),
            (&two, "other.example", "10.2.2.3", Some("acme")),
            (&two, "other.example", "2001:db8::1", Some("globex")),
            (&two, "other.example", "192.0.2.1", None),
            (&one, "other.example", "192.0.2.1", Some("acme")),
            (&Resources::default(), "other.example", "192.0.2.1", None),
        ] {
            let found = resources.tenant_of_call(domain, source.parse().unwrap());
            assert_eq!(found.map(|t| t.tenant.id.as_str()), expected, "{domain} from {source}");
        }
    }
}
