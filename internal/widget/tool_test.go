package widget

import (
	"bufio"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"parley"
	"parley/internal/chat"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

// toolCaller is a model that calls show_product when it is offered it, and then says what came of it.
type toolCaller struct{}

func (toolCaller) Complete(_ context.Context, req openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error) {
	last := req.Messages[len(req.Messages)-1]
	if last.Role == "user" && len(req.Tools) == 1 {
		calls := []openai.ChatToolCall{{ID: "a", Name: req.Tools[0].FunctionName, Arguments: `{"sku":"7"}`}}
		return openai.ChatAnswer{ID: "c", ToolCalls: calls, FinishReason: "stop"}, nil
	}
	text := last.Text
	if _, framed, ok := strings.Cut(text, `"result":`); ok {
		text = strings.TrimSuffix(framed, "}")
	}
	onText(text)
	return openai.ChatAnswer{ID: "c", Text: text, FinishReason: "stop"}, nil
}

// newShop is a house whose agent has a client tool, show_product.
func newShop(t *testing.T, st *store.Store) *house {
	t.Helper()
	b := newHouseWith(t, st, toolCaller{}, tool.New(tool.Options{Store: st}), nil)
	tl := parley.Tool{
		ID: parley.NewID(), OrgID: b.agent.OrgID, Name: "Show product", FunctionName: "show_product", Description: "D", Kind: parley.ToolClient,
		Parameters: json.RawMessage(`{"type":"object"}`), Access: parley.AccessWrite, Client: &parley.ClientTool{TimeoutSeconds: 30},
		CreatedAt: storetest.Now(), UpdatedAt: storetest.Now(),
	}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateTool(ctx, b.agent.OrgID, store.SealedTool{Tool: tl})
	})
	b.set(func(a *parley.Agent) { a.ToolIDs = []string{tl.ID} })
	return b
}

// shows asks for the tool and waits until the page is asked to run it. path is where it answers.
func (v *browser) shows() (runID, path string) {
	v.t.Helper()
	var a acceptedView
	v.do("POST", "/widget/v1/messages", `{"clientMessageId":"`+parley.NewID()+`","text":"show","clientTools":["other","show_product"]}`).want("a message", 202).data(&a)
	res := v.open(ask{method: "GET", path: "/widget/v1/runs/" + a.RunID + "/events", origin: v.origin, token: v.Token})
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		text, ok := strings.CutPrefix(lines.Text(), `data: `)
		var d chat.ToolRequestedData
		if ok && json.Unmarshal([]byte(text), &d) == nil && d.RequestID != "" {
			if d.Name != "show_product" || string(d.Arguments) != `{"sku":"7"}` {
				v.t.Errorf("asked %s", text)
			}
			return a.RunID, "/widget/v1/runs/" + a.RunID + "/tools/" + d.RequestID
		}
	}
	v.t.Fatal("the page is not asked")
	return "", ""
}

func TestToolsOfAPage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newShop(t, st)
		v, stranger := b.session(site), b.session(site)
		stranger.listen(stranger.say("hi").RunID, nil)
		run, path := v.shows()

		claim := func(v *browser, id string) (claimed bool) {
			t.Helper()
			var got struct{ Claimed bool }
			v.do("POST", path+"/claim", `{"claim":"`+id+`"}`).want("a claim", 200).data(&got)
			return got.Claimed
		}
		foreign := strings.Replace(path, run, parley.NewID(), 1)
		for what, r := range map[string]reply{
			"a foreign visitor's claim":  stranger.do("POST", path+"/claim", `{"claim":"x"}`),
			"a foreign visitor's result": stranger.do("POST", path, `{"result":1}`),
			"a foreign run":              v.do("POST", foreign, `{"result":1}`),
			"an unknown call":            v.do("POST", path[:strings.LastIndexByte(path, '/')+1]+parley.NewID(), `{"result":1}`),
			"no id":                      v.do("POST", path+"x", `{"result":1}`),
			"no id of a claim":           v.do("POST", path+"x/claim", `{"claim":"x"}`),
		} {
			r.want(what, 404)
		}
		b.do(ask{method: "POST", path: path, token: v.Token, origin: "https://other.example", body: `{"result":1}`}).want("another site", 403)
		b.do(ask{method: "POST", path: path, body: `{"result":1}`}).want("no token", 401)
		for _, body := range []string{
			``, `{}`, `[]`, `{"result":1,"error":"x"}`, `{"error":1}`, `{"result":1,"more":2}`, `{"result":1,"claim":""}`, `{"result":"` + "\\u0000" + `"}`,
			`{"Result":1}`, `{"result":1,"result":2}`, `{"error":"` + strings.Repeat("x", 1001) + `"}`,
		} {
			v.do("POST", path, body).want(body[:min(len(body), 60)], 400)
		}
		for _, body := range []string{``, `{}`, `{"claim":""}`, `{"claim":1}`} {
			v.do("POST", path+"/claim", body).want("the claim "+body, 400)
		}
		v.do("POST", path, `{"result":"`+strings.Repeat("x", maxToolResult)+`"}`).want("a result that is too large", 413)
		v.do("POST", path, `{"result":"`+strings.Repeat("x", maxToolBody)+`"}`).want("a body that is too large", 413)

		for _, c := range []struct {
			by   string
			mine bool
		}{{"one", true}, {"one", true}, {"two", false}} {
			if claim(v, c.by) != c.mine {
				t.Errorf("the claim of %s is not %v", c.by, c.mine)
			}
		}
		v.do("POST", path, `{"claim":"two","result":1}`).want("another page's result", 409)
		v.do("POST", path, `{"result":1}`).want("a result without the claim", 409)
		v.do("POST", path, `{"claim":"one","result":{"b": [1, null, "é"]}}`).want("the result", 200)
		v.do("POST", path, `{"claim":"one","result":2}`).want("the result again", 200)
		events, text := v.listen(run, nil)
		if !strings.HasSuffix(text, `{"b":[1,null,"é"]}`) || events[len(events)-1].Type != "run.completed" {
			t.Errorf("the answer is %q", text)
		}
		v.do("POST", path, `{"claim":"one","result":3}`).want("the result after the end", 200)

		run, path = v.shows()
		v.do("POST", path, `{"error":"sold out"}`).want("an error", 200)
		if _, text = v.listen(run, nil); !strings.Contains(text, `"sold out"`) {
			t.Errorf("the answer is %q", text)
		}
		run, path = v.shows()
		v.do("POST", "/widget/v1/runs/"+run+"/stop", "").want("a stop", 202)
		v.listen(run, nil)
		v.do("POST", path, `{"result":1}`).want("a late result", 409)
		if claim(v, "one") {
			t.Error("a call that is over can be claimed")
		}
	})
}

// TestPagesSayWhatTheyCan: names that no function has are refused, and no page is asked what it did not offer.
func TestPagesSayWhatTheyCan(t *testing.T) {
	t.Parallel()
	b := newShop(t, storetest.SQLite(t))
	v := b.session(site)
	for _, list := range []string{`"show_product"`, `["a b"]`, `[1]`, `[""]`, `["` + strings.Repeat("a", 65) + `"]`} {
		v.do("POST", "/widget/v1/messages", `{"clientMessageId":"m","text":"x","clientTools":`+list+`}`).want(list, 400)
	}
	var a acceptedView
	for _, more := range []string{``, `,"clientTools":null`, `,"clientTools":[]`, `,"clientTools":["another"]`} {
		v.do("POST", "/widget/v1/messages", `{"clientMessageId":"`+parley.NewID()+`","text":"x"`+more+`}`).want("a message"+more, 202).data(&a)
		if events, text := v.listen(a.RunID, nil); text != "x" {
			t.Errorf("%s: %v", more, events)
		}
	}
	retry := "/widget/v1/runs/" + a.RunID + "/retry"
	v.do("POST", retry, `{"clientTools":1}`).want("a bad list", 400)
	v.do("POST", retry, `{"clientTools":["show_product"]}`).want("again", 202).data(&a)
	v.do("POST", "/widget/v1/runs/"+a.RunID+"/stop", "").want("a stop", 202)
	v.listen(a.RunID, nil)
	v.do("POST", "/widget/v1/runs/"+a.RunID+"/retry", "").want("again without a body", 202).data(&a)
	if _, text := v.listen(a.RunID, nil); text != "x" {
		t.Errorf("again, on no page: %q", text)
	}
}
