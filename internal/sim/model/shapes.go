package model

// The shapes of client events, after RealtimeClientEvent in OpenAI's OpenAPI description, with the limits
// that it states only in prose.

var voices = []string{"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"}

var eventID = may(text(512))

var audioFormat = variants("type", map[string]check{
	"audio/pcm":  object(map[string]field{"type": need(text(0)), "rate": may(integer(24000, 24000))}),
	"audio/pcmu": object(map[string]field{"type": need(text(0))}), // a rate is refused here
	"audio/pcma": object(map[string]field{"type": need(text(0))}),
})

var transcription = object(map[string]field{
	"model":     may(enum("whisper-1", "gpt-transcribe", "gpt-live-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize", "gpt-realtime-whisper")),
	"language":  may(languageCode),
	"languages": may(list(text(16), 1, 32)),
	"keywords":  may(list(text(0), 0, 1000)),
	"prompt":    may(text(0)),
	"delay":     may(enum("minimal", "low", "medium", "high", "xhigh")),
})

// languageCode takes ISO 639 codes only, as the real server does ("Language parameter must be specified in ISO-639-1
// format"): a regional tag such as pt-BR refuses the whole session.update.
func languageCode(v any, path string) *apiError {
	if err := text(3)(v, path); err != nil {
		return err
	}
	s := v.(string)
	for _, r := range s {
		if r < 'a' || r > 'z' {
			return refuse("invalid_value", path, "Invalid '%s': language '%s' must be specified in ISO-639-1 format.", path, s)
		}
	}
	return nil
}

var turnDetection = nullable(variants("type", map[string]check{
	"server_vad": object(map[string]field{
		"type":                need(text(0)),
		"threshold":           may(decimal(0, 1)),
		"prefix_padding_ms":   may(integer(0, 60_000)),
		"silence_duration_ms": may(integer(0, 60_000)),
		"create_response":     may(boolean),
		"interrupt_response":  may(boolean),
		"idle_timeout_ms":     may(nullable(integer(5000, 30_000))),
	}),
	"semantic_vad": object(map[string]field{
		"type":               need(text(0)),
		"eagerness":          may(enum("low", "medium", "high", "auto")),
		"create_response":    may(boolean),
		"interrupt_response": may(boolean),
	}),
}))

var voice = either(enum(voices...), object(map[string]field{"id": need(text(0))}))

var tool = variants("type", map[string]check{
	"function": object(map[string]field{ // flat: "function":{…} as in Chat Completions is unknown here
		"type":        need(text(0)),
		"name":        need(toolName),
		"description": may(text(0)),
		"parameters":  may(anyObject),
	}),
	"mcp": object(map[string]field{
		"type": need(text(0)), "server_label": need(text(0)), "server_url": may(text(0)),
		"connector_id": may(text(0)), "tunnel_id": may(text(0)), "authorization": may(text(0)),
		"server_description": may(text(0)), "headers": may(nullable(anyObject)), "allowed_tools": may(anything),
		"allowed_callers": may(anything), "require_approval": may(anything), "defer_loading": may(boolean),
	}),
})

// toolName is the pattern ^[a-zA-Z0-9_-]{1,64}$ that OpenAI demands of function names.
func toolName(v any, path string) *apiError {
	if err := text(64)(v, path); err != nil {
		return err
	}
	s := v.(string)
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (r < '0' || r > '9') && r != '_' && r != '-' {
			return refuse("invalid_value", path, "Invalid '%s': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.", path)
		}
	}
	if s == "" {
		return refuse("invalid_value", path, "Invalid '%s': empty string. Expected a string with minimum length 1.", path)
	}
	return nil
}

var toolChoice = either(enum("none", "auto", "required"), variants("type", map[string]check{
	"function": object(map[string]field{"type": need(text(0)), "name": need(text(64))}),
	"mcp":      object(map[string]field{"type": need(text(0)), "server_label": need(text(0)), "name": may(nullable(text(0)))}),
}))

var (
	modalities = list(enum("audio", "text"), 1, 1) // one of them, never both
	maxTokens  = either(enum("inf"), integer(1, 4096))
	reasoning  = object(map[string]field{"effort": may(enum("minimal", "low", "medium", "high", "xhigh"))})
	prompt     = nullable(object(map[string]field{"id": need(text(0)), "version": may(nullable(text(0))), "variables": may(nullable(anyObject))}))
	truncation = either(enum("auto", "disabled"), variants("type", map[string]check{"retention_ratio": object(map[string]field{
		"type":            need(text(0)),
		"retention_ratio": need(decimal(0, 1)),
		"token_limits":    may(object(map[string]field{"post_instructions": may(integer(0, unbounded))})),
	})}))
)

var inputConfig = object(map[string]field{
	"format":          may(audioFormat),
	"transcription":   may(nullable(transcription)),
	"noise_reduction": may(nullable(object(map[string]field{"type": need(enum("near_field", "far_field"))}))),
	"turn_detection":  may(turnDetection),
})

var sessionShape = variants("type", map[string]check{"realtime": object(map[string]field{
	"type":              need(text(0)),
	"model":             may(text(0)),
	"instructions":      may(text(0)),
	"output_modalities": may(modalities),
	"audio": may(object(map[string]field{
		"input": may(inputConfig),
		"output": may(object(map[string]field{
			"format": may(audioFormat),
			"voice":  may(voice),
			"speed":  may(decimal(0.25, 1.5)),
		})),
	})),
	"include":             may(list(enum("item.input_audio_transcription.logprobs"), 0, 1)),
	"tracing":             may(nullable(either(enum("auto"), anyObject))),
	"tools":               may(list(tool, 0, 128)),
	"tool_choice":         may(toolChoice),
	"parallel_tool_calls": may(boolean),
	"reasoning":           may(reasoning),
	"max_output_tokens":   may(maxTokens),
	"truncation":          may(truncation),
	"prompt":              may(prompt),
})})

// itemID is limited to 32 characters by the real server (reported by users).
var itemID = may(text(32))

func content(kinds map[string]check) field { return need(list(variants("type", kinds), 1, 100)) }

func inputText() check {
	return object(map[string]field{"type": need(text(0)), "text": need(text(0))})
}

func messageShape(kinds map[string]check) check {
	return object(map[string]field{
		"id": itemID, "object": may(enum("realtime.item")), "type": need(text(0)), "role": need(text(0)),
		"status": may(enum("completed", "incomplete", "in_progress")), "content": content(kinds),
	})
}

var messageItem = variants("role", map[string]check{
	"system": messageShape(map[string]check{"input_text": inputText()}),
	"user": messageShape(map[string]check{
		"input_text":  inputText(),
		"input_audio": object(map[string]field{"type": need(text(0)), "audio": need(text(0)), "transcript": may(nullable(text(0)))}),
		"input_image": object(map[string]field{"type": need(text(0)), "image_url": need(text(0)), "detail": may(enum("auto", "low", "high"))}),
	}),
	// Only text: the API refuses to be given words that it did not speak as audio.
	"assistant": messageShape(map[string]check{"output_text": inputText()}),
})

var itemShapes = map[string]check{
	"message": messageItem,
	"function_call": object(map[string]field{
		"id": itemID, "object": may(enum("realtime.item")), "type": need(text(0)),
		"status":  may(enum("completed", "incomplete", "in_progress")),
		"call_id": may(text(32)), "name": need(toolName), "arguments": need(text(0)),
	}),
	"function_call_output": object(map[string]field{
		"id": itemID, "object": may(enum("realtime.item")), "type": need(text(0)),
		"status":  may(enum("completed", "incomplete", "in_progress")),
		"call_id": need(text(32)), "output": need(text(0)),
	}),
}

var itemShape = variants("type", itemShapes)

var inputShape = func() check {
	kinds := map[string]check{"item_reference": object(map[string]field{"type": need(text(0)), "id": need(text(0))})}
	for k, c := range itemShapes {
		kinds[k] = c
	}
	return variants("type", kinds)
}()

var responseShape = object(map[string]field{
	"output_modalities": may(modalities),
	"instructions":      may(text(0)),
	"audio": may(object(map[string]field{"output": may(object(map[string]field{
		"format": may(audioFormat), "voice": may(voice),
	}))})),
	"tools":               may(list(tool, 0, 128)),
	"tool_choice":         may(toolChoice),
	"parallel_tool_calls": may(boolean),
	"reasoning":           may(reasoning),
	"max_output_tokens":   may(maxTokens),
	"conversation":        may(enum("auto", "none")),
	"metadata":            may(nullable(metadata)),
	"prompt":              may(prompt),
	"input":               may(list(inputShape, 0, 1000)),
})

func event(fields map[string]field) check {
	fields["event_id"], fields["type"] = eventID, need(text(0))
	return object(fields)
}

// clientEvents are the events that a WebSocket client may send; output_audio_buffer.clear is for WebRTC only.
var clientEvents = map[string]check{
	"session.update":             event(map[string]field{"session": need(sessionShape)}),
	"input_audio_buffer.append":  event(map[string]field{"audio": need(text(0))}),
	"input_audio_buffer.commit":  event(map[string]field{}),
	"input_audio_buffer.clear":   event(map[string]field{}),
	"conversation.item.create":   event(map[string]field{"previous_item_id": may(text(0)), "item": need(itemShape)}),
	"conversation.item.delete":   event(map[string]field{"item_id": need(text(0))}),
	"conversation.item.retrieve": event(map[string]field{"item_id": need(text(0))}),
	"conversation.item.truncate": event(map[string]field{
		"item_id": need(text(0)), "content_index": need(integer(0, unbounded)), "audio_end_ms": need(integer(0, unbounded)),
	}),
	"response.create": event(map[string]field{"response": may(responseShape)}),
	"response.cancel": event(map[string]field{"response_id": may(text(0))}),
}

var anyEvent = variants("type", clientEvents)
