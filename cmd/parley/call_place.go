package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"parley"
	"parley/internal/sim/phone"
)

// place finds out whom to call and how the requests are signed. api is nil without a key.
func (c *callCmd) place(ctx context.Context) (phone.Options, *callAPI, error) {
	key := c.Key
	if key == "" && loopback(c.origin.Hostname()) {
		key = readLine(filepath.Join(c.Data, fileLocalKey))
	}
	if key == "" {
		opt, err := c.signingItself()
		return opt, nil, err
	}
	api := newCallAPI(c.URL, key)
	opt, err := c.signedByServer(ctx, api)
	return opt, api, err
}

// signedByServer asks the server for a ready-signed first request; it signs the following ones too.
func (c *callCmd) signedByServer(ctx context.Context, api *callAPI) (phone.Options, error) {
	want := map[string]string{"agentId": c.Agent}
	if c.To != "" {
		want = map[string]string{"to": c.To}
	} else if c.Agent == "" {
		agent, err := api.oldestVoiceAgent(ctx)
		if err != nil {
			return phone.Options{}, err
		}
		want["agentId"] = agent
	}
	var test struct {
		ID, URL, Signature string
		Form               map[string]string
	}
	if err := api.post(ctx, "/api/v1/test-calls", want, &test); err != nil {
		return phone.Options{}, err
	}
	webhook, err := c.reach(test.URL)
	if err != nil {
		return phone.Options{}, err
	}
	form := url.Values{}
	for name, value := range test.Form {
		form.Set(name, value)
	}
	return phone.Options{
		WebhookURL: webhook, PublicURL: test.URL, Form: form, Signature: test.Signature,
		Sign: func(ctx context.Context, address string, form url.Values) (string, error) {
			single := make(map[string]string, len(form))
			for name := range form {
				single[name] = form.Get(name)
			}
			var answer struct{ Signature string }
			err := api.post(ctx, "/api/v1/test-calls/"+test.ID+"/sign", map[string]any{"url": address, "form": single}, &answer)
			return answer.Signature, err
		},
	}, nil
}

// signingItself uses the carrier's token: the real one of the environment, or the simulated one that serve
// keeps in its data folder.
func (c *callCmd) signingItself() (phone.Options, error) {
	account := simulatedTwilio{AccountSID: os.Getenv("TWILIO_ACCOUNT_SID"), AuthToken: os.Getenv("TWILIO_AUTH_TOKEN")}
	if account.AuthToken == "" && (!readJSON(filepath.Join(c.Data, fileSimulatedTwilio), &account) || account.AuthToken == "") {
		return phone.Options{}, fmt.Errorf("nothing to sign the call with: pass --key with an API key of the server, or --data with its data folder (%s has none), or set TWILIO_AUTH_TOKEN; is `parley serve` running?", c.Data)
	}
	to := c.To
	if to == "" {
		agent := c.Agent
		var known example
		if agent == "" && readJSON(filepath.Join(c.Data, fileExample), &known) {
			agent = known.VoiceAgentID
		}
		if agent == "" {
			return phone.Options{}, errors.New("whom to call? Pass --agent or --to, or --key, with which the server is asked for its oldest voice agent")
		}
		to = parley.ClientAddressPrefix + agent
	}
	public := c.PublicURL
	if public == "" {
		public = c.URL
	}
	public = strings.TrimRight(public, "/") + "/twilio/voice"
	webhook, err := c.reach(public)
	if err != nil {
		return phone.Options{}, err
	}
	return phone.Options{
		WebhookURL: webhook, PublicURL: public, AccountSID: account.AccountSID, AuthToken: account.AuthToken,
		To: to, ExtraForm: url.Values{"ParleyTest": {"true"}},
	}, nil
}

// reach is where a public address of the server is reached: its path on --url.
func (c *callCmd) reach(public string) (string, error) {
	u, err := url.Parse(public)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the public address %s is not one: give --public-url such as https://parley.example", public)
	}
	u.Scheme, u.Host = c.origin.Scheme, c.origin.Host
	return u.String(), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// readLine returns a small file's text, "" if it cannot be read: the caller then does without it.
func readLine(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func readJSON(path string, into any) bool {
	raw, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(raw, into) == nil
}
