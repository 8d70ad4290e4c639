// Package config turns flags and environment variables into one validated value.
//
// Its struct tags are the documentation that `parley serve --help` prints. Only cmd imports it: constructors
// below take the fields they need.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"parley"
)

// Data says where data lives; every command that touches data has these flags.
type Data struct {
	Dir           string `name:"data" env:"PARLEY_DATA" default:"./parley-data" help:"Folder of the SQLite file, the key ring and recordings. Made with mode 0700."`
	DatabaseURL   string `name:"database-url" env:"PARLEY_DATABASE_URL" placeholder:"URL" help:"postgres://… to use PostgreSQL. Empty: SQLite in the data folder."`
	SecretKeyFile string `name:"secret-key-file" env:"PARLEY_SECRET_KEY_FILE" placeholder:"FILE" help:"Key ring for sealing and tokens. Empty: secret.keys in the data folder. Must be given with PostgreSQL."`
}

// Database returns the SQLite file, or "" when PostgreSQL is used.
func (d Data) Database() string {
	if d.DatabaseURL != "" {
		return ""
	}
	return d.File("parley.db")
}

// KeyFile returns the key ring's file.
func (d Data) KeyFile() string {
	if d.SecretKeyFile != "" {
		return d.SecretKeyFile
	}
	return d.File("secret.keys")
}

// File returns the path of a file in the data folder.
func (d Data) File(name string) string { return filepath.Join(d.Dir, name) }

// Validate checks the data flags. The URL is never repeated: it may hold a password.
func (d Data) Validate() error {
	if d.Dir == "" {
		return problem("PARLEY_DATA", "is empty", "name a folder such as ./parley-data")
	}
	if d.DatabaseURL == "" {
		return nil
	}
	u, err := url.Parse(d.DatabaseURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return problem("PARLEY_DATABASE_URL", "is not a PostgreSQL address", "give postgres://user:password@host:5432/database, or leave it empty for SQLite")
	}
	if d.SecretKeyFile == "" {
		return problem("PARLEY_SECRET_KEY_FILE", "is missing", "with PostgreSQL name the key ring's file; every node needs the same one")
	}
	return nil
}

// Prices says what usage costs.
type Prices struct {
	PriceFile string `name:"prices" env:"PARLEY_PRICES" placeholder:"FILE" help:"JSON file of prices in US dollars that change or extend the built-in ones; parley prices prints them all in its form. Read at start."`
}

// Log says what is logged and how.
type Log struct {
	Level  string `name:"log" env:"PARLEY_LOG" default:"info" enum:"debug,info,warn,error" help:"Log level: ${enum}."`
	Format string `name:"log-format" env:"PARLEY_LOG_FORMAT" default:"text" enum:"text,json" help:"Log format on standard error: ${enum}."`
}

// Serve is the configuration of `parley serve`.
type Serve struct {
	Data `embed:""`
	Log  `embed:""`

	Listen       string        `name:"listen" env:"PARLEY_LISTEN" default:"127.0.0.1:8080" help:"Listen address. Port 0 takes a free one."`
	PublicURL    string        `name:"public-url" env:"PARLEY_PUBLIC_URL" placeholder:"URL" help:"Public origin for TwiML, embed code and Twilio signatures. Empty: http:// and the listen address. https gives wss, http gives ws."`
	BootstrapKey string        `name:"bootstrap-key" env:"PARLEY_BOOTSTRAP_KEY" placeholder:"KEY" help:"First API key of the default organization when no key exists: 24 to 200 printable ASCII characters without spaces."`
	Drain        time.Duration `name:"drain" env:"PARLEY_DRAIN" default:"30s" help:"How long live calls may finish after SIGTERM. A second signal stops at once."`

	OpenAIKey        string `name:"openai-api-key" env:"OPENAI_API_KEY" placeholder:"KEY" help:"Key of the model provider. Without it and OPENAI_BASE_URL the built-in simulated model answers."`
	OpenAIBaseURL    string `name:"openai-base-url" env:"OPENAI_BASE_URL" placeholder:"URL" help:"OpenAI-compatible server (default: https://api.openai.com/v1)."`
	TwilioAccountSID string `name:"twilio-account-sid" env:"TWILIO_ACCOUNT_SID" placeholder:"SID" help:"Twilio account of the default organization."`
	TwilioAuthToken  string `name:"twilio-auth-token" env:"TWILIO_AUTH_TOKEN" placeholder:"TOKEN" help:"Its auth token, which signs Twilio's requests. Without it only the simulated phone can call."`
	TwilioAPIURL     string `name:"twilio-api-url" env:"PARLEY_TWILIO_API_URL" default:"https://api.twilio.com" help:"Twilio REST origin (tests, regions)."`

	Prices         `embed:""`
	MaxCalls       int `name:"max-calls" env:"PARLEY_MAX_CALLS" default:"0" help:"Calls that this process takes at once; more hear a notice or reach the agent's fallback number. 0: as many as go well, by the process's own lateness."`
	MaxCallsPerOrg int `name:"max-calls-per-organization" env:"PARLEY_MAX_CALLS_PER_ORGANIZATION" default:"0" help:"Calls of one organization that this process takes at once. 0: no limit of its own."`
	Widget         `embed:"" prefix:"widget-"`
	RateLimit      int           `name:"rate-limit" env:"PARLEY_RATE_LIMIT" default:"600" help:"Requests per minute of organizations to which nothing else is granted; as many may come at once."`
	MetricsToken   string        `name:"metrics-token" env:"PARLEY_METRICS_TOKEN" placeholder:"TOKEN" help:"Bearer token for /metrics. Empty: only direct loopback requests may read it."`
	EgressAllow    string        `name:"egress-allow" env:"PARLEY_EGRESS_ALLOW" placeholder:"LIST" help:"CIDRs or host:port pairs that tools, MCP and webhooks may reach although they are not public, separated by commas."`
	OTLPEndpoint   string        `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"OpenTelemetry collector (OTLP over HTTP, such as http://127.0.0.1:4318) that gets one trace of each call, after its end. Empty: none. OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count as well."`
	CommitDelay    time.Duration `name:"commit-delay" env:"PARLEY_COMMIT_DELAY" default:"0s" hidden:"" help:"Measuring aid: added to every database commit."`
	DebugListen    string        `name:"debug-listen" env:"PARLEY_DEBUG_LISTEN" placeholder:"ADDRESS" hidden:"" help:"Loopback address for profiles (/debug/pprof/), such as 127.0.0.1:6060. Empty: none."`
	TrustedProxies string        `name:"trusted-proxies" env:"PARLEY_TRUSTED_PROXIES" placeholder:"CIDRS" help:"CIDRs whose X-Forwarded-For counts, separated by commas."`
}

// DefaultOpenAIBaseURL is the provider's own address.
const DefaultOpenAIBaseURL = "https://api.openai.com/v1"

// Simulated reports whether the built-in model answers for organizations without a key of their own.
func (s Serve) Simulated() bool { return s.OpenAIKey == "" && s.OpenAIBaseURL == "" }

// Validate checks every value that can be checked without touching anything. kong calls it.
func (s Serve) Validate() error {
	checks := []func() error{s.Data.Validate, s.checkListen, s.checkOrigins, s.checkBootstrap, s.checkTwilio, s.checkNumbers, s.checkBudgets, s.checkNetworks}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func problem(variable, what, remedy string) error {
	return fmt.Errorf("%s %s: %s", variable, what, remedy)
}

func (s Serve) checkListen() error {
	_, port, err := net.SplitHostPort(s.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return problem("PARLEY_LISTEN", fmt.Sprintf("is %q, which is no address", s.Listen), "give host:port such as 127.0.0.1:8080 or :8080")
	}
	if s.DebugListen == "" {
		return nil
	}
	debug, err := netip.ParseAddrPort(s.DebugListen)
	if err != nil || !debug.Addr().IsLoopback() {
		return problem("PARLEY_DEBUG_LISTEN", fmt.Sprintf("is %q", s.DebugListen), "give a loopback address and a port, such as 127.0.0.1:6060: profiles are for this machine only")
	}
	return nil
}

func (s Serve) checkOrigins() error {
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || !isHTTP(u) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return problem("PARLEY_PUBLIC_URL", "is not an origin", "give https://host or http://host:port without a path")
		}
	}
	for name, value := range map[string]string{"OPENAI_BASE_URL": s.OpenAIBaseURL, "PARLEY_TWILIO_API_URL": s.TwilioAPIURL} {
		if u, err := url.Parse(value); value != "" && (err != nil || !isHTTP(u) || u.RawQuery != "" || u.User != nil) {
			return problem(name, "is not an http or https address", "give one such as https://api.example.com/v1")
		}
	}
	return nil
}

func isHTTP(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }

func (s Serve) checkBootstrap() error {
	if s.BootstrapKey == "" || parley.IsBootstrapKey(s.BootstrapKey) {
		return nil
	}
	return problem("PARLEY_BOOTSTRAP_KEY", "is not usable as a key", fmt.Sprintf("give %d to %d printable ASCII characters without spaces", parley.MinBootstrapKey, parley.MaxBootstrapKey))
}

// checkTwilio lets the token stand alone: it belongs to one account, so its signature says whose request it is,
// and REST calls take the account of the call.
func (s Serve) checkTwilio() error {
	if s.TwilioAccountSID != "" && s.TwilioAuthToken == "" {
		return problem("TWILIO_AUTH_TOKEN", "is missing", "copy it from the Twilio console together with the account SID, or set neither")
	}
	if s.TwilioAccountSID != "" && !parley.IsTwilioAccountSID(s.TwilioAccountSID) {
		return problem("TWILIO_ACCOUNT_SID", "is not an account SID", "it begins with AC and has 34 characters")
	}
	return nil
}

func (s Serve) checkNumbers() error {
	if s.RateLimit < 1 {
		return problem("PARLEY_RATE_LIMIT", fmt.Sprintf("is %d", s.RateLimit), "give at least 1 request per minute")
	}
	if s.MaxCalls < 0 || s.MaxCallsPerOrg < 0 {
		return problem("PARLEY_MAX_CALLS or PARLEY_MAX_CALLS_PER_ORGANIZATION", "is negative", "give a number of calls, or 0 for no configured limit")
	}
	if s.Drain < 0 {
		return problem("PARLEY_DRAIN", "is negative", "give a duration such as 30s, or 0s to stop at once")
	}
	return nil
}

func (s Serve) checkNetworks() error {
	if _, err := s.Proxies(); err != nil {
		return err
	}
	for _, entry := range split(s.EgressAllow) {
		_, errNet := parseNetwork(entry)
		host, port, err := net.SplitHostPort(entry)
		n, errPort := strconv.ParseUint(port, 10, 16)
		if errNet != nil && (err != nil || host == "" || errPort != nil || n == 0) {
			return problem("PARLEY_EGRESS_ALLOW", fmt.Sprintf("has the entry %q", entry), "give CIDRs such as 10.0.0.0/8 or host:port pairs, separated by commas")
		}
	}
	return nil
}

// Egress returns the CIDRs and host:port pairs that tools may reach although they are not public.
func (s Serve) Egress() []string { return split(s.EgressAllow) }

// Proxies returns the networks whose X-Forwarded-For counts.
func (s Serve) Proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, entry := range split(s.TrustedProxies) {
		p, err := parseNetwork(entry)
		if err != nil {
			return nil, problem("PARLEY_TRUSTED_PROXIES", fmt.Sprintf("has the entry %q", entry), "give CIDRs such as 10.0.0.0/8, separated by commas")
		}
		out = append(out, p)
	}
	return out, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(s)
}

func split(list string) []string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Origin returns the public origin without a final slash; listen is the address that was really taken.
func (s Serve) Origin(listen net.Addr) string {
	if s.PublicURL != "" {
		scheme, host, _ := strings.Cut(strings.TrimRight(s.PublicURL, "/"), "://")
		return strings.ToLower(scheme) + "://" + host
	}
	host, port, err := net.SplitHostPort(listen.String())
	if ip, perr := netip.ParseAddr(host); err == nil && perr == nil && ip.IsUnspecified() {
		host = "127.0.0.1" // an address that can be dialed, for a server that listens everywhere
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Notices are what the operator should know although the server starts.
func (s Serve) Notices(origin string) []string {
	if s.TwilioAuthToken != "" && !strings.HasPrefix(origin, "https://") {
		return []string{"Twilio credentials are set, but PARLEY_PUBLIC_URL is not https: Twilio connects only to wss on port 443, so real calls will fail. Set PARLEY_PUBLIC_URL to your https address."}
	}
	return nil
}
