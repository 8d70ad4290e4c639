package openai

import (
	"encoding/json"
	"fmt"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"

	"parley"
)

// streamBody is the body of a request for a stream.
func streamBody(req ChatRequest) ([]byte, error) {
	raw, err := json.Marshal(chatParams(req))
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	return append(raw[:len(raw)-1], `,"stream":true}`...), nil // an object with at least the model and the messages
}

// chatParams builds the body of POST /chat/completions. It sends only what every compatible server knows:
// stream_options carries include_usage alone, functions are not strict, and tool_choice appears only to
// forbid tools.
func chatParams(req ChatRequest) sdk.ChatCompletionNewParams {
	p := sdk.ChatCompletionNewParams{
		Model:         req.Model,
		Messages:      make([]sdk.ChatCompletionMessageParamUnion, 0, len(req.Messages)),
		StreamOptions: sdk.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)},
	}
	for _, m := range req.Messages {
		p.Messages = append(p.Messages, chatMessage(m))
	}
	for _, t := range req.Tools {
		p.Tools = append(p.Tools, chatTool(t))
	}
	if req.NoTools && len(p.Tools) > 0 { // tool_choice without tools is an error
		p.ToolChoice = sdk.ChatCompletionToolChoiceOptionUnionParam{OfAuto: param.NewOpt("none")}
	}
	return p
}

func chatMessage(m ChatMessage) sdk.ChatCompletionMessageParamUnion {
	switch m.Role {
	case "system":
		return sdk.SystemMessage(m.Text)
	case "tool":
		return sdk.ToolMessage(m.Text, m.ToolCallID)
	case "assistant":
		a := &sdk.ChatCompletionAssistantMessageParam{}
		if m.Text != "" || len(m.ToolCalls) == 0 { // content may be absent only beside tool calls
			a.Content.OfString = param.NewOpt(m.Text)
		}
		for _, c := range m.ToolCalls {
			a.ToolCalls = append(a.ToolCalls, sdk.ChatCompletionMessageToolCallUnionParam{
				OfFunction: &sdk.ChatCompletionMessageFunctionToolCallParam{
					ID: c.ID,
					Function: sdk.ChatCompletionMessageFunctionToolCallFunctionParam{
						Name: c.Name, Arguments: c.Arguments,
					},
				},
			})
		}
		return sdk.ChatCompletionMessageParamUnion{OfAssistant: a}
	default:
		return sdk.UserMessage(m.Text)
	}
}

func chatTool(t parley.Tool) sdk.ChatCompletionToolUnionParam {
	f := shared.FunctionDefinitionParam{Name: t.FunctionName}
	if t.Description != "" {
		f.Description = param.NewOpt(t.Description)
	}
	var schema shared.FunctionParameters
	if json.Unmarshal(t.Parameters, &schema) == nil {
		f.Parameters = schema
	}
	return sdk.ChatCompletionFunctionTool(f)
}
