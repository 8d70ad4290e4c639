package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// apiError is the error object of both APIs.
type apiError struct {
	Type    string  `json:"type"`
	Code    *string `json:"code"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
}

func (e *apiError) Error() string { return e.Message }

func refuse(code, param, format string, args ...any) *apiError {
	e := &apiError{Type: "invalid_request_error", Message: fmt.Sprintf(format, args...)}
	if code != "" {
		e.Code = &code
	}
	if param != "" {
		e.Param = &param
	}
	return e
}

// parseObject reads one JSON object with numbers kept as json.Number, so that 1 and 1.0 can be told apart.
func parseObject(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("data after the object")
	}
	if v == nil {
		return nil, errors.New("not an object")
	}
	return v, nil
}

// check says what is wrong with a value; path is its name for the error, such as "session.audio".
type check func(v any, path string) *apiError

// field is a member of an object.
type field struct {
	check    check
	required bool
}

func need(c check) field { return field{c, true} }
func may(c check) field  { return field{c, false} }

// object accepts exactly the given members. Unknown members are reported before wrong ones, both in
// alphabetical order, so that the answer does not depend on the map's order.
func object(fields map[string]field) check {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return func(v any, path string) *apiError {
		m, ok := v.(map[string]any)
		if !ok {
			return wrongType(path, "an object", v)
		}
		var unknown []string
		for name := range m {
			if _, ok := fields[name]; !ok {
				unknown = append(unknown, name)
			}
		}
		if len(unknown) > 0 {
			p := join(path, slices.Min(unknown))
			return refuse("unknown_parameter", p, "Unknown parameter: '%s'.", p)
		}
		for _, name := range names {
			value, given := m[name]
			f := fields[name]
			switch {
			case given:
				if err := f.check(value, join(path, name)); err != nil {
					return err
				}
			case f.required:
				p := join(path, name)
				return refuse("missing_required_parameter", p, "Missing required parameter: '%s'.", p)
			}
		}
		return nil
	}
}

// variants chooses the check by a member such as "type".
func variants(by string, kinds map[string]check) check {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return func(v any, path string) *apiError {
		m, ok := v.(map[string]any)
		if !ok {
			return wrongType(path, "an object", v)
		}
		kind, given := m[by]
		if !given {
			p := join(path, by)
			return refuse("missing_required_parameter", p, "Missing required parameter: '%s'.", p)
		}
		if err := enum(names...)(kind, join(path, by)); err != nil {
			return err
		}
		return kinds[kind.(string)](v, path)
	}
}

// either accepts a string by the first check and everything else by the second.
func either(text, other check) check {
	return func(v any, path string) *apiError {
		if _, ok := v.(string); ok {
			return text(v, path)
		}
		return other(v, path)
	}
}

func nullable(c check) check {
	return func(v any, path string) *apiError {
		if v == nil {
			return nil
		}
		return c(v, path)
	}
}

func text(maxLen int) check {
	return func(v any, path string) *apiError {
		s, ok := v.(string)
		if !ok {
			return wrongType(path, "a string", v)
		}
		if maxLen > 0 && len([]rune(s)) > maxLen {
			return refuse("string_above_max_length", path, "Invalid '%s': string too long. Expected a string with maximum length %d, but got a string with length %d instead.", path, maxLen, len([]rune(s)))
		}
		return nil
	}
}

func enum(values ...string) check {
	return func(v any, path string) *apiError {
		s, ok := v.(string)
		if !ok {
			return wrongType(path, "one of "+quoted(values), v)
		}
		if !slices.Contains(values, s) {
			return refuse("invalid_value", path, "Invalid value: '%s'. Supported values are: %s.", s, quoted(values))
		}
		return nil
	}
}

func boolean(v any, path string) *apiError {
	if _, ok := v.(bool); !ok {
		return wrongType(path, "a boolean", v)
	}
	return nil
}

func anything(any, string) *apiError { return nil }

func anyObject(v any, path string) *apiError {
	if _, ok := v.(map[string]any); !ok {
		return wrongType(path, "an object", v)
	}
	return nil
}

func integer(low, high int64) check {
	return func(v any, path string) *apiError {
		n, ok := v.(json.Number)
		if !ok {
			return wrongType(path, "an integer", v)
		}
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil {
			return wrongType(path, "an integer", v)
		}
		return within("integer", path, float64(i), float64(low), float64(high), n)
	}
}

func decimal(low, high float64) check {
	return func(v any, path string) *apiError {
		n, ok := v.(json.Number)
		if !ok {
			return wrongType(path, "a decimal", v)
		}
		f, err := n.Float64()
		if err != nil {
			return wrongType(path, "a decimal", v)
		}
		return within("decimal", path, f, low, high, n)
	}
}

func within(kind, path string, f, low, high float64, n json.Number) *apiError {
	switch {
	case f < low:
		return refuse(kind+"_below_min_value", path, "Invalid '%s': %s below minimum value. Expected a value >= %v, but got %s instead.", path, kind, low, n)
	case f > high:
		return refuse(kind+"_above_max_value", path, "Invalid '%s': %s above maximum value. Expected a value <= %v, but got %s instead.", path, kind, high, n)
	}
	return nil
}

func list(item check, low, high int) check {
	return func(v any, path string) *apiError {
		l, ok := v.([]any)
		if !ok {
			return wrongType(path, "an array", v)
		}
		if len(l) < low || len(l) > high {
			return refuse("invalid_array_length", path, "Invalid '%s': array with %d entries. Expected between %d and %d.", path, len(l), low, high)
		}
		for i, e := range l {
			if err := item(e, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// metadata is the API's free map: 16 pairs, keys up to 64 and values up to 512 characters.
func metadata(v any, path string) *apiError {
	m, ok := v.(map[string]any)
	if !ok {
		return wrongType(path, "an object", v)
	}
	if len(m) > 16 {
		return refuse("object_above_max_properties", path, "Invalid '%s': too many properties. Expected at most 16, but got %d instead.", path, len(m))
	}
	for k, e := range m {
		if len(k) > 64 {
			return refuse("invalid_value", path, "Invalid '%s': a key is longer than 64 characters.", path)
		}
		if err := text(512)(e, join(path, k)); err != nil {
			return err
		}
	}
	return nil
}

const unbounded = math.MaxInt32

func wrongType(path, want string, v any) *apiError {
	if path == "" {
		return refuse("invalid_type", "", "Invalid type: expected %s, but got %s instead.", want, kindOf(v))
	}
	return refuse("invalid_type", path, "Invalid type for '%s': expected %s, but got %s instead.", path, want, kindOf(v))
}

func kindOf(v any) string {
	switch n := v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		if _, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
			return "an integer"
		}
		return "a decimal number"
	case []any:
		return "an array"
	}
	return "an object"
}

func quoted(values []string) string { return "'" + strings.Join(values, "', '") + "'" }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// member walks into nested objects; nil when something on the way is missing.
func member(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func stringAt(v any, path ...string) string {
	s, _ := member(v, path...).(string)
	return s
}

func intAt(v any, path ...string) int {
	n, _ := member(v, path...).(json.Number)
	i, _ := n.Int64()
	return int(i)
}

// toMap copies a value through JSON, so that it can be shown without being shared; nil when it is no object.
func toMap(v any) map[string]any {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	m, _ := parseObject(raw)
	return m
}
