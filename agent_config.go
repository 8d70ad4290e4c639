package parley

import "strings"

// Voices are the voices that OpenAI's Realtime API offers.
var Voices = []string{"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"}

// Themes and Positions are the words of a chat widget's appearance.
var (
	Themes    = []string{"light", "dark", "auto"}
	Positions = []string{"bottom-right", "bottom-left", "top-right", "top-left"}
)

// Bounds of a voice agent's numbers.
const (
	MinSpeed       = 0.5
	MaxSpeed       = 2.0
	MaxTimeout     = 3_600       // seconds
	MaxMaxDuration = 4 * 60 * 60 // seconds: Twilio ends a call after four hours
	MaxToolFiller  = 60          // seconds
	MinSilenceMs   = 100
	MaxSilenceMs   = 5_000
	MaxPrefixMs    = 2_000
	MaxDailyLimit  = 1_000_000
	MinMaxCost     = 0.01 // US dollars
	MaxMaxCost     = 1_000.0
)

// take merges the members that were sent; null resets a key to its default.
func (c *VoiceConfig) take(in *Input) {
	d := DefaultVoiceConfig()
	set(in, "voice", &c.Voice, d.Voice, func(dst *string) { in.Enum("voice", dst, Voices...) })
	set(in, "speed", &c.Speed, d.Speed, func(dst *float64) { in.Number("speed", dst, MinSpeed, MaxSpeed) })
	set(in, "interruptionThreshold", &c.InterruptionThreshold, d.InterruptionThreshold, func(dst *float64) { in.Number("interruptionThreshold", dst, 0, 1) })
	set(in, "timeout", &c.Timeout, d.Timeout, func(dst *int) { in.Int("timeout", dst, 0, MaxTimeout) })
	set(in, "maxDuration", &c.MaxDuration, d.MaxDuration, func(dst *int) { in.Int("maxDuration", dst, 1, MaxMaxDuration) })
	set(in, "greeting", &c.Greeting, d.Greeting, func(dst *string) { in.Text("greeting", dst, 0, maxGreeting) })
	set(in, "language", &c.Language, d.Language, func(dst **string) { *dst = in.language(*dst) })
	set(in, "transcription", &c.Transcription, d.Transcription, func(dst *bool) { in.Bool("transcription", dst) })
	set(in, "recordingNotice", &c.RecordingNotice, d.RecordingNotice, func(dst *string) { in.Text("recordingNotice", dst, 0, maxGreeting) })
	set(in, "recording", &c.Recording, d.Recording, func(dst *bool) { in.Bool("recording", dst) })
	set(in, "noiseReduction", &c.NoiseReduction, d.NoiseReduction, func(dst *string) { in.Enum("noiseReduction", dst, "off", "near_field", "far_field") })
	set(in, "turnDetection", &c.TurnDetection, d.TurnDetection, func(dst *string) { in.Enum("turnDetection", dst, "server_vad", "semantic_vad") })
	set(in, "eagerness", &c.Eagerness, d.Eagerness, func(dst *string) { in.Enum("eagerness", dst, "auto", "low", "medium", "high") })
	set(in, "silenceDurationMs", &c.SilenceDurationMs, d.SilenceDurationMs, func(dst *int) { in.Int("silenceDurationMs", dst, MinSilenceMs, MaxSilenceMs) })
	set(in, "prefixPaddingMs", &c.PrefixPaddingMs, d.PrefixPaddingMs, func(dst *int) { in.Int("prefixPaddingMs", dst, 0, MaxPrefixMs) })
	set(in, "toolFillerSeconds", &c.ToolFillerSeconds, d.ToolFillerSeconds, func(dst *int) { in.Int("toolFillerSeconds", dst, 0, MaxToolFiller) })
	set(in, "maxCost", &c.MaxCost, d.MaxCost, func(dst **float64) {
		dollars := -1.0
		if in.Number("maxCost", &dollars, MinMaxCost, MaxMaxCost); dollars >= 0 {
			*dst = &dollars
		}
	})
	set(in, "fallbackNumber", &c.FallbackNumber, d.FallbackNumber, func(dst **string) { *dst = in.e164("fallbackNumber", *dst) })
	set(in, "transferTargets", &c.TransferTargets, d.TransferTargets, func(dst *[]TransferTarget) { in.targets("transferTargets", dst) })
}

// take merges the members that were sent; null resets a key to its default.
func (c *ChatConfig) take(in *Input) {
	d := DefaultChatConfig()
	set(in, "theme", &c.Theme, d.Theme, func(dst *string) { in.Enum("theme", dst, Themes...) })
	set(in, "primaryColor", &c.PrimaryColor, d.PrimaryColor, func(dst *string) { in.color(dst) })
	set(in, "position", &c.Position, d.Position, func(dst *string) { in.Enum("position", dst, Positions...) })
	set(in, "greeting", &c.Greeting, d.Greeting, func(dst *string) { in.Text("greeting", dst, 0, maxGreeting) })
	set(in, "placeholder", &c.Placeholder, d.Placeholder, func(dst *string) { in.Text("placeholder", dst, 0, maxShortText) })
	set(in, "title", &c.Title, d.Title, func(dst *string) { in.Text("title", dst, 0, maxShortText) })
	set(in, "suggestions", &c.Suggestions, d.Suggestions, func(dst *[]string) {
		in.List("suggestions", dst, maxSuggestions, func(s string) string { return lengthProblem(s, 1, maxShortText) })
	})
	set(in, "allowedDomains", &c.AllowedDomains, d.AllowedDomains, func(dst *[]string) {
		in.List("allowedDomains", dst, maxAllowedDomains, domainProblem)
	})
	set(in, "dailyMessageLimit", &c.DailyMessageLimit, d.DailyMessageLimit, func(dst **int) {
		n := -1
		if in.Int("dailyMessageLimit", &n, 0, MaxDailyLimit); n >= 0 {
			*dst = &n
		}
	})
}

// set resets a null member to its default and lets read take any other.
func set[T any](in *Input, name string, dst *T, def T, read func(*T)) {
	if in.Null(name) {
		in.Skip(name)
		*dst = def
		return
	}
	read(dst)
}

// language reads an ISO 639 code or BCP 47 tag: the hint that goes to transcription as it is.
func (in *Input) language(old *string) *string {
	var s string
	if !in.Has("language") {
		in.Skip("language")
		return old
	}
	before := len(*in.problems)
	in.Text("language", &s, 1, 35)
	if len(*in.problems) != before {
		return old
	}
	if !isLanguage(s) {
		in.Fail("language", "must be a language code such as en or pt-BR.")
		return old
	}
	return &s
}

func isLanguage(s string) bool {
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 || i == 0 && (len(part) < 2 || len(part) > 3) {
			return false
		}
		for _, c := range []byte(part) {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

func (in *Input) e164(name string, old *string) *string {
	if !in.Has(name) {
		in.Skip(name)
		return old
	}
	var s string
	before := len(*in.problems)
	in.Text(name, &s, 0, maxShortText)
	if len(*in.problems) != before {
		return old
	}
	if !IsE164(s) {
		in.Fail(name, "must be a phone number in E.164 form such as +358401234567.")
		return old
	}
	return &s
}

func (in *Input) color(dst *string) {
	var s string
	before := len(*in.problems)
	in.Text("primaryColor", &s, 0, maxShortText)
	if len(*in.problems) != before || !in.Has("primaryColor") {
		return
	}
	if !IsColor(s) {
		in.Fail("primaryColor", "must be a color such as #3B82F6 or #38F.")
		return
	}
	*dst = s
}

// IsColor reports whether s is #RGB or #RRGGBB.
func IsColor(s string) bool {
	if len(s) != 4 && len(s) != 7 || s[0] != '#' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
