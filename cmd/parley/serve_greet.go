package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// greet tells the person at the terminal where the server is and what to try. It is the only place that ever
// shows the first key.
func (a *app) greet() {
	local := a.cfg.Origin(a.listener.Addr())
	if a.cfg.PublicURL != "" {
		local = a.localURL()
	}
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(strings.TrimRight("  "+fmt.Sprintf(format, args...), " ") + "\n")
	}
	b.WriteString("\n")
	line("Parley is listening on %s", local)
	if a.origin != local {
		line("Public address:        %s", a.origin)
	}
	if a.model != nil {
		b.WriteString("\n")
		line("No OPENAI_API_KEY is set, so the built-in SIMULATED model answers calls and chats.")
		line("It is no AI. Set OPENAI_API_KEY and restart to use the real one.")
	}
	for _, notice := range a.cfg.Notices(a.origin) {
		b.WriteString("\n")
		line("%s", notice)
	}
	a.greetKey(line)
	a.greetTry(line, local)
	b.WriteString("\n")
	_, _ = fmt.Fprint(a.out, b.String())
	a.logger.LogAttrs(context.Background(), slog.LevelInfo, "serving", slog.String("address", a.listener.Addr().String()),
		slog.String("public_url", a.origin), slog.Bool("simulated_model", a.model != nil), slog.Bool("simulated_phone_only", a.cfg.TwilioAuthToken == ""))
}

// localURL is where this machine reaches the server, whatever its public address.
func (a *app) localURL() string {
	c := a.cfg
	c.PublicURL = ""
	return c.Origin(a.listener.Addr())
}

func (a *app) greetKey(line func(string, ...any)) {
	switch {
	case a.setup.firstKey == "":
	case a.setup.bootstrapped:
		line("")
		line("The first API key is the one in PARLEY_BOOTSTRAP_KEY.")
	default:
		line("")
		line("Your first API key, shown only this once:")
		line("")
		line("    %s", a.setup.firstKey)
	}
}

// greetTry shows how to call and chat. The key is a placeholder: command lines end up in histories.
func (a *app) greetTry(line func(string, ...any), local string) {
	flags := ""
	if local != "http://127.0.0.1:8080" {
		flags += " --url " + local
	}
	if a.cfg.Dir != "./parley-data" {
		flags += " --data " + shellQuote(a.cfg.Dir)
	}
	if a.setup.voiceAgentID != "" {
		line("")
		line("Call the example agent, in a second terminal:")
		line("    go run ./cmd/parley call --say examples/hello.wav%s", flags)
	}
	if a.setup.chatAgentID != "" {
		line("")
		line("Try the example chat on a sample site, and take its code for yours:")
		line("    %s/try/%s", a.origin, a.setup.chatAgentID)
		line("")
		line("Or chat with it here:")
		line("    curl %s/api/v1/agents/%s/chat \\", local, a.setup.chatAgentID)
		line("      -H 'x-api-key: YOUR_KEY' -H 'content-type: application/json' -d '{\"message\":\"What time is it?\"}'")
	}
	line("")
	line("Open %s/ in a browser for more. Another key: go run ./cmd/parley key create", local)
}

func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
