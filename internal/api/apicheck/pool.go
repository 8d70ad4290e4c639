package apicheck

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var template = regexp.MustCompile(`\{[^}]*\}`)

// thing is a resource that an answer showed.
type thing struct {
	id   string
	kind map[string]string // its members that are words, such as type
	own  bool              // this run made it: only such may be changed
}

// pool holds the resources that answers showed, by the path of their collection.
type pool struct {
	rnd   *rand.Rand
	items map[string]string   // path of a collection → path of one of its items
	names map[string]string   // path parameter → path of its collection
	live  map[string][]*thing // collection → things
	gone  map[string][]*thing // deleted
	seen  map[string]string   // member of a created thing → its last text, such as an address to use later
}

const maxThings = 200 // of a collection; older ones are forgotten

func newPool(ops []*operation, rnd *rand.Rand) *pool {
	p := &pool{rnd: rnd, items: map[string]string{}, names: map[string]string{}, live: map[string][]*thing{}, gone: map[string][]*thing{}, seen: map[string]string{}}
	for _, op := range ops {
		for _, at := range template.FindAllStringIndex(op.path, -1) {
			collection := strings.TrimSuffix(op.path[:at[0]], "/")
			p.items[collection] = op.path[:at[1]]
			p.names[op.path[at[0]+1:at[1]-1]] = collection
		}
	}
	return p
}

// named is the id of a live thing for a member or parameter of this name.
func (p *pool) named(name string) (string, bool) {
	things := p.live[p.names[name]]
	if len(things) == 0 || name == "" {
		return "", false
	}
	return things[p.rnd.IntN(len(things))].id, true
}

// text is what a member of this name said in an answer.
func (p *pool) text(name string) (string, bool) { s, ok := p.seen[name]; return s, ok }

// path fills an operation's path, mostly with things that exist, and says what kind of thing the last is.
// other makes a value for a parameter that no thing is known for.
func (p *pool) path(op *operation, other func(name string) string) (string, map[string]string) {
	var b strings.Builder
	var kind map[string]string
	end := 0
	for _, at := range template.FindAllStringIndex(op.path, -1) {
		b.WriteString(op.path[end:at[0]])
		end = at[1]
		kind = nil
		if t := p.thing(strings.TrimSuffix(op.path[:at[0]], "/"), op.method != http.MethodGet); t != nil {
			b.WriteString(url.PathEscape(t.id))
			kind = t.kind
			continue
		}
		b.WriteString(url.PathEscape(other(op.path[at[0]+1 : at[1]-1])))
	}
	return b.String() + op.path[end:], kind
}

// thing picks a live one, sometimes a deleted one. What this run did not make (such as the key that it uses)
// is only looked at.
func (p *pool) thing(collection string, change bool) *thing {
	from := p.live[collection]
	if n := p.rnd.IntN(100); n < 15 && len(p.gone[collection]) > 0 {
		from = p.gone[collection]
	} else if n < 20 {
		return nil
	}
	if change {
		from = slices.DeleteFunc(slices.Clone(from), func(t *thing) bool { return !t.own })
	}
	if len(from) == 0 {
		return nil
	}
	return from[p.rnd.IntN(len(from))]
}

// learn takes ids from a good answer, and forgets what was deleted.
func (p *pool) learn(e *exchange, foreign bool) {
	if e.op == nil || e.status >= 300 || e.method != e.op.method {
		return
	}
	path, _, _ := strings.Cut(e.target, "?")
	path = strings.TrimSuffix(path, "/restore")
	item, restore := strings.CutSuffix(e.op.path, "/restore")
	collection, name, isItem := strings.Cut(item, "/{")
	isItem = isItem && strings.Index(name, "}") == len(name)-1
	id, _ := url.PathUnescape(path[strings.LastIndex(path, "/")+1:])
	switch {
	case isItem && e.method == http.MethodDelete:
		p.move(p.live, p.gone, collection, id)
	case isItem && restore:
		p.move(p.gone, p.live, collection, id)
	case isItem && e.method == http.MethodPut:
		p.add(collection, node{"id": id}, true)
	}
	if p.items[e.op.path] == "" {
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.answer))
	if err != nil {
		return
	}
	data := object(object(value)["data"])
	if e.method == http.MethodPost {
		p.add(e.op.path, data, true)
		return
	}
	for _, name := range sortedKeys(data) {
		for _, one := range list(data[name]) {
			p.add(e.op.path, object(one), !foreign)
		}
	}
}

func (p *pool) add(collection string, data node, own bool) {
	id := text(data["id"])
	same := func(t *thing) bool { return t.id == id }
	if id == "" || data["deletedAt"] != nil || data["revokedAt"] != nil ||
		slices.ContainsFunc(p.live[collection], same) || slices.ContainsFunc(p.gone[collection], same) {
		return
	}
	t := &thing{id: id, own: own, kind: map[string]string{}}
	for name, v := range data {
		if s, ok := v.(string); ok {
			t.kind[name] = s
			if own && name != "id" {
				p.seen[name] = s
			}
		}
	}
	p.live[collection] = keep(append(p.live[collection], t))
}

func (p *pool) move(from, to map[string][]*thing, collection, id string) {
	i := slices.IndexFunc(from[collection], func(t *thing) bool { return t.id == id })
	if i < 0 {
		return
	}
	to[collection] = keep(append(to[collection], from[collection][i]))
	from[collection] = slices.Delete(from[collection], i, i+1)
}

func keep(things []*thing) []*thing {
	return things[max(0, len(things)-maxThings):]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
