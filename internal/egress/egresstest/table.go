// Package egresstest is what every way out is tested with: addresses that must be refused, however they are
// written, and a name server whose answers change.
package egresstest

import (
	"fmt"
	"net/netip"
	"strings"
)

// Input is a URL that a user might enter, and whether requests to it may be made.
type Input struct {
	Name, URL string
	Public    bool
}

// Internal are addresses that no tool reaches unless the operator allows them, of both families.
var Internal = addresses(
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.254",
	"168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192",
	"192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.19.255.255",
	"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	"::", "::1", "::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
	"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::1",
	"2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
	"2002:808:808::1", "2620:4f:8000::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fec0::1",
	"ff02::1", "ff0e::1",
)

// Global are addresses that tools reach.
var Global = addresses(
	"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "168.63.129.15",
	"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.1", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
	"198.20.0.0", "203.0.112.255", "223.255.255.255", "::ffff:8.8.8.8",
	"2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2400:cb00::1", "2606:4700::1111", "2a00:1450::1", "3ffe:ffff::1",
)

func addresses(texts ...string) []netip.Addr {
	all := make([]netip.Addr, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParseAddr(text)
	}
	return all
}

// Inputs are all URLs that must be refused: the addresses of Internal, and what is written to look like something else.
func Inputs() []Input {
	var all []Input
	for _, ip := range Internal {
		host := ip.String()
		if ip.Is6() {
			host = "[" + host + "]"
		}
		all = append(all, Input{Name: ip.String(), URL: "http://" + host + "/x"})
	}
	return append(append(all, Tricks...), PublicURLs...)
}

// Tricks are other ways to write addresses that must be refused.
var Tricks = refused(
	"localhost", "http://localhost/", "localhost with a port", "http://localhost:8080/", "upper case", "http://LOCALHOST/",
	"below localhost", "http://a.b.localhost/", "localhost with a point", "http://localhost./",
	"two parts", "http://127.1/", "three parts", "http://127.0.1/", "decimal", "http://2130706433/", "hexadecimal", "http://0x7f000001/",
	"hexadecimal in upper case", "http://0X7F000001/", "hexadecimal parts", "http://0x7f.0x0.0x0.0x1/", "octal", "http://0177.0.0.1/",
	"octal whole", "http://017700000001/", "zeros", "http://127.000.000.001/", "mixed", "http://0x7f.1/", "zero", "http://0/", "0x", "http://0x/",
	"decimal metadata", "http://2852039166/", "hexadecimal metadata", "http://0xa9fea9fe/", "too large", "http://4294967297/",
	"above 255", "http://127.0.0.257/", "five parts", "http://127.0.0.0.1/", "trailing point", "http://127.0.0.1./",
	"name with a trailing point", "http://example.com./", "double point", "http://127.0.0.1../", "empty label", "http://a..example.com/",
	"full-width digits", "http://１２７.０.０.１/", "circled digits", "http://①②⑦.⓪.⓪.①/", "ideographic full stops", "http://127。0。0。1/",
	"half-width full stops", "http://127｡0｡0｡1/", "full-width letters", "http://ｌｏｃａｌｈｏｓｔ/", "soft hyphen", "http://local\u00adhost/",
	"zero width", "http://local\u200bhost/", "percent in the host", "http://%31%32%37.0.0.1/", "percent point", "http://127%2e0.0.1/",
	"zone", "http://[fe80::1%25lo]/", "zone at a public address", "http://[2606:4700::1111%25lo]/", "zone at loopback", "http://[::1%251]/",
	"dotted in brackets", "http://[127.0.0.1]/", "mapped in hexadecimal", "http://[::ffff:7f00:1]/", "mapped in full", "http://[0:0:0:0:0:ffff:127.0.0.1]/",
	"loopback in full", "http://[0000:0000:0000:0000:0000:0000:0000:0001]/", "IPv6 without brackets", "http://::1/", "future address", "http://[v1.a]/",
	"user name", "http://user@example.com/", "user name and password", "http://user:pass@example.com/", "public as user", "http://example.com@127.0.0.1/",
	"public as user with port", "http://example.com:80@127.0.0.1/", "empty user", "http://@example.com/",
	"fragment then host", "http://127.0.0.1#@example.com/", "host then fragment", "http://example.com\\#@127.0.0.1/",
	"backslash", "http://127.0.0.1\\@example.com/", "backslashes as slashes", "http:\\\\127.0.0.1\\", "backslash before the path", "http://example.com\\.127.0.0.1/",
	"line break in the path", "http://example.com/a\r\nHost: 127.0.0.1", "line feed in the host", "http://127.0.0.1\n.example.com/",
	"tab in the host", "http://127.0.\t0.1/", "space in the host", "http://127.0.0.1 .example.com/", "leading space", " http://127.0.0.1/",
	"NUL", "http://127.0.0.1\x00.example.com/", "port zero", "http://example.com:0/", "port with zeros", "http://example.com:080/",
	"port too large", "http://example.com:65536/", "port that wraps", "http://example.com:65616/", "negative port", "http://example.com:-1/", "named port", "http://example.com:http/",
	"SSH", "http://example.com:22/", "SMTP", "http://example.com:25/", "DNS", "http://example.com:53/", "LDAP", "http://example.com:389/", "PostgreSQL", "http://example.com:5432/",
	"Redis", "http://example.com:6379/", "Memcached", "http://example.com:11211/", "SIP", "http://example.com:5060/", "MySQL", "http://example.com:3306/",
	"file", "file:///etc/passwd", "gopher", "gopher://127.0.0.1:6379/_x", "FTP", "ftp://example.com/", "dict", "dict://127.0.0.1:11211/", "data", "data:text/plain,x",
	"JavaScript", "javascript:alert(1)", "unix socket", "unix:///var/run/docker.sock", "WebSocket", "ws://example.com/", "jar", "jar:http://127.0.0.1!/",
	"no scheme", "//127.0.0.1/", "only a path", "/x", "only a host", "example.com", "opaque", "http:127.0.0.1", "one slash", "http:/127.0.0.1/", "three slashes", "http:///127.0.0.1/", "no host", "http://", "empty", "",
)

// PublicURLs must be let through.
var PublicURLs = func() (all []Input) {
	for _, raw := range []string{
		"https://example.com", "http://example.com/", "HTTPS://EXAMPLE.COM/a", "https://example.com:443/", "https://example.com:/", "https://example.com:8443/x?y=z", "http://example.com:8080/", "https://xn--bcher-kva.example/",
		"https://a_b.example.com/", "https://example.com/{{args.id}}?q={{ args.q }}", "https://example.com/a%0d%0ab", "https://1.example.com/", "https://0x7f.example.com/",
		"http://8.8.8.8/", "http://172.32.0.1/", "http://[2606:4700::1111]/", "https://[2001:4860:4860::8888]:8443/", "https://example.com/@127.0.0.1", "https://localhost.example.com/",
	} {
		all = append(all, Input{Name: "public " + raw, URL: raw, Public: true})
	}
	return all
}()

func refused(pairs ...string) []Input {
	all := make([]Input, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, Input{Name: pairs[i], URL: pairs[i+1]})
	}
	return all
}

// Names gives each address of Internal a name and has the name server answer with it. The names are public to look at.
func (d *DNS) Names() []Input {
	var all []Input
	for i, ip := range Internal {
		host := fmt.Sprintf("n%d.example.com", i)
		d.Answer(host, []string{ip.String()})
		all = append(all, Input{Name: "name of " + ip.String(), URL: "http://" + strings.ToLower(host) + "/x"})
	}
	return all
}
