package tool

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"parley"
)

// Bounds of questions.
const (
	questionLife  = 30 * time.Minute // for the question to be put and answered
	agreementLife = 5 * time.Minute  // for the call to be made after the answer
	maxQuestions  = 8                // remembered at once: one that is open, and agreements that were not used yet
	maxShown      = 1_000            // bytes of arguments in the words for the model
)

// Consent is how a person can agree.
type Consent struct {
	Words bool // what they say or write is known to the server
	Keys  bool // they can press 1 for yes and 2 for no
}

// question is one call that needs the person's agreement. At most one is open, that is requested or asked: a yes cannot
// be taken for an answer to something else.
type question struct {
	key, name string
	state     string    // requested, asked or agreed
	at        time.Time // of the state, of a question also when it was requested
	answering string    // item id of an answer whose words are not known yet; "" = none
}

func (q *question) open() bool { return q.state != parley.ConfirmAgreed }

func (q *question) expired(now time.Time) bool {
	if q.open() {
		return now.Sub(q.at) > questionLife
	}
	return now.Sub(q.at) > agreementLife
}

// agreement returns the question of a call whose answer is a yes, or is about to be known; nil when it must be asked.
func (g *Guard) agreement(key string, now time.Time) *question {
	g.expire(now)
	i := slices.IndexFunc(g.questions, func(q *question) bool { return q.key == key })
	if i < 0 {
		return nil
	}
	if q := g.questions[i]; q.state == parley.ConfirmAgreed || q.answering != "" {
		return q
	}
	return nil
}

// ask opens the question of a call, in the place of any other open one, and returns what the model is told.
func (g *Guard) ask(t parley.Tool, c Call, key, arguments string, now time.Time) string {
	if !g.how.Words && !g.how.Keys {
		return "it needs the person's agreement, which cannot be given here. Say that you cannot do it."
	}
	open := g.openQuestion()
	if open == nil || open.key != key {
		if open != nil {
			g.step(open, parley.ConfirmWithdrawn, "")
		}
		q := &question{key: key, name: c.Name, state: parley.ConfirmRequested, at: now}
		if g.questions = append(g.questions, q); len(g.questions) > maxQuestions {
			g.questions = g.questions[1:]
		}
		g.record(parley.ToolConfirmationData{
			Question: key, CallID: c.CallID, Name: c.Name, Arguments: json.RawMessage(arguments), State: parley.ConfirmRequested,
		})
	}
	return fmt.Sprintf("it needs the person's own agreement. Ask them now, in their language, in one short question that ends with a question mark and names all of this: "+
		"%s%s. %s After their yes call %s again with exactly the same arguments; the server knows what they answered. Until then nothing is done, so do not say that it is. Ask one such question at a time.",
		t.Name, shown(arguments), g.how.words(), c.Name)
}

// words tells the model how the person can answer.
func (how Consent) words() string {
	switch {
	case how.Words && how.Keys:
		return `They answer with a plain yes or no, or press 1 for yes or 2 for no.`
	case how.Keys:
		return `Tell them to press 1 for yes or 2 for no: what they say does not count in this call.`
	}
	return `They answer with a plain yes or no; "OK" is understood in every language.`
}

// shown lists arguments for a question.
func shown(arguments string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(arguments), &members) != nil || len(members) == 0 {
		return ""
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		list = append(list, name+" "+string(members[name]))
	}
	return " (" + Cut(strings.Join(list, ", "), maxShown) + ")"
}

// Asked says that the person has got a whole message of the agent. Only one that asks something counts.
func (g *Guard) Asked(itemID, text string, now time.Time) {
	q := g.openQuestion()
	if q == nil || q.state == parley.ConfirmAsked || !asks(text) {
		return
	}
	g.step(q, parley.ConfirmAsked, itemID)
	q.at = now
}

// Distracted says that the person has got something else since they were asked, such as a question whether they are
// still there: their next yes may be meant for that.
func (g *Guard) Distracted(itemID string) {
	if q := g.openQuestion(); q != nil && q.state == parley.ConfirmAsked && q.answering == "" {
		g.step(q, parley.ConfirmUnclear, itemID)
	}
}

// AskedAt is when the person was asked what is still open; zero when they were not.
func (g *Guard) AskedAt() time.Time {
	if q := g.openQuestion(); q != nil && q.state == parley.ConfirmAsked {
		return q.at
	}
	return time.Time{}
}

// Expect says that the person has said something whose words are not known yet.
func (g *Guard) Expect(itemID string) {
	if q := g.openQuestion(); q != nil && q.state == parley.ConfirmAsked {
		q.answering = itemID
	}
}

// Answered takes the person's own words. What they say after a question decides it; what they say after a yes that was
// not acted on yet may take it back. early says that they began before the question was over.
func (g *Guard) Answered(itemID, text string, early bool, now time.Time) {
	a := judge(text)
	if early {
		a = unclear
	}
	g.answer(itemID, a, now)
}

// Pressed takes the keys that the person has pressed: 1 is yes, 2 is no.
func (g *Guard) Pressed(itemID, keys string, now time.Time) {
	a := unclear
	switch strings.TrimSuffix(keys, "#") {
	case "1":
		a = yes
	case "2":
		a = no
	}
	g.answer(itemID, a, now)
}

func (g *Guard) answer(itemID string, a answerKind, now time.Time) {
	g.expire(now)
	for _, q := range slices.Clone(g.questions) {
		switch agreed := q.state == parley.ConfirmAgreed; {
		case q.state == parley.ConfirmRequested, agreed && a == yes:
			// Not asked yet; or they say yes once more.
		case a == yes:
			q.at = now
			g.step(q, parley.ConfirmAgreed, itemID)
		case a == no:
			g.step(q, parley.ConfirmDeclined, itemID)
		case agreed: // there may be an open question beside it
			g.step(q, parley.ConfirmWithdrawn, itemID)
		default:
			g.step(q, parley.ConfirmUnclear, itemID)
		}
	}
}

// Withdraw drops every question and agreement: the answer that asked is taken back.
func (g *Guard) Withdraw() {
	for _, q := range slices.Clone(g.questions) {
		g.step(q, parley.ConfirmWithdrawn, "")
	}
}

func (g *Guard) expire(now time.Time) {
	for _, q := range slices.Clone(g.questions) {
		if q.expired(now) {
			g.step(q, parley.ConfirmWithdrawn, "")
		}
	}
}

func (g *Guard) openQuestion() *question {
	i := slices.IndexFunc(g.questions, (*question).open)
	if i < 0 {
		return nil
	}
	return g.questions[i]
}

// step takes a question to its next state and puts that on record.
func (g *Guard) step(q *question, state, itemID string) {
	g.enter(q, state)
	g.record(parley.ToolConfirmationData{Question: q.key, Name: q.name, State: state, ItemID: itemID})
}

func (g *Guard) enter(q *question, state string) {
	switch state {
	case parley.ConfirmAsked, parley.ConfirmAgreed:
		q.state, q.answering = state, ""
	case parley.ConfirmUnclear:
		q.state, q.answering = parley.ConfirmRequested, ""
	default: // declined, withdrawn, used
		g.drop(q.key)
	}
}

func (g *Guard) drop(key string) {
	g.questions = slices.DeleteFunc(g.questions, func(q *question) bool { return q.key == key })
}

// recall takes a step from the record.
func (g *Guard) recall(d parley.ToolConfirmationData, at time.Time) {
	if d.State == parley.ConfirmRequested {
		g.drop(d.Question)
		g.questions = append(g.questions, &question{key: d.Question, name: d.Name, state: d.State, at: at})
		return
	}
	i := slices.IndexFunc(g.questions, func(q *question) bool { return q.key == d.Question })
	if i < 0 {
		return
	}
	q := g.questions[i]
	if d.State == parley.ConfirmAsked || d.State == parley.ConfirmAgreed {
		q.at = at
	}
	g.enter(q, d.State)
}
