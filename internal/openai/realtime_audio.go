package openai

import (
	"bytes"
	"encoding/base64"

	"parley/internal/fastjson"
	"parley/internal/leg"
)

// fastAudio decodes an audio delta without reflection: it is the one frequent and large event. It takes the flat
// shape that OpenAI sends, with each member once, and leaves everything else to decodeRealtime.
func (r *Realtime) fastAudio(raw []byte, ev *leg.ModelEvent) bool {
	if !bytes.Contains(raw[:min(len(raw), 100)], audioDelta) {
		return false
	}
	m := fastjson.Reader{Raw: raw}
	var typ, response, item, delta []byte
	index, once := 0, func(dst *[]byte, value []byte) bool {
		first := *dst == nil
		*dst = value
		return first
	}
	for {
		kind, key, value := m.Next()
		valid := kind == fastjson.String
		switch string(key) {
		case "type":
			valid = valid && once(&typ, value)
		case "response_id":
			valid = valid && once(&response, value)
		case "item_id":
			valid = valid && once(&item, value)
		case "delta":
			valid = valid && once(&delta, value)
		case "content_index":
			// Parts beyond the tenth are left to encoding/json.
			valid = kind == fastjson.Literal && len(value) == 1 && value[0] >= '0' && value[0] <= '9'
			if valid {
				index = int(value[0] - '0')
			}
		default:
			if bytes.ContainsAny(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
				return false // encoding/json does not mind the case
			}
			valid = kind == fastjson.String || kind == fastjson.Literal || kind == fastjson.End
		}
		if !valid {
			return false
		}
		if kind == fastjson.End {
			break
		}
	}
	if string(typ) != "response.output_audio.delta" {
		return false
	}
	audio, ok := r.decodeAudio(delta)
	if !ok {
		return false
	}
	if r.responseID != string(response) {
		r.responseID = string(response)
	}
	if r.itemID != string(item) {
		r.itemID = string(item)
	}
	*ev = leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: r.responseID, ItemID: r.itemID, ContentIndex: index, Audio: audio}
	return true
}

var audioDelta = []byte(`"response.output_audio.delta"`)

func (r *Realtime) decodeAudio(b64 []byte) ([]byte, bool) {
	need := base64.StdEncoding.DecodedLen(len(b64))
	audio := r.buffers.Take(need)[:need]
	n, err := base64.StdEncoding.Decode(audio, b64)
	return audio[:n], err == nil
}
