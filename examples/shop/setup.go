package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// object is JSON as it is sent.
type object = map[string]any

// orderID is how a model names an order.
var orderID = object{"type": "string", "pattern": "^[Tt]-[0-9]{1,9}$", "description": "The order's number, such as T-1001."}

// quantity is how many; the simulated model takes the first example.
func quantity(example int) object {
	return object{"type": "integer", "minimum": 1, "maximum": 20, "examples": []int{example}}
}

// tools are what the agents can do at the shop.
func tools(shop string) []object {
	headers := object{"X-Shop-Key": "{{secret.SHOP_KEY}}"}
	return []object{{
		"name": "Book order", "functionName": "book_order", "category": "shop", "kind": "http",
		"description": "Books an order. Call it once the person has said what they want and how many. Tell them the order's number.",
		"parameters": object{"type": "object", "required": []string{"item", "quantity"}, "additionalProperties": false, "properties": object{
			"item": object{"type": "string", "enum": menu, "examples": menu[:1]}, "quantity": quantity(2),
		}},
		"http": object{"method": "POST", "url": shop + "/orders", "headers": headers},
	}, {
		"name": "Change order", "functionName": "change_order", "category": "shop", "kind": "http",
		"description": "Changes how many of an item an order has.",
		"parameters": object{"type": "object", "required": []string{"orderId", "quantity"}, "additionalProperties": false, "properties": object{
			"orderId": orderID, "quantity": quantity(3),
		}},
		"http": object{"method": "PATCH", "url": shop + "/orders/{{args.orderId}}", "headers": headers},
	}, {
		"name": "Cancel order", "functionName": "cancel_order", "category": "shop", "kind": "http",
		"description": "Cancels an order for good.",
		"parameters": object{"type": "object", "required": []string{"orderId"}, "additionalProperties": false, "properties": object{
			"orderId": orderID,
		}},
		"http": object{"method": "DELETE", "url": shop + "/orders/{{args.orderId}}", "headers": headers},
	}}
}

const instructions = "You take orders for a small tea shop. It sells green tea, black tea and coffee. Book, change and cancel orders with " +
	"your tools. Always tell the order's number and what the shop answered, in one short sentence."

// setUp makes the secret, the tools and the agents, or changes those that are there.
func setUp(ctx context.Context, c client, shop, shopKey string) error {
	if _, err := c.send(ctx, "PUT", "/secrets/SHOP_KEY", object{"value": shopKey}); err != nil {
		return err
	}
	var ids []string
	for _, t := range tools(shop) {
		id, err := c.ensure(ctx, "tools", t)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	voice, err := c.ensure(ctx, "agents", object{"name": "Tea shop (phone)", "type": "voice", "instructions": instructions, "toolIds": ids,
		"config": object{"greeting": "Hello, this is the tea shop. What can I do for you?"}})
	if err != nil {
		return err
	}
	chat, err := c.ensure(ctx, "agents", object{"name": "Tea shop (chat)", "type": "chat", "instructions": instructions, "toolIds": ids,
		"config": object{"title": "Tea shop", "greeting": "Hello! What can I do for you?", "suggestions": []string{"Please book an order", "Change my order", "Cancel my order"}}})
	if err != nil {
		return err
	}
	fmt.Printf("VOICE_AGENT_ID=%s\nCHAT_AGENT_ID=%s\nTry the chat at %s/try/%s\n", voice, chat, c.origin, chat)
	return nil
}

// client speaks to Parley's API.
type client struct{ origin, key string }

// ensure creates what has this name, or changes it to these members.
func (c client) ensure(ctx context.Context, noun string, want object) (id string, err error) {
	name := want["name"].(string)
	data, err := c.send(ctx, "GET", "/"+noun+"?limit=100&search="+url.QueryEscape(name), nil)
	if err != nil {
		return "", err
	}
	list, _ := data[noun].([]any)
	for _, entry := range list {
		if e, _ := entry.(object); e["name"] == name {
			id, _ = e["id"].(string)
		}
	}
	method, path := "POST", "/"+noun
	if id != "" {
		method, path = "PATCH", "/"+noun+"/"+id
		delete(want, "kind") // fixed at creation, as is the type of an agent
		delete(want, "type")
	}
	data, err = c.send(ctx, method, path, want)
	if err != nil {
		return "", err
	}
	id, _ = data["id"].(string)
	return id, nil
}

// send makes one request and returns the member data of the answer.
func (c client) send(ctx context.Context, method, path string, body any) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.origin+"/api/v1"+path, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("x-api-key", c.key)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w (is Parley running?)", method, path, err)
	}
	defer res.Body.Close()
	var envelope struct {
		Data  object `json:"data"`
		Error struct {
			Message string `json:"message"`
			Details any    `json:"details"`
		} `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&envelope); err != nil {
		return nil, fmt.Errorf("%s %s: status %d", method, path, res.StatusCode)
	}
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s %v", method, path, envelope.Error.Message, envelope.Error.Details)
	}
	return envelope.Data, nil
}
