package parley

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxInputDepth bounds the nesting of a request body. Our deepest documented body has 4 levels.
const maxInputDepth = 32

// ParseInput checks that body is exactly one JSON object in valid UTF-8, without duplicate member names,
// without U+0000 in strings (PostgreSQL cannot store it) and not absurdly deep. Its errors are CodeInvalid.
func ParseInput(body []byte) (*Input, error) {
	if !utf8.Valid(body) {
		return nil, Errorf(CodeInvalid, "The body is not valid UTF-8.")
	}
	if loneSurrogate(body) {
		return nil, Errorf(CodeInvalid, "The body has half of a surrogate pair (\\ud800 to \\udfff), which is no character.")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := checkValue(dec, "", 0); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, Errorf(CodeInvalid, "The body has something after its JSON object. Send exactly one object.")
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil || raw == nil {
		return nil, Errorf(CodeInvalid, "The body must be a JSON object.")
	}
	return newInput("", raw, new([]FieldError)), nil
}

// loneSurrogate finds an escaped surrogate without its other half. encoding/json would silently store U+FFFD
// in its place. The body need not be JSON.
func loneSurrogate(body []byte) bool {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		unit, ok := escapedUnit(body[i:])
		i++ // over the escaped character, which may be a backslash
		if !ok || !utf16.IsSurrogate(unit) {
			continue
		}
		low, _ := escapedUnit(body[i+5:])
		if utf16.DecodeRune(unit, low) == utf8.RuneError {
			return true
		}
		i += 6 // over the low half
	}
	return false
}

// escapedUnit reads an escape of four hexadecimal digits at the start of b.
func escapedUnit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// checkValue walks one JSON value. encoding/json silently takes the last of two equal names, which lets a
// proxy and this server read the same body differently.
func checkValue(dec *json.Decoder, path string, depth int) error {
	tok, err := dec.Token()
	if err != nil {
		return malformed(err)
	}
	switch t := tok.(type) {
	case string:
		return checkText(t, path)
	case json.Delim:
		if depth == maxInputDepth {
			return Errorf(CodeInvalid, "The body is nested more than %d levels deep.", maxInputDepth)
		}
		if t == '{' {
			return checkObject(dec, path, depth+1)
		}
		return checkArray(dec, path, depth+1)
	}
	return nil
}

func checkObject(dec *json.Decoder, path string, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return malformed(err)
		}
		name, _ := tok.(string)
		at := join(path, name)
		if seen[name] {
			return Invalid([]FieldError{{at, "appears twice. Send each member once."}})
		}
		seen[name] = true
		if err := checkText(name, path); err != nil {
			return err
		}
		if err := checkValue(dec, at, depth); err != nil {
			return err
		}
	}
	return closing(dec)
}

func checkArray(dec *json.Decoder, path string, depth int) error {
	for i := 0; dec.More(); i++ {
		if err := checkValue(dec, path+"["+strconv.Itoa(i)+"]", depth); err != nil {
			return err
		}
	}
	return closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return malformed(err)
	}
	return nil
}

func checkText(s, path string) error {
	if strings.ContainsRune(s, 0) {
		return Invalid([]FieldError{{path, "must not contain the character U+0000."}})
	}
	return nil
}

func malformed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Errorf(CodeInvalid, "The body is not complete JSON. Send one JSON object.")
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return Errorf(CodeInvalid, "The body is not valid JSON near byte %d.", s.Offset)
	}
	return Errorf(CodeInvalid, "The body is not valid JSON.")
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
