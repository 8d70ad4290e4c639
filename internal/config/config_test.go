package config

import (
	"net"
	"strings"
	"testing"
	"time"
)

func valid() Serve {
	return Serve{Data: Data{Dir: "d"}, Listen: "127.0.0.1:8080", RateLimit: 600, Drain: time.Second, TwilioAPIURL: "https://api.twilio.com"}
}

func TestValidateNamesVariableAndRemedy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*Serve)
		want   string // "" = valid
	}{
		"defaults":              {func(*Serve) {}, ""},
		"no port":               {func(s *Serve) { s.Listen = "localhost" }, "PARLEY_LISTEN"},
		"debug for all":         {func(s *Serve) { s.DebugListen = "0.0.0.0:6060" }, "PARLEY_DEBUG_LISTEN"},
		"debug without port":    {func(s *Serve) { s.DebugListen = "127.0.0.1" }, "PARLEY_DEBUG_LISTEN"},
		"port too high":         {func(s *Serve) { s.Listen = ":70000" }, "PARLEY_LISTEN"},
		"free port":             {func(s *Serve) { s.Listen = "127.0.0.1:0" }, ""},
		"public url with path":  {func(s *Serve) { s.PublicURL = "https://a.example/x" }, "PARLEY_PUBLIC_URL"},
		"public url no scheme":  {func(s *Serve) { s.PublicURL = "a.example" }, "PARLEY_PUBLIC_URL"},
		"public url with slash": {func(s *Serve) { s.PublicURL = "https://a.example/" }, ""},
		"bootstrap short":       {func(s *Serve) { s.BootstrapKey = strings.Repeat("x", 23) }, "PARLEY_BOOTSTRAP_KEY"},
		"bootstrap 24":          {func(s *Serve) { s.BootstrapKey = strings.Repeat("x", 24) }, ""},
		"bootstrap 200":         {func(s *Serve) { s.BootstrapKey = strings.Repeat("~", 200) }, ""},
		"bootstrap 201":         {func(s *Serve) { s.BootstrapKey = strings.Repeat("x", 201) }, "PARLEY_BOOTSTRAP_KEY"},
		"bootstrap space":       {func(s *Serve) { s.BootstrapKey = strings.Repeat("x ", 20) }, "PARLEY_BOOTSTRAP_KEY"},
		"half of twilio":        {func(s *Serve) { s.TwilioAccountSID = "AC00000000000000000000000000000001" }, "TWILIO_AUTH_TOKEN"},
		"bad sid":               {func(s *Serve) { s.TwilioAuthToken, s.TwilioAccountSID = "t", "AC1" }, "TWILIO_ACCOUNT_SID"},
		"postgres without ring": {func(s *Serve) { s.DatabaseURL = "postgres://h/d" }, "PARLEY_SECRET_KEY_FILE"},
		"mysql":                 {func(s *Serve) { s.DatabaseURL = "mysql://h/d" }, "PARLEY_DATABASE_URL"},
		"base url":              {func(s *Serve) { s.OpenAIBaseURL = "api.example" }, "OPENAI_BASE_URL"},
		"rate":                  {func(s *Serve) { s.RateLimit = 0 }, "PARLEY_RATE_LIMIT"},
		"a widget budget":       {func(s *Serve) { s.DailyPerVisitor = -1 }, "PARLEY_WIDGET_DAILY_PER_VISITOR"},
		"max calls":             {func(s *Serve) { s.MaxCalls = -1 }, "PARLEY_MAX_CALLS"},
		"drain":                 {func(s *Serve) { s.Drain = -1 }, "PARLEY_DRAIN"},
		"proxy":                 {func(s *Serve) { s.TrustedProxies = "10.0.0.0/8, nonsense" }, "PARLEY_TRUSTED_PROXIES"},
		"proxy address":         {func(s *Serve) { s.TrustedProxies = "10.0.0.1" }, ""},
		"egress":                {func(s *Serve) { s.EgressAllow = "10.0.0.0/8,api.local:80" }, ""},
		"egress bad":            {func(s *Serve) { s.EgressAllow = "api.local" }, "PARLEY_EGRESS_ALLOW"},
		"egress bad port":       {func(s *Serve) { s.EgressAllow = "api.local:http" }, "PARLEY_EGRESS_ALLOW"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := valid()
			c.change(&s)
			err := s.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("Validate() = %v, want mention of %q", err, c.want)
			}
		})
	}
}

func TestDatabaseURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := valid()
	s.DatabaseURL = "mysql://user:hunter2@h/d"
	if err := s.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("Validate() = %v, want an error without the password", err)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ public, listen, want string }{
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"", "0.0.0.0:9000", "http://127.0.0.1:9000"},
		{"", "[::]:9000", "http://127.0.0.1:9000"},
		{"https://a.example/", "0.0.0.0:9000", "https://a.example"},
		{"HTTPS://a.example:8443", "0.0.0.0:9000", "https://a.example:8443"},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.listen)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Serve{PublicURL: c.public}).Origin(addr); got != c.want {
			t.Errorf("Origin(%q, %q) = %q, want %q", c.public, c.listen, got, c.want)
		}
	}
}

func TestNoticeWhenTwilioCannotReachUs(t *testing.T) {
	t.Parallel()
	s := valid()
	s.TwilioAuthToken = "t"
	if len(s.Notices("http://a.example")) != 1 || len(s.Notices("https://a.example")) != 0 {
		t.Fatal("want a notice for http only")
	}
}
