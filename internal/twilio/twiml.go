package twilio

import (
	"encoding/xml"
	"net/http"
)

// Verb is one TwiML instruction: a value of one of the types below.
type Verb interface{ verb() }

// Connect opens a bidirectional Media Stream. The verbs after it run when the server closes the socket.
type Connect struct {
	XMLName xml.Name `xml:"Connect"`
	Stream  Stream
}

// Stream is the noun of Connect. URL must be ws or wss and carries no query string: Twilio drops it.
type Stream struct {
	XMLName    xml.Name `xml:"Stream"`
	URL        string   `xml:"url,attr"`
	Parameters []Parameter
}

// Parameter arrives in the stream's start message as a custom parameter.
type Parameter struct {
	XMLName xml.Name `xml:"Parameter"`
	Name    string   `xml:"name,attr"`
	Value   string   `xml:"value,attr"`
}

// Redirect makes Twilio fetch the next instructions with a signed POST.
type Redirect struct {
	XMLName xml.Name `xml:"Redirect"`
	Method  string   `xml:"method,attr"`
	URL     string   `xml:",chardata"`
}

// Say speaks a text with the carrier's own voice: it needs no model.
type Say struct {
	XMLName  xml.Name `xml:"Say"`
	Language string   `xml:"language,attr,omitempty"` // BCP 47, "" = en-US
	Text     string   `xml:",chardata"`
}

// Pause waits in silence.
type Pause struct {
	XMLName xml.Name `xml:"Pause"`
	Seconds int      `xml:"length,attr"`
}

// Play presses keys: 0-9, * and #, and w for a pause of half a second. The call hears them as tones.
type Play struct {
	XMLName xml.Name `xml:"Play"`
	Digits  string   `xml:"digits,attr"`
}

// Dial connects the caller to a phone number. With an Action, the verbs after it are not executed: Action is asked
// what follows when the dialed party has hung up or could not be reached (DialCallStatus).
type Dial struct {
	XMLName xml.Name `xml:"Dial"`
	Action  string   `xml:"action,attr,omitempty"`
	// Timeout is how many seconds the party's phone rings; 0 = Twilio's 30.
	Timeout  int    `xml:"timeout,attr,omitempty"`
	CallerID string `xml:"callerId,attr,omitempty"` // "" = the caller's own number
	// AnswerOnBridge lets the caller hear ringing until both are connected, also while the number's URL is executed.
	AnswerOnBridge bool `xml:"answerOnBridge,attr,omitempty"`
	Number         DialNumber
}

// DialNumber is the noun of Dial: a number in E.164 form.
type DialNumber struct {
	XMLName xml.Name `xml:"Number"`
	// URL answers with what the dialed party hears before it is connected; "" = it is connected at once.
	URL string `xml:"url,attr,omitempty"`
	// StatusCallback is told of StatusCallbackEvent ("initiated ringing answered completed") of the dialed call.
	StatusCallback      string `xml:"statusCallback,attr,omitempty"`
	StatusCallbackEvent string `xml:"statusCallbackEvent,attr,omitempty"`
	Number              string `xml:",chardata"`
}

// Gather speaks a text while it waits for keys, which it posts to Action as Digits. Without any, the verbs after it
// are executed.
type Gather struct {
	XMLName   xml.Name `xml:"Gather"`
	Input     string   `xml:"input,attr"` // dtmf
	NumDigits int      `xml:"numDigits,attr"`
	Timeout   int      `xml:"timeout,attr"` // seconds after the text, and between keys
	Action    string   `xml:"action,attr"`
	Say       Say
}

// Hangup ends the call.
type Hangup struct {
	XMLName xml.Name `xml:"Hangup"`
}

func (Connect) verb()  {}
func (Redirect) verb() {}
func (Say) verb()      {}
func (Play) verb()     {}
func (Pause) verb()    {}
func (Dial) verb()     {}
func (Gather) verb()   {}
func (Hangup) verb()   {}

// WriteTwiML answers a webhook with the verbs in order. Texts are escaped by the encoder, so a name or number
// of a stranger cannot become an instruction.
func WriteTwiML(w http.ResponseWriter, verbs ...Verb) error {
	list := make([]any, len(verbs))
	for i, v := range verbs {
		list[i] = v
	}
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Response"`
		Verbs   []any
	}{Verbs: list})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if _, err = w.Write([]byte(xml.Header)); err == nil {
		_, err = w.Write(body)
	}
	return err
}
