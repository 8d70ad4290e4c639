package parley

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

// Bounds of a price file.
const (
	maxPrice         = 1_000_000 // US dollars
	maxPriceVersion  = 64
	priceDigestBytes = 4
)

// ParsePrices reads a price file (JSON, in the form that Encode writes) over the built-in table: models,
// transcription models and prefixes that it names are changed or added, null removes one, everything else stays.
// The error, of CodeInvalid, names every wrong field at once.
//
// The version of a table that differs from the built-in one ends in a digest of its prices, so that a cost always
// tells which prices it was made of, even when somebody changes a price and forgets the version.
func ParsePrices(body []byte) (Prices, error) {
	in, err := ParseInput(body)
	if err != nil {
		return Prices{}, err
	}
	p := BuiltinPrices()
	in.Text("version", &p.Version, 1, maxPriceVersion)
	if models := in.Object("models"); models != nil {
		models.entries(func(name string) { delete(p.Models, name) }, func(name string, m *Input) {
			old, known := p.Models[name]
			p.Models[name] = m.modelPrice(old, known)
		})
	}
	if models := in.Object("transcription"); models != nil {
		models.entries(func(name string) { delete(p.Transcription, name) }, func(name string, m *Input) {
			price := p.Transcription[name]
			m.prices(map[string]*float64{"textInput": &price.TextInput, "audioInput": &price.AudioInput,
				"textOutput": &price.TextOutput, "perMinute": &price.PerMinute})
			if price == (TranscriptionPrice{}) {
				m.Fail("audioInput", "is required, or perMinute.")
			}
			p.Transcription[name] = price
		})
	}
	if carrier := in.Object("carrier"); carrier != nil {
		carrier.prices(map[string]*float64{"streamPerMinute": &p.Carrier.StreamPerMinute})
		carrier.prefixes("inbound", p.Carrier.Inbound)
		carrier.prefixes("outbound", p.Carrier.Outbound)
		carrier.Unknown()
	}
	if err := in.Done(); err != nil {
		return Prices{}, err
	}
	p.stamp()
	return p, nil
}

// entries reads an object whose member names are free; null goes to remove, an object to read.
func (in *Input) entries(remove func(name string), read func(name string, m *Input)) {
	for _, name := range slices.Sorted(maps.Keys(in.raw)) {
		if in.Null(name) {
			remove(name)
			continue
		}
		if m := in.Object(name); m != nil {
			read(name, m)
			m.Unknown()
		}
	}
}

// prices reads dollars.
func (in *Input) prices(members map[string]*float64) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		in.Number(name, members[name], 0, maxPrice)
	}
}

// modelPrice reads a model's prices over the known ones. A new model needs its own: what is cached costs as much
// as what is not unless said otherwise, and sound has two prices or none.
func (in *Input) modelPrice(p ModelPrice, known bool) ModelPrice {
	in.prices(map[string]*float64{"textInput": &p.TextInput, "cachedTextInput": &p.CachedTextInput, "textOutput": &p.TextOutput,
		"audioInput": &p.AudioInput, "cachedAudioInput": &p.CachedAudioInput, "audioOutput": &p.AudioOutput})
	if known {
		return p
	}
	in.Required("textInput")
	in.Required("textOutput")
	if in.Has("audioInput") || in.Has("audioOutput") || in.Has("cachedAudioInput") {
		in.Required("audioInput")
		in.Required("audioOutput")
	}
	if !in.Has("cachedTextInput") {
		p.CachedTextInput = p.TextInput
	}
	if !in.Has("cachedAudioInput") {
		p.CachedAudioInput = p.AudioInput
	}
	return p
}

// prefixes reads prices per minute by the beginning of a number.
func (in *Input) prefixes(name string, dst map[string]float64) {
	list := in.Object(name)
	if list == nil {
		return
	}
	for _, prefix := range slices.Sorted(maps.Keys(list.raw)) {
		switch {
		case !isNumberPrefix(prefix):
			list.Skip(prefix)
			list.Fail(prefix, "is no prefix. Give the beginning of a number such as +49, client: for calls between programs, or * for all others.")
		case list.Null(prefix):
			list.Skip(prefix)
			delete(dst, prefix)
		default:
			var price float64
			list.Number(prefix, &price, 0, maxPrice)
			dst[prefix] = price
		}
	}
}

func isNumberPrefix(s string) bool {
	if s == "*" || s == "client:" || s == "sip:" {
		return true
	}
	if len(s) < 2 || len(s) > 16 || s[0] != '+' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// stamp makes the version say what is in the table.
func (p *Prices) stamp() {
	builtin := BuiltinPrices()
	p.Version = stampOf.ReplaceAllString(p.Version, "") // of the table that this one was made from
	if digest := p.digest(); p.Version != builtin.Version || digest != builtin.digest() {
		p.Version += "+" + digest
	}
}

var stampOf = regexp.MustCompile(`\+[0-9a-f]{8}$`)

// digest names the prices, whatever the version says.
func (p *Prices) digest() string {
	bare := *p
	bare.Version = ""
	sum := sha256.Sum256(bare.Encode())
	return hex.EncodeToString(sum[:priceDigestBytes])
}

// Encode writes the table in the form that ParsePrices reads.
func (p *Prices) Encode() []byte {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil { // unreachable: finite numbers and strings
		return nil
	}
	return append(text, '\n')
}
