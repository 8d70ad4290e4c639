package apicheck

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
)

// generator makes values that a schema allows. What it makes is judged by the schema afterwards, so it may be
// wrong where keywords work together.
type generator struct {
	d   *document
	rnd *rand.Rand
	id  func(name string) (string, bool) // an id that exists, for a member of this name
	old func(name string) (string, bool) // the text that a member of this name had in an answer
}

const maxNesting = 6 // of generated values

func (g *generator) chance(percent int) bool { return g.rnd.IntN(100) < percent }

func pick[T any](g *generator, from []T) T { return from[g.rnd.IntN(len(from))] }

// value makes one value. name is the member that it is for.
func (g *generator) value(s node, name string, depth int) any {
	s = g.flat(s)
	if c, ok := s["const"]; ok {
		return c
	}
	if e := list(s["enum"]); len(e) > 0 {
		return pick(g, e)
	}
	if e := list(s["examples"]); len(e) > 0 && g.chance(10) {
		return pick(g, e)
	}
	switch g.typeOf(s) {
	case "null":
		return nil
	case "boolean":
		return g.chance(50)
	case "integer":
		return g.integer(s)
	case "number":
		return g.number(s)
	case "string":
		return g.text(s, name)
	case "array":
		return g.array(s, name, depth)
	case "object":
		return g.object(s, depth)
	}
	return g.anything(depth)
}

func (g *generator) typeOf(s node) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			if first := text(t[0]); g.chance(85) {
				return first
			}
			return text(pick(g, t))
		}
	}
	switch {
	case s["properties"] != nil:
		return "object"
	case s["items"] != nil:
		return "array"
	}
	return ""
}

// flat resolves references, chooses among alternatives and merges all of it into one schema.
func (g *generator) flat(s node) node {
	for range 16 {
		s, _ = g.d.follow(s, "")
		merged := false
		for _, key := range []string{"oneOf", "anyOf", "allOf"} {
			parts := list(s[key])
			if len(parts) == 0 {
				continue
			}
			rest := maps.Clone(s)
			delete(rest, key)
			if key != "allOf" {
				parts = []any{pick(g, parts)}
			}
			for _, p := range parts {
				n, _ := g.d.follow(p, "")
				rest = merge(rest, n)
			}
			s, merged = rest, true
			break
		}
		if !merged {
			return s
		}
	}
	return s
}

func merge(a, b node) node {
	out := maps.Clone(a)
	for key, v := range b {
		switch key {
		case "properties":
			props := maps.Clone(object(a[key]))
			if props == nil {
				props = node{}
			}
			for name, p := range object(v) {
				if old := object(props[name]); old != nil && object(p) != nil {
					p = merge(old, object(p))
				}
				props[name] = p
			}
			out[key] = props
		case "required":
			out[key] = append(slices.Clone(list(a[key])), list(v)...)
		default:
			out[key] = v
		}
	}
	return out
}

func (g *generator) integer(s node) any {
	lo, hi := bounds(s, -1<<40, 1<<40)
	n := int64(math.Ceil(lo)) + g.rnd.Int64N(int64(hi-lo)+1)
	switch g.rnd.IntN(8) {
	case 0:
		n = int64(math.Ceil(lo))
	case 1:
		n = int64(math.Floor(hi))
		if s["maximum"] == nil && text(s["format"]) == "int64" {
			n = math.MaxInt64
		}
	case 2:
		if n > -1e9 && n < 1e9 {
			return json.Number(strconv.FormatInt(n, 10) + ".0") // an integer, says JSON Schema
		}
	}
	return json.Number(strconv.FormatInt(n, 10))
}

func (g *generator) number(s node) any {
	lo, hi := bounds(s, -1e9, 1e9)
	switch g.rnd.IntN(6) {
	case 0:
		return json.Number(strconv.FormatFloat(lo, 'g', -1, 64))
	case 1:
		return json.Number(strconv.FormatFloat(hi, 'g', -1, 64))
	case 2:
		return json.Number(strconv.FormatFloat(lo+g.rnd.Float64()*(hi-lo), 'e', -1, 64))
	}
	return json.Number(strconv.FormatFloat(lo+g.rnd.Float64()*(hi-lo), 'f', 2, 64))
}

// bounds are the least and greatest number that a schema allows; lo and hi where it does not say.
func bounds(s node, lo, hi float64) (float64, float64) {
	hasLo, hasHi := false, false
	for key, step := range map[string]float64{"minimum": 0, "exclusiveMinimum": 1} {
		if v, ok := float(s[key]); ok {
			lo, hasLo = v+step, true
		}
	}
	for key, step := range map[string]float64{"maximum": 0, "exclusiveMaximum": 1} {
		if v, ok := float(s[key]); ok {
			hi, hasHi = v-step, true
		}
	}
	if hasLo && !hasHi {
		hi = max(hi, lo+1e6)
	}
	if hasHi && !hasLo {
		lo = min(lo, hi-1e6)
	}
	return lo, hi
}

func float(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func whole(v any, otherwise int) int {
	f, ok := float(v)
	if !ok {
		return otherwise
	}
	return int(f)
}

func (g *generator) array(s node, name string, depth int) any {
	lo := whole(s["minItems"], 0)
	hi := whole(s["maxItems"], lo+4)
	n := lo
	if depth < maxNesting && hi > lo {
		n += g.rnd.IntN(min(hi-lo, 4) + 1)
		if g.chance(3) && hi <= 200 {
			n = hi
		}
	}
	out := make([]any, 0, n)
	for range n {
		out = append(out, g.value(object(s["items"]), name, depth+1))
	}
	return out
}

func (g *generator) object(s node, depth int) any {
	out := node{}
	required := map[string]bool{}
	for _, r := range list(s["required"]) {
		required[text(r)] = true
	}
	props := object(s["properties"])
	share := pick(g, []int{0, 30, 60, 100})
	for _, name := range slices.Sorted(maps.Keys(props)) {
		p, ok := props[name].(node)
		if ok && (required[name] || depth < maxNesting && g.chance(share)) {
			out[name] = g.value(p, name, depth+1)
		}
	}
	if more, ok := s["additionalProperties"].(node); ok && depth < maxNesting {
		for range g.rnd.IntN(4) {
			out[g.word()] = g.value(more, "", depth+1)
		}
	}
	return out
}

// anything is for schemas that say nothing.
func (g *generator) anything(depth int) any {
	switch n := g.rnd.IntN(8); {
	case n == 0:
		return nil
	case n == 1:
		return g.chance(50)
	case n == 2:
		return g.integer(nil)
	case n == 3 && depth < maxNesting:
		return []any{g.anything(depth + 1), g.anything(depth + 1)}
	case n == 4 && depth < maxNesting:
		return node{g.word(): g.anything(depth + 1)}
	}
	return g.words(20)
}
